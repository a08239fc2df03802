"""`eyehand train harvest`: web pages of your own become training documents."""

import argparse
from pathlib import Path

from eyehand.agent.cli import arguments as shared
from eyehand.agent.cli.train import options
from eyehand.agent.outcome import EXIT_SUCCESS

SUMMARY = "look at your own web pages and write shards"


def add_arguments(harvest: argparse.ArgumentParser) -> None:
    """Declare the part's arguments."""
    harvest.add_argument(
        "--pages",
        action="append",
        required=True,
        metavar="PATH_OR_ADDRESS",
        help="a folder of HTML files, an HTML file, or an http, https or file address; may be "
        "given several times",
    )
    harvest.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the shards' folder"
    )
    options.add_number(harvest, "--documents", 1_000, "views of pages")
    options.add_number(harvest, "--seed", 0, "of pages, windows and places, to 999999", shared.seed)


def execute(arguments: argparse.Namespace) -> int:
    """Harvest, and say what was found."""
    from rich.console import Console
    from rich.progress import Progress

    from eyehand.agent.training.harvest.harvester import harvest

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("documents", total=arguments.documents)
        found = harvest(
            arguments.pages, arguments.out, arguments.documents, arguments.seed,
            lambda harvested: bar.update(task, completed=harvested),
        )  # fmt: skip
    skipped = ", ".join(f"{count} {reason}" for reason, count in found.skipped.items())
    shared.say(
        f"{found.documents} documents of {len(found.pages)} pages in {arguments.out}"
        + (f"; skipped: {skipped}" if skipped else "")
    )
    if arguments.json:
        shared.print_json({**found.as_json(), "folder": str(arguments.out)})
    return EXIT_SUCCESS
