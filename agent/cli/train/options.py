"""Options that several parts of `eyehand train` have."""

import argparse
from collections.abc import Callable
from pathlib import Path

from eyehand.agent.cli import arguments as shared


def add_documents(part: argparse.ArgumentParser, drawn: str, default: float) -> None:
    """Declare which documents a network is trained on; `drawn` says what `--drawn` is."""
    part.add_argument(
        "--data", type=Path, metavar="DIR", help="the shards' folder (default: drawn screens only)"
    )
    part.add_argument(
        "--drawn",
        type=shared.share_or_none,
        default=default,
        metavar="SHARE",
        help=f"{drawn} (default: {default:g})",
    )
    part.add_argument(
        "--other-words",
        type=shared.share_or_none,
        default=0.0,
        metavar="SHARE",
        help="of the demonstrations' instructions said otherwise, 0 to 1 (default: 0)",
    )


def add_learning(part: argparse.ArgumentParser, device: str, rate: float) -> None:
    """Declare what training begins with, where it happens and how quick it is."""
    part.add_argument(
        "--from",
        dest="initial",
        type=Path,
        metavar="DIR",
        help="go on from this checkpoint (default: a new network)",
    )
    part.add_argument(
        "--device", default=device, metavar="D", help=f"cpu, cuda, ... (default: {device})"
    )
    part.add_argument(
        "--rate",
        type=shared.positive_float,
        default=rate,
        metavar="R",
        help=f"learning rate at its highest (default: {rate:g})",
    )


def add_number(
    part: argparse.ArgumentParser, option: str, default: int, text: str,
    kind: Callable[[str], int] = shared.positive_int,
) -> None:  # fmt: skip
    """Declare a number and its default; `kind` reads it."""
    part.add_argument(
        option, type=kind, default=default, metavar="N", help=f"{text} (default: {default})"
    )
