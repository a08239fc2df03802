"""`eyehand view`: the report of an episode or an evaluation."""

import argparse
from pathlib import Path

from eyehand.agent.cli import arguments as shared
from eyehand.agent.outcome import EXIT_SUCCESS
from eyehand.agent.printable import printable

NAME = "view"
SUMMARY = "write the HTML report of an episode or an evaluation, or its table as text"
EXAMPLES = """\
examples:
  eyehand view runs/20260101-120000-miniwob-click-tab --open
  eyehand view results --out index.html     an evaluation: its table, with a page an episode
  eyehand view model --beside random --beside expert
  eyehand view model --beside random --markdown > table.md
  eyehand view runs/20260101-120000-miniwob-click-tab --markdown
  eyehand view model --csv > tasks.csv

An episode that was stopped or killed is shown as far as it went, and so is an evaluation. Pages
of episodes are written for the failures first; a page that is there already is left as it is.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="folder of an episode or an evaluation"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the page to write (default: DIR/report.html)"
    )
    parser.add_argument(
        "--beside",
        type=Path,
        metavar="DIR",
        action="append",
        default=[],
        help="an evaluation of another policy, to stand beside this one; may be given again",
    )
    parser.add_argument(
        "--pages",
        type=shared.seed,
        metavar="N",
        help="most pages of an evaluation's episodes to write (default: 200)",
    )
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    text = parser.add_mutually_exclusive_group()
    text.add_argument(
        "--markdown",
        action="store_true",
        help="print an evaluation's table, or an episode's steps, as Markdown",
    )
    text.add_argument(
        "--csv", action="store_true", help="print an evaluation's tasks as CSV, every number"
    )
    shared.add_json_argument(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Write the page and name it on standard output, or print the table."""
    if arguments.markdown or arguments.csv:
        shared.print_text(_table(arguments).rstrip("\n"))
        return EXIT_SUCCESS
    page = _page(arguments)
    if arguments.json:
        shared.print_json({"report": str(page)})
    else:
        shared.print_text(printable(str(page)))
    return EXIT_SUCCESS


def _table(arguments: argparse.Namespace) -> str:
    from eyehand.agent.report.episode_text import episode_markdown
    from eyehand.agent.report.evaluation_tables import csv_text, markdown
    from eyehand.agent.results.evaluation_result import is_evaluation, read_runs
    from eyehand.agent.trajectory.reader import is_episode, read_trajectory
    from eyehand.errors import UsageError

    if arguments.open or arguments.out or arguments.json:
        raise UsageError(
            "--open, --out and --json are for the page; send a table to a file: > FILE"
        )
    if is_episode(arguments.folder) and not is_evaluation(arguments.folder):
        if arguments.csv or arguments.beside:
            raise UsageError(
                f"{arguments.folder} holds one episode: --csv and --beside are for evaluations; "
                "--markdown prints it"
            )
        return episode_markdown(read_trajectory(arguments.folder))
    runs = read_runs([arguments.folder, *arguments.beside])
    return markdown(runs) if arguments.markdown else csv_text(runs)


def _page(arguments: argparse.Namespace) -> Path:
    import webbrowser

    from eyehand.agent.report import write_report

    page = write_report(arguments.folder, arguments.out, arguments.beside, arguments.pages)
    if arguments.open and not webbrowser.open(page.resolve().as_uri()):
        shared.say(f"no browser could be opened; open {page} yourself")
    return page
