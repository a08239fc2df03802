"""`eyehand view`: the report of an episode or an evaluation."""

import argparse
from pathlib import Path

from eyehand.agent.commands import arguments as shared

NAME = "view"
SUMMARY = "write the HTML report of an episode or an evaluation"
EXAMPLES = """\
examples:
  eyehand view runs/20260101-120000-miniwob-click-tab --open
  eyehand view results --out index.html     an evaluation: its table, with a page an episode

An episode that was stopped or killed is shown as far as it went.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="folder of an episode or an evaluation"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the page to write (default: DIR/report.html)"
    )
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    shared.add_json_argument(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Write the page and name it on standard output."""
    import webbrowser

    from eyehand.agent.outcome import EXIT_SUCCESS
    from eyehand.agent.report import write_report

    page = write_report(arguments.folder, arguments.out)
    if arguments.json:
        shared.print_json({"report": str(page)})
    else:
        print(page)
    if arguments.open and not webbrowser.open(page.resolve().as_uri()):
        shared.say(f"no browser could be opened; open {page} yourself")
    return EXIT_SUCCESS
