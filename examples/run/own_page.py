"""A web page of your own: an agent fills in its form and sends it.

    python examples/run/own_page.py
    python examples/run/own_page.py --model Qwen/Qwen2-VL-7B-Instruct

Without --model the answers come from a script, word for word as a model would write them, so that
the loop runs anywhere: each is parsed, validated and performed in real Chromium. The page and the
report are written to a new folder beside you.
"""

import argparse
import tempfile
from pathlib import Path

from eyehand import Agent, make
from eyehand.agent import ScriptedPolicy, write_report

PAGE = """<!doctype html><title>The mug shop</title>
<style>body { font: 28px sans-serif; margin: 60px } * { font-size: 28px; margin: 12px }</style>
<h1>Order a mug</h1>
<form onsubmit="event.preventDefault(); document.title = 'Thank you, ' + who.value + '!'">
  <label>Your name <input id="who" required></label>
  <button>Order</button>
</form>"""

ANSWERS = [
    'The name is missing.\n✿FUNCTION✿: click\n✿ARGS✿: {"point": [337, 202]}',
    "✿FUNCTION✿: replace_text\n✿ARGS✿: {'text': 'Ada'}",  # a model's slip: it is read all the same
    '✿FUNCTION✿: press_keys\n✿ARGS✿: {"keys": "Enter"}',
    'The page thanks Ada.\n✿FUNCTION✿: finish\n✿ARGS✿: {"status": "success"}',
]


def main() -> None:
    """Open the page from a file, run the task, say what the page shows then."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="a Qwen2-VL checkpoint: a folder or a Hub id")
    model = parser.parse_args().model
    agent = Agent(model or ScriptedPolicy(ANSWERS))
    folder = Path(tempfile.mkdtemp(prefix="own-page-", dir=".")).resolve()
    page = folder / "shop.html"
    page.write_text(PAGE, encoding="utf-8")
    with make(f"web:{page.as_uri()}") as environment:
        episode = agent.run("Order a mug for Ada.", environment, out=folder / "run")
    for step in episode.steps:
        print(step.effect or (step.error and step.error.message))
    # "claimed": a page gives no verdict, so this is the policy's own word.
    print(f"{episode.outcome}; the page said: {episode.steps[-1].text}")
    print(f"report: {write_report(folder / 'run')}")


if __name__ == "__main__":
    main()
