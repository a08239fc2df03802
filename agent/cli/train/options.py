"""Options that several parts of `eyehand train` have."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from eyehand.agent.cli import arguments as shared
from eyehand.errors import UsageError


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
    part.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help='JSON of how much a source is shown, such as {"miniwob:click-test": 0.5} (default: 1)',
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


def read_weights(path: Path | None) -> dict[str, float]:
    """Return the weights of sources in a JSON file; none where no file is named.

    Raises:
        UsageError: it is no mapping of names to numbers from 0 on.
    """
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"the weights of --weights cannot be read: {path}: {error}") from None
    if not isinstance(found, dict) or not all(map(_is_weight, found.values())):
        raise UsageError(
            f'{path} is no mapping of sources to numbers from 0 on: {{"miniwob:click-test": 0.5}}'
        )
    return {name: float(weight) for name, weight in found.items()}


def _is_weight(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= float(str(value)) < float("inf")
