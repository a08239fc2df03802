"""Argument types and groups that several commands share."""

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from eyehand.agent.printable import printable, printable_lines

LONGEST_LINE = 4_000
"""Characters of a line on standard error."""


def positive_int(text: str) -> int:
    """Read a whole number of at least 1."""
    return _whole(text, 1)


def seed(text: str) -> int:
    """Read a whole number of at least 0."""
    return _whole(text, 0)


def positive_float(text: str) -> float:
    """Read a finite number above 0."""
    number = _number(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def share(text: str) -> float:
    """Read a number above 0 and at most 1."""
    number = _number(text)
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and at most 1, got {text!r}")
    return number


def share_or_none(text: str) -> float:
    """Read a number from 0 to 1."""
    number = _number(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return number


def temperature(text: str) -> float:
    """Read a finite number of at least 0."""
    number = _number(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected a temperature of at least 0, got {text!r}")
    return number


def price(text: str) -> list[float]:
    """Read two prices in US dollars a million tokens, IN,OUT."""
    parts = text.split(",")
    if len(parts) != 2:
        raise argparse.ArgumentTypeError(f"expected two prices such as 2.5,10, got {text!r}")
    prices = [_number(part) for part in parts]
    if min(prices) < 0:
        raise argparse.ArgumentTypeError(f"expected prices of at least 0, got {text!r}")
    return prices


def size(text: str) -> tuple[int, int]:
    """Read WIDTHxHEIGHT in pixels."""
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT such as 1288x728, got {text!r}")
    return int(width), int(height)


def add_limit_arguments(parser: argparse._ActionsContainer) -> None:
    """Declare what ends an episode at the latest.

    Args:
        parser: A parser, or a group of one.
    """
    parser.add_argument(
        "--max-steps",
        type=positive_int,
        metavar="N",
        help="most steps an episode (default: the task's own limit, 30 where it has none)",
    )
    parser.add_argument(
        "--time-limit",
        type=positive_float,
        metavar="S",
        help="most seconds an episode (default: none)",
    )
    parser.add_argument(
        "--max-tokens-episode",
        type=positive_int,
        metavar="N",
        help="most tokens an episode that the model reads anew and writes",
    )
    parser.add_argument(
        "--max-cost",
        type=positive_float,
        metavar="USD",
        help="most US dollars an episode; needs --price where the server does not say what it "
        "costs",
    )


def add_private_argument(group: argparse._ActionsContainer) -> None:
    """Declare what lets a web page's episode reach this machine and its network."""
    group.add_argument(
        "--allow-private",
        action="store_true",
        help="web pages: let addresses of this machine and its network be opened (default: only "
        "where the start page is one)",
    )


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--json`."""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document; all else goes to stderr"
    )


def print_json(document: Any) -> None:
    """Print one JSON document on standard output."""
    from eyehand.agent.cli.streams import result_stream
    from eyehand.agent.trajectory.json_text import json_text

    result = result_stream()
    result.write(json_text(document, indent=2) + "\n")
    result.flush()


def say(line: str) -> None:
    """Print one line on standard error; control characters in it become blanks."""
    shown = printable(line, LONGEST_LINE)
    sys.stderr.write(shown.encode("utf-8", "replace").decode("utf-8") + "\n")
    sys.stderr.flush()


def print_text(text: str) -> None:
    """Print a result of several lines on standard output, without other control characters."""
    sys.stdout.write(printable_lines(text) + "\n")


def out_folder(text: str) -> Path:
    """Read a folder's path."""
    return Path(text).expanduser()


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None
    if number < least:
        raise argparse.ArgumentTypeError(f"expected at least {least}, got {text!r}")
    return number


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"expected a finite number, got {text!r}")
    return number
