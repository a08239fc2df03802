"""`eyehand compare`: two evaluations, episode by episode."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from eyehand.agent.cli import arguments as shared
from eyehand.agent.outcome import EXIT_NO_SUCCESS, EXIT_SUCCESS

if TYPE_CHECKING:
    from eyehand.agent.results.compare import Comparison
    from eyehand.agent.results.diff import Compared

NAME = "compare"
SUMMARY = "compare two evaluations on the episodes that both have run"
EXAMPLES = """\
examples:
  eyehand compare before after
  eyehand compare before after --markdown > table.md
  eyehand compare before after --json
  eyehand compare one-worker four-workers --identical

Episodes are paired by task and seed, so that easy and hard ones weigh on both sides alike. The
difference is B less A: of the success rates (overall the mean over tasks) and of the mean rewards,
with a paired bootstrap interval, 95%. McNemar's test is exact; Holm's correction takes into
account how many tasks are looked at; the reward's p-value is a sign-flip permutation test. What
is not paired is listed and counts nowhere.

--identical asks whether both are the same run: plan, rows, and every kept trajectory's records
and files, screens pixel by pixel. Times, dates, paths, numbers of tries and what it ran on
(workers, a cluster) are set aside. It says what was compared, or task by task what differs.

exit status: 0 compared, whichever is better, or identical; 1 no episode is paired, or not
identical; 2 wrong usage, or a folder without an evaluation.
"""

MOST_DIFFERENCES = 50
"""Differences that `--identical` prints; it names every task that differs."""

LONGEST_SHOWN = 400
MOST_LISTED = 10
"""Unpaired episodes that are named a reason; `--json` names all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("first", type=Path, metavar="DIR_A", help="evaluation to compare with")
    parser.add_argument("second", type=Path, metavar="DIR_B", help="evaluation that is looked at")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument(
        "--identical", action="store_true", help="say whether both are the same, file by file"
    )
    shared.add_json_argument(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Compare and print the table, or what differs."""
    return _identical(arguments) if arguments.identical else _compare(arguments)


def _identical(arguments: argparse.Namespace) -> int:
    from eyehand.agent.results.diff import compare_folders
    from eyehand.errors import UsageError

    if arguments.markdown:
        raise UsageError("--markdown is for the table of rates: leave it or --identical away")
    compared = compare_folders(arguments.first, arguments.second)
    if arguments.json:
        shared.print_json(compared.to_json())
    else:
        shared.print_text(_identical_text(compared))
    return EXIT_SUCCESS if compared.identical else EXIT_NO_SUCCESS


def _identical_text(compared: "Compared") -> str:
    """Return one line, and what differs: every task, with as many lines as there is room for."""
    from eyehand.agent.printable import printable

    counts = (
        f"{compared.episodes} episodes, {compared.files} files, {compared.screens} screens compared"
    )
    if compared.identical:
        return f"identical: {counts}"
    lines = [f"not identical, {compared.differences} differences: {counts}"]
    lines += [f"  {printable(text, LONGEST_SHOWN)}" for text in compared.plan[:MOST_DIFFERENCES]]
    room = MOST_DIFFERENCES - len(lines) + 1
    share = max(1, room // max(1, len(compared.differing)))
    for spec, found in compared.differing.items():
        shown = found[: min(share, room)]
        room -= len(shown)
        count = compared.differing_episodes[spec]
        differ = "episode differs" if count == 1 else "episodes differ"
        lines.append(f"{printable(spec, LONGEST_SHOWN)}: {count} {differ}")
        lines += [f"  {printable(text, LONGEST_SHOWN)}" for text in shown]
    return "\n".join(lines)


def _compare(arguments: argparse.Namespace) -> int:
    from eyehand.agent.report.evaluation_tables import column_names, comparison_markdown
    from eyehand.agent.results.compare import compare
    from eyehand.agent.results.evaluation_result import read_runs
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
        shared.print_text(comparison_markdown(comparison, *names).rstrip("\n"))
    else:
        _print(comparison, names)
    _say_unpaired(comparison)
    return EXIT_SUCCESS if comparison.overall.first.trials else EXIT_NO_SUCCESS


def _print(comparison: "Comparison", names: list[str]) -> None:
    from eyehand.agent.cli import tables
    from eyehand.agent.report.evaluation_tables import comparison_cells, number

    heads = ("task", "pairs", *names, "difference", "McNemar p", "Holm p", "reward p")
    table = tables.table(*heads, numbers=True)
    shown = comparison.tasks if len(comparison.tasks) > 1 else []
    for task in (*shown, comparison.overall):
        table.add_row(*comparison_cells(task))
    console = tables.console(wide=True)
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
