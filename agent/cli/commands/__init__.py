"""The commands, one module each. A new one is added to `COMMANDS`.

A command's module offers `NAME`, `SUMMARY`, `EXAMPLES`, `add_arguments(parser)` and
`execute(arguments) -> exit status`. It imports nothing heavy at its top: every command's arguments
are known before any of them runs.
"""

import argparse
from collections.abc import Iterator
from importlib import import_module
from typing import Protocol, cast

COMMANDS = (
    "demo",
    "run",
    "eval",
    "suites",
    "view",
    "compare",
    "score",
    "train",
    "models",
    "check-model",
    "doctor",
)
"""Names of the commands in the order of the help; each one's module is `NAME`."""


class Command(Protocol):
    """What a command's module offers."""

    NAME: str
    SUMMARY: str
    EXAMPLES: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""

    def execute(self, arguments: argparse.Namespace) -> int:
        """Do it and return the exit status."""


def commands() -> Iterator[Command]:
    """Import the commands' modules, in order."""
    for name in COMMANDS:
        yield cast(Command, import_module(f"{__name__}.{name.replace('-', '_')}"))
