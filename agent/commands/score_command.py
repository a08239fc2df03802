"""`eyehand score`: recorded steps against reference steps, without an environment."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyehand.agent.commands import arguments as shared
from eyehand.errors import UsageError

if TYPE_CHECKING:
    from eyehand.agent.scoring.card import Marks, ScoreCard
    from eyehand.agent.scoring.steps import ScoredStep

NAME = "score"
SUMMARY = "score recorded steps against reference steps: type match and exact match"
EXAMPLES = """\
examples:
  eyehand score predictions.jsonl
  eyehand score predictions.jsonl --rule calls --json
  eyehand score --reference expert-run --predictions model-run --out steps.jsonl

A line of the file is one step:
  {"episode": "e1", "step": 0,
   "reference":  {"name": "click", "arguments": {"point": [0.42, 0.10]}},
   "prediction": {"name": "click", "arguments": {"point": [0.40, 0.12]}},
   "boxes": [[0.35, 0.05, 0.50, 0.15]]}
All places are shares of the screen, 0 to 1: points [x, y], boxes [left, top, right, bottom].
"prediction" is null where the answer held no call; "boxes", the screen's elements, may be left out.

--rule aitz   click (or tap) by --clicks; scroll "direction" (or swipe "start", "end"), the way of
              the finger; type "text": one contains the other, or similarity above 0.8; press
              "key"; stop. The rule of AITZ, arXiv:2403.02713.
--rule calls  function calling: the same name; the same arguments.

--reference and --predictions take folders of trajectories. Episodes are paired by task and seed;
of each, the steps count on which both saw the very same screen.

docs/scoring.md has the details. Exit status: 0 scored; 2 wrong usage, or a file that cannot be
read; 3 the disk is full.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "file", type=Path, nargs="?", metavar="PREDICTIONS.jsonl", help="steps to score"
    )
    parser.add_argument(
        "--reference", type=Path, metavar="DIR", help="trajectories of the reference"
    )
    parser.add_argument(
        "--predictions", type=Path, metavar="DIR", help="trajectories of what is scored"
    )
    parser.add_argument("--rule", choices=("aitz", "calls"), default="aitz", help="default: aitz")
    parser.add_argument(
        "--clicks",
        choices=("distance", "box"),
        default="distance",
        help="distance (default): within 14%% of the screen, or in the same element's box, "
        "enlarged; box: in the same element's box only",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the steps as JSONL")
    shared.add_json_argument(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Score and print the card."""
    from eyehand.agent.outcome import EXIT_SUCCESS
    from eyehand.agent.scoring.aitz import Clicks
    from eyehand.agent.scoring.card import Rule, score
    from eyehand.agent.scoring.steps import write_steps

    steps, left_out = _steps(arguments)
    card = score(steps, Rule(arguments.rule), Clicks(arguments.clicks))
    if arguments.out:
        write_steps(arguments.out, steps)
    if arguments.json:
        clicks = {"clicks": arguments.clicks} if card.rule is Rule.AITZ else {}
        shared.print_json({**card.to_json(), **clicks, **left_out})
    else:
        _print(card)
    return EXIT_SUCCESS


def _steps(arguments: argparse.Namespace) -> tuple[list["ScoredStep"], dict[str, Any]]:
    from eyehand.agent.scoring.recorded import steps_of_folders
    from eyehand.agent.scoring.steps import read_steps

    folders = (arguments.reference, arguments.predictions)
    if arguments.file and not any(folders):
        return read_steps(arguments.file), {}
    if arguments.file or not all(folders):
        raise UsageError("name a file of steps, or both --reference DIR and --predictions DIR")
    recorded = steps_of_folders(*folders)
    for name in recorded.unpaired:
        shared.say(f"only one of the folders has {name}")
    if recorded.apart:
        shared.say(
            f"{recorded.apart} steps of the reference are not scored: "
            "the prediction had come to another screen"
        )
    return recorded.steps, {"steps_apart": recorded.apart, "unpaired": recorded.unpaired}


def _print(card: "ScoreCard") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("kind", box=None, pad_edge=False)
    for head in ("steps", "type match", "exact match"):
        table.add_column(head, justify="right")
    for kind, marks in card.kinds.items():
        table.add_row(kind, *_cells(marks))
    table.add_row("all", *_cells(card.total))
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(table)
    console.print(
        f"\nanswers with a call: {card.answered}; episodes without a wrong step: {card.episodes}; "
        f"goal progress: {100 * card.progress:.0f}%"
    )


def _cells(marks: "Marks") -> list[str]:
    return [str(marks.type_match.trials), str(marks.type_match), str(marks.exact_match)]
