"""`eyehand score`: recorded steps against reference steps, without an environment."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyehand.agent.cli import arguments as shared
from eyehand.agent.outcome import EXIT_SUCCESS
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
  eyehand score --reference android-in-the-zoo/test --predictions predictions.jsonl

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

--reference also takes the data set AITZ as it is downloaded, whole or in part, or one episode's
JSON file. --predictions is then a JSONL file with "episode" (as "general-123"), "step" and
"prediction" a line, or a folder that AITZ's own code wrote.

docs/guides/scoring.md has the details. Exit status: 0 scored; 2 wrong usage, or a file that cannot
be read; 3 the disk is full.
"""


MOST_LISTED = 10
"""Unpaired episodes that are named; `--json` names all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "file", type=Path, nargs="?", metavar="PREDICTIONS.jsonl", help="steps to score"
    )
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="DIR",
        help="trajectories of the reference, or the data set AITZ",
    )
    parser.add_argument(
        "--predictions",
        type=Path,
        metavar="DIR",
        help="trajectories of what is scored; of AITZ a JSONL file, or its code's folder",
    )
    parser.add_argument(
        "--mode",
        metavar="PROMPT/SCREEN",
        help="which answers of AITZ's code, where a folder holds several: such as COAT/txt",
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
    from eyehand.agent.scoring.aitz import Clicks
    from eyehand.agent.scoring.card import ScoringRule, score
    from eyehand.agent.scoring.steps import write_steps

    steps, left_out = _steps(arguments)
    card = score(steps, ScoringRule(arguments.rule), Clicks(arguments.clicks))
    if arguments.out:
        write_steps(arguments.out, steps)
    if arguments.json:
        clicks = {"clicks": arguments.clicks} if card.rule is ScoringRule.AITZ else {}
        shared.print_json({**card.to_json(), **clicks, **left_out})
    else:
        _print(card)
    return EXIT_SUCCESS


def _steps(arguments: argparse.Namespace) -> tuple[list["ScoredStep"], dict[str, Any]]:
    from eyehand.agent.scoring.steps import read_steps
    from eyehand.agent.scoring.zoo import is_zoo

    folders = (arguments.reference, arguments.predictions)
    if (not arguments.file and not all(folders)) or (arguments.file and any(folders)):
        raise UsageError("name a file of steps, or both --reference DIR and --predictions DIR")
    if arguments.reference and is_zoo(arguments.reference):
        return _of_zoo(arguments)
    if arguments.mode is not None:
        raise UsageError("--mode is for the data set AITZ as --reference")
    return (read_steps(arguments.file), {}) if arguments.file else _recorded(arguments)


def _recorded(arguments: argparse.Namespace) -> tuple[list["ScoredStep"], dict[str, Any]]:
    """Return the steps of two folders of trajectories."""
    from eyehand.agent.scoring.recorded import steps_of_folders

    recorded = steps_of_folders(arguments.reference, arguments.predictions)
    _say_unpaired(recorded.unpaired)
    if recorded.apart:
        shared.say(
            f"{recorded.apart} steps of the reference are not scored: "
            "the prediction had come to another screen"
        )
    return recorded.steps, {"steps_apart": recorded.apart, "unpaired": recorded.unpaired}


def _of_zoo(arguments: argparse.Namespace) -> tuple[list["ScoredStep"], dict[str, Any]]:
    """Return the steps of AITZ's files with what was predicted."""
    from eyehand.agent.scoring.zoo import read_zoo
    from eyehand.agent.scoring.zoo_predictions import answer

    if arguments.rule != "aitz":
        raise UsageError("the data set AITZ is scored by --rule aitz")
    answered = answer(read_zoo(arguments.reference), arguments.predictions, arguments.mode)
    _say_unpaired(answered.unpaired)
    if answered.missing:
        shared.say(f"steps without a prediction, which are scored as wrong: {answered.missing}")
    return answered.steps, {"steps_missing": answered.missing, "unpaired": answered.unpaired}


def _say_unpaired(names: list[str]) -> None:
    if names:
        listed = ", ".join(names[:MOST_LISTED]) + (", ..." if len(names) > MOST_LISTED else "")
        shared.say(f"episodes that only one side has are not scored: {len(names)} ({listed})")


def _print(card: "ScoreCard") -> None:
    from eyehand.agent.cli import tables

    table = tables.table("kind", "steps", "type match", "exact match", numbers=True)
    for kind, marks in card.kinds.items():
        table.add_row(kind, *_cells(marks))
    table.add_row("all", *_cells(card.total))
    console = tables.console(wide=True)
    console.print(table)
    console.print(
        f"\nanswers with a call: {card.answered}; episodes without a wrong step: {card.episodes}; "
        f"goal progress: {100 * card.progress:.0f}%"
    )


def _cells(marks: "Marks") -> list[str]:
    return [str(marks.type_match.trials), str(marks.type_match), str(marks.exact_match)]
