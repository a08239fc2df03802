"""`python -m benchmarks.beside`: the embedded checkpoint in the built-in network and elsewhere.

python -m benchmarks.beside embedded --beside transformers --episodes 10
python -m benchmarks.beside embedded --beside http://127.0.0.1:8000/v1 --served-model FOLDER

Every episode is played twice, with the built-in model and with transformers in this process or
a server; where the actions differ, a third time with the built-in network in the other one's chat.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from benchmarks.beside.episodes import Task, compare
from eyehand.agent.policies.base import Policy
from eyehand.agent.policies.models.address import is_address
from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.agent.policies.models.built_in_chat import BuiltInChatPolicy
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT, read_habits
from eyehand.agent.policies.models.endpoint import EndpointPolicy
from eyehand.agent.policies.models.in_transformers import TransformersPolicy
from eyehand.agent.results.statistics import wilson_interval
from eyehand.envs.suites import suite_specs
from eyehand.prompts.dialects.keyword import Keyword

FIRST_SEED = 1_000_000
MOST_TOKENS = 64
"""An answer of the embedded model has about 30; a longer one runs away."""


def embedded_dialect() -> Keyword:
    """Return the dialect with the habits of the embedded checkpoint."""
    habits = read_habits(EMBEDDED_CHECKPOINT)
    return Keyword(brief=habits.brief, newest_only=habits.newest_only)


def main() -> None:
    """Compare, and print or write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__)
    parser.add_argument("suite", help="suites or specs, with commas between")
    parser.add_argument("--beside", required=True, help="transformers, or a server's address")
    parser.add_argument("--served-model", help="the checkpoint's name on the server")
    parser.add_argument("--episodes", type=int, default=10, help="a task (default: 10)")
    parser.add_argument("--json", type=Path, help="keep every episode's answers")
    arguments = parser.parse_args()
    seeds = range(FIRST_SEED, FIRST_SEED + arguments.episodes)
    built_in = VlmPolicy(max_new_tokens=MOST_TOKENS)
    beside = _beside(arguments.beside, arguments.served_model)
    in_chat = BuiltInChatPolicy(
        EMBEDDED_CHECKPOINT, embedded_dialect(), "embedded", max_new_tokens=MOST_TOKENS
    )
    tasks: list[Task] = []
    for spec in suite_specs(arguments.suite):
        tasks.append(compare(spec, seeds, built_in, beside, in_chat, _say))
        if arguments.json:
            arguments.json.write_text(json.dumps([task.as_json() for task in tasks], indent=1))
    print(table(tasks))


def table(tasks: list[Task]) -> str:
    """Return a Markdown table: a task a line, both rates, the same actions, and why not."""
    lines = ["| task | built in | beside | same actions | differences |", "|---|---|---|---|---|"]
    together = Task("all", [episode for task in tasks for episode in task.episodes])
    for task in [*tasks, together]:
        ways = [[one.built_in for one in task.episodes], [one.beside for one in task.episodes]]
        rates = [_rate(sum(p.outcome == "succeeded" for p in way), len(way)) for way in ways]
        why = Counter(one.why for one in task.episodes)
        same = why.pop("same", 0)
        other = ", ".join(f"{n} {name}" for name, n in sorted(why.items())) or "-"
        lines.append(
            f"| {task.spec} | {' | '.join(rates)} | {same} of {len(task.episodes)} | {other} |"
        )
    return "\n".join(lines)


def _beside(name: str, served_model: str | None) -> Policy:
    dialect = embedded_dialect()
    if is_address(name):
        model = served_model or str(EMBEDDED_CHECKPOINT)
        return EndpointPolicy(name, model, dialect, max_new_tokens=MOST_TOKENS)
    if name != "transformers":
        raise SystemExit(f"--beside takes transformers or a server's address, not {name!r}")
    return TransformersPolicy(EMBEDDED_CHECKPOINT, dialect, max_new_tokens=MOST_TOKENS)


def _rate(won: int, all_: int) -> str:
    low, high = wilson_interval(won, all_)
    return f"{won} of {all_} [{100 * low:.0f}, {100 * high:.0f}]"


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
