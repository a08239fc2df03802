"""`eyehand compare`: two evaluations, episode by episode."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from eyehand.agent.commands import arguments as shared

if TYPE_CHECKING:
    from eyehand.agent.comparison import Comparison

NAME = "compare"
SUMMARY = "compare two evaluations on the episodes that both have run"
EXAMPLES = """\
examples:
  eyehand compare before after
  eyehand compare before after --markdown > table.md
  eyehand compare before after --json

Episodes are paired by task and seed, so that easy and hard ones weigh on both sides alike. The
difference is B less A: of the success rates (overall the mean over tasks) and of the mean rewards,
with a paired bootstrap interval, 95%. McNemar's test is exact; Holm's correction takes into
account how many tasks are looked at; the reward's p-value is a sign-flip permutation test. What
is not paired is listed and counts nowhere.

exit status: 0 compared, whichever is better; 1 no episode is paired; 2 wrong usage, or a folder
without an evaluation.
"""

MOST_LISTED = 10
"""Unpaired episodes that are named a reason; `--json` names all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("first", type=Path, metavar="DIR_A", help="evaluation to compare with")
    parser.add_argument("second", type=Path, metavar="DIR_B", help="evaluation that is looked at")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    shared.add_json_argument(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Compare and print the table."""
    from eyehand.agent.comparison import compare
    from eyehand.agent.outcome import EXIT_NO_SUCCESS, EXIT_SUCCESS
    from eyehand.agent.report.evaluation_tables import column_names, comparison_markdown
    from eyehand.agent.runs import read_runs
    from eyehand.errors import UsageError

    if arguments.json and arguments.markdown:
        raise UsageError("choose one of --json and --markdown")
    runs = read_runs([arguments.first, arguments.second])
    comparison = compare(runs[0].rows, runs[1].rows)
    names = column_names(runs)
    if arguments.json:
        folders = {"first": str(arguments.first), "second": str(arguments.second)}
        shared.print_json({**folders, **comparison.to_json()})
    elif arguments.markdown:
        sys.stdout.write(comparison_markdown(comparison, *names))
    else:
        _print(comparison, names)
    _say_unpaired(comparison)
    return EXIT_SUCCESS if comparison.overall.first.trials else EXIT_NO_SUCCESS


def _print(comparison: "Comparison", names: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    from eyehand.agent.report.evaluation_tables import comparison_cells, number

    table = Table(box=None, pad_edge=False)
    heads = ("task", "pairs", *names, "difference", "McNemar p", "Holm p", "reward p")
    for index, head in enumerate(heads):
        table.add_column(head, justify="left" if index == 0 else "right", no_wrap=True)
    shown = comparison.tasks if len(comparison.tasks) > 1 else []
    for task in (*shown, comparison.overall):
        table.add_row(*comparison_cells(task))
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.width = max(console.width, 120)
    console.print(table)
    overall = comparison.overall
    console.print(
        f"\nonly {names[1]} solved {overall.gained}, only {names[0]} solved {overall.lost}; "
        f"mean reward {number(overall.reward)} apart"
    )


def _say_unpaired(comparison: "Comparison") -> None:
    for reason, episodes in comparison.unpaired.items():
        named = ", ".join(f"{spec} {seed}" for spec, seed in episodes[:MOST_LISTED])
        more = f" and {len(episodes) - MOST_LISTED} more" if len(episodes) > MOST_LISTED else ""
        shared.say(f"not paired, {reason}: {len(episodes)} ({named}{more})")
    if not comparison.overall.first.trials:
        shared.say("no episode is paired: both runs need the same tasks and seeds")
