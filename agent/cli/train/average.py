"""`eyehand train average`: weights between those of two checkpoints."""

import argparse
from pathlib import Path

from eyehand.agent.cli import arguments as shared
from eyehand.agent.outcome import EXIT_SUCCESS

SUMMARY = "write the weights between those of two checkpoints, which often know most of both"


def add_arguments(average: argparse.ArgumentParser) -> None:
    """Declare the part's arguments."""
    average.add_argument(
        "--model", type=Path, metavar="DIR",
        help="a checkpoint folder (default: the one that comes with eyehand)",
    )  # fmt: skip
    average.add_argument(
        "--with", dest="other", type=Path, required=True, metavar="DIR",
        help="another, trained further from it",
    )  # fmt: skip
    average.add_argument(
        "--share", type=shared.share_or_none, default=0.5, metavar="SHARE",
        help="of the other's weights, 0 to 1 (default: 0.5)",
    )  # fmt: skip
    average.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the new checkpoint's folder"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Average, and say where the checkpoint lies."""
    from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
    from eyehand.model.training.averaging import average

    first = arguments.model or EMBEDDED_CHECKPOINT
    average(first, arguments.other, arguments.share, arguments.out)
    shared.say(f"{1 - arguments.share:g} of {first}, {arguments.share:g} of {arguments.other}: "
               f"{arguments.out}")  # fmt: skip
    if arguments.json:
        shared.print_json({"folder": str(arguments.out), "share": arguments.share})
    return EXIT_SUCCESS
