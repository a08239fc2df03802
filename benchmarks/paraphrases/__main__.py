"""`python -m benchmarks.paraphrases`: the same episodes, asked as always and in other words.

python -m benchmarks.paraphrases embedded --episodes 10 --json paraphrases.json
python -m benchmarks.paraphrases miniwob:click-link,miniwob:enter-text --model my-model

Every seed is played three times: with the task's own instruction, with other verbs, and turned
around. The judge is the task's own. What a page itself shows of its instruction (MiniWoB++: the
yellow bar) stays as it is. A task that the file holds already is not played again.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.paraphrases.rewording import WAYS, reworded
from benchmarks.playing import FAULT, played, read_figures
from eyehand.actions import ActionSpace
from eyehand.agent.cli import arguments as shared
from eyehand.agent.cli.main import main
from eyehand.agent.cli.parser import Parser
from eyehand.agent.policies.base import Conversation, Policy
from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.agent.results.statistics import wilson_interval
from eyehand.envs import make
from eyehand.envs.env import Environment
from eyehand.envs.suites import suite_specs

FIRST_SEED = 1_000_000
OWN = "its own words"
_COLUMNS = (OWN, *WAYS)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = Parser(
        prog="python -m benchmarks.paraphrases", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("suite", help="suites or specs, with commas between")
    parser.add_argument(
        "--model", type=Path, default=EMBEDDED_CHECKPOINT, metavar="DIR",
        help="a checkpoint folder (default: the one that comes with eyehand)",
    )  # fmt: skip
    parser.add_argument(
        "--episodes", type=shared.positive_int, default=10, metavar="N",
        help="seeds a task, each played three times (default: 10)",
    )  # fmt: skip
    parser.add_argument(
        "--max-steps", type=shared.positive_int, default=12, metavar="N", help="default: 12"
    )
    parser.add_argument(
        "--json", dest="kept", type=Path, metavar="FILE",
        help="keep the figures, and go on with those that are there",
    )  # fmt: skip
    parser.set_defaults(execute=execute, command="paraphrases", json=False)
    return parser


def execute(arguments: argparse.Namespace) -> int:
    """Play what is not there yet, and print the table."""
    specs = suite_specs(arguments.suite)
    kept = read_figures(arguments.kept)
    policy = VlmPolicy(arguments.model)
    for spec in specs:
        if spec in kept:
            continue
        with make(spec) as environment:
            seeds = range(FIRST_SEED, FIRST_SEED + arguments.episodes)
            kept[spec] = play(policy, environment, seeds, arguments.max_steps)
        shared.say(f"{spec}: {_words(kept[spec])}")
        if arguments.kept:
            arguments.kept.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    shared.print_text(table(kept))
    return 0


class OtherWords(Policy):
    """Another policy that is asked in other words.

    Attributes:
        words: What to say in the place of an instruction.
    """

    name = "model"

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.words: Mapping[str, str] = {}

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode whose task is said otherwise."""
        return self._policy.start(self.words.get(task, task), action_space, seed)


def play(
    policy: Policy, environment: Environment, seeds: Sequence[int], max_steps: int
) -> dict[str, list[bool]]:
    """Play every seed in three wordings, and return by wording which seeds succeeded.

    Seeds in which the environment failed in any wording are left out of all three; so are
    instructions that no rule knows.

    Args:
        policy: Who plays.
        environment: One task with an instruction of its own.
        seeds: Of the episodes.
        max_steps: Most decisions an episode.
    """
    found: dict[str, list[bool]] = {column: [] for column in _COLUMNS}
    asked = OtherWords(policy)
    for seed in seeds:
        environment.reset(seed=seed)
        own = environment.instruction or ""
        verdicts = []
        for task in (own, *reworded(own)):
            asked.words = {own: task}
            verdicts.append(_succeeds(asked, environment, seed, max_steps))
        if len(verdicts) == len(_COLUMNS) and None not in verdicts:
            for column, verdict in zip(_COLUMNS, verdicts, strict=True):
                found[column].append(bool(verdict))
    return found


def _succeeds(policy: Policy, environment: Environment, seed: int, max_steps: int) -> bool | None:
    """Play an episode; None where the environment failed in every try."""
    outcome = played(policy, environment, seed, max_steps).outcome
    return None if outcome == FAULT else outcome == "succeeded"


def table(kept: dict[str, dict[str, list[bool]]]) -> str:
    """Return a Markdown table: a task a line, then all tasks, with Wilson's 95% intervals.

    Args:
        kept: By task what `play` returns.
    """
    lines = [f"| task | {' | '.join(_COLUMNS)} |", "|---" * (len(_COLUMNS) + 1) + "|"]
    for spec, found in kept.items():
        lines.append(f"| {spec} | {_cells(found)} |")
    together = {c: [won for found in kept.values() for won in found[c]] for c in _COLUMNS}
    return "\n".join([*lines, f"| **all** | {_cells(together)} |"])


def _cells(found: dict[str, list[bool]]) -> str:
    return " | ".join(_cell(found[column]) for column in _COLUMNS)


def _cell(won: list[bool]) -> str:
    if not won:
        return "–"
    low, high = wilson_interval(sum(won), len(won))
    return f"{sum(won)} of {len(won)} [{100 * low:.0f}, {100 * high:.0f}]"


def _words(found: dict[str, list[bool]]) -> str:
    return ", ".join(f"{column} {sum(found[column])}" for column in _COLUMNS)


if __name__ == "__main__":
    sys.exit(main(make_parser=make_parser))
