"""What the phone's commands work on, and what one of them is given."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from eyehand.envs.phone.faults import Faults
from eyehand.envs.phone.shell.files import MemoryFiles
from eyehand.envs.phone.shell.hardware import PhoneHardware

WRONG_USAGE = 255  # what Android's own commands end with; a shell's small ones vary


class Sink(Protocol):
    """Takes a command's output."""

    def write(self, data: bytes | memoryview, /) -> None:
        """Take bytes; blocks while the reader is behind, and raises when it has left."""


@dataclass
class CommandRecord:
    """One command line that reached the phone.

    Attributes:
        line: The line, as it came.
        service: The adb service that brought it: "shell", "shell,v2" or "exec".
        executed: The words of each command that ran, after quotes and variables.
        injections: The `$(...)` and back-tick substitutions in it; none was run.
        exit_status: What the line ended with; None while it runs, or when it was stopped.
        seconds: How long it ran, sending its output included.
        capture_s: Seconds of it in which the screen itself was captured.
    """

    line: str
    service: str = "shell"
    executed: list[tuple[str, ...]] = field(default_factory=list)
    injections: list[str] = field(default_factory=list)
    exit_status: int | None = None
    seconds: float = 0.0
    capture_s: float = 0.0


@dataclass
class PhoneSystem:
    """The phone behind the shell.

    Attributes:
        screen: Its screen, apps, fingers and keys.
        faults: What goes wrong with it.
        serial: Its serial number, `ro.serialno`.
        files: Its files.
        settings: Values of `settings put` by (namespace, key), for those that no part of the
            screen holds.
        enabled_imes: The input methods that `ime set` accepts.
        log: Every command line, in order of arrival.
    """

    screen: PhoneHardware
    faults: Faults
    serial: str = "EYEHAND0001"
    files: MemoryFiles = field(default_factory=MemoryFiles)
    settings: dict[tuple[str, str], str] = field(default_factory=dict)
    enabled_imes: set[str] = field(default_factory=set)
    log: list[CommandRecord] = field(default_factory=list)


class CommandFailed(Exception):
    """A command ends here: what it says on stderr, and its exit status."""

    def __init__(self, message: str, exit_status: int = 1) -> None:
        super().__init__(message)
        self.exit_status = exit_status


@dataclass
class Invocation:
    """One command as it is called.

    Attributes:
        system: The phone.
        name: The command's own name.
        arguments: Its words.
        stdin: What a pipe or a file brought.
        stdout: Where its output goes.
        stderr: Where its complaints go.
        record: The line that it belongs to.
        stopped: Set when the client has left.
    """

    system: PhoneSystem
    name: str
    arguments: list[str]
    stdin: bytes
    stdout: Sink
    stderr: Sink
    record: CommandRecord
    stopped: threading.Event

    @property
    def screen(self) -> PhoneHardware:
        """The phone's screen."""
        return self.system.screen

    def say(self, text: str) -> None:
        """Write a line to the output."""
        self.stdout.write(f"{text}\n".encode())

    def complain(self, text: str) -> None:
        """Write a line to the errors."""
        self.stderr.write(f"{text}\n".encode())

    def words(self, least: int, usage: str) -> list[str]:
        """Return the arguments.

        Raises:
            CommandFailed: there are fewer than `least`.
        """
        if len(self.arguments) < least:
            raise CommandFailed(usage, WRONG_USAGE)
        return self.arguments

    def sub(self, skip: int = 1) -> "Invocation":
        """Return the call of a subcommand: without the first `skip` arguments."""
        name, arguments = self.arguments[skip - 1], self.arguments[skip:]
        parts = (self.system, name, arguments, self.stdin, self.stdout, self.stderr)
        return Invocation(*parts, self.record, self.stopped)


Command = Callable[[Invocation], int]
"""Runs one command and returns its exit status; raises CommandFailed to end with a message."""
