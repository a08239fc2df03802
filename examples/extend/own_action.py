"""An action of your own: find words on the page, and bring them into view.

    python examples/extend/own_action.py

The docstring and the fields' descriptions and bounds are what a model reads in its prompt, and
what its calls are checked against before the handler sees one.
"""

import tempfile
from pathlib import Path

from pydantic import Field

from eyehand import Agent
from eyehand.actions import Action, ActionSpace
from eyehand.actions.web import WEB_ACTIONS
from eyehand.agent import ScriptedPolicy
from eyehand.envs.web import WebEnvironment

PAGE = "<title>Long</title><p style='height: 3000px'>The top.</p><p>Gate 12 closes at noon.</p>"


class FindOnPage(Action):
    """Find words on the page and scroll to them."""

    words: str = Field(min_length=1, max_length=80, description="the words, as they are written")


def find_on_page(action: FindOnPage, environment: WebEnvironment) -> str:
    """Perform it; what is returned tells the model what happened."""
    found = environment.page_call(lambda page: page.evaluate("w => window.find(w)", action.words))
    return f"{action.words!r} is in view" if found else f"{action.words!r} is not on this page"


ANSWERS = [
    '✿FUNCTION✿: find_on_page\n✿ARGS✿: {"words": "Gate 13"}',
    '✿FUNCTION✿: find_on_page\n✿ARGS✿: {"text": "Gate 12"}',  # no such argument: it is told so
    '✿FUNCTION✿: find_on_page\n✿ARGS✿: {"words": "Gate 12"}',
    '✿FUNCTION✿: answer\n✿ARGS✿: {"text": "at noon"}',
]


def main() -> None:
    """Permit the action beside the web's own ones, and let a script call it."""
    space = ActionSpace(WEB_ACTIONS).extended(FindOnPage, find_on_page)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "long.html"
        page.write_text(PAGE, encoding="utf-8")
        with WebEnvironment(page.as_uri(), action_space=space) as environment:
            episode = Agent(ScriptedPolicy(ANSWERS)).run("When does gate 12 close?", environment)
    for step in episode.steps:
        print(step.effect or (step.error and step.error.message))
    print(f"{episode.outcome}: {episode.message}")


if __name__ == "__main__":
    main()
