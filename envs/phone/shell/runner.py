"""Runs command lines: each word of Python's own commands, none of the host's."""

import threading
import time

from eyehand.envs.phone.shell.commands import COMMANDS
from eyehand.envs.phone.shell.files import absolute
from eyehand.envs.phone.shell.syntax import (
    PipelineStep,
    Redirect,
    ShellSyntaxError,
    Simple,
    Word,
    WordPart,
    read_line,
)
from eyehand.envs.phone.shell.system import (
    CommandFailed,
    CommandRecord,
    Invocation,
    PhoneSystem,
    Sink,
)
from eyehand.errors import EyehandError

NOT_FOUND = 127
SYNTAX_ERROR = 1
VARIABLES = {"HOME": "/", "PATH": "/system/bin", "SHELL": "/bin/sh", "USER": "shell"}
PATTERN_CHARACTERS = "*?["


class Buffer:
    """A sink that keeps what is written; one that nobody reads serves as /dev/null."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, data: bytes | memoryview) -> None:
        """Keep the bytes."""
        self.content += data


class Shell:
    """One `sh -c LINE` on the phone.

    Args:
        system: The phone.
        stdout: Where output goes.
        stderr: Where errors go.
        stopped: Set when the client has left; nothing more is started then.
    """

    def __init__(
        self, system: PhoneSystem, stdout: Sink, stderr: Sink, stopped: threading.Event
    ) -> None:
        self._system = system
        self._stdout = stdout
        self._stderr = stderr
        self._stopped = stopped
        self._status = 0

    def run(self, record: CommandRecord) -> int:
        """Run a line and return its exit status; the record is filled in meanwhile."""
        start = time.perf_counter()
        try:
            script = read_line(record.line)
            record.injections.extend(script.injections)
            for step in script.steps:
                if self._stopped.is_set():
                    return 128
                if self._is_due(step):
                    self._status = self._run_pipeline(step, record)
        except ShellSyntaxError as error:
            self._stderr.write(f"/system/bin/sh: syntax error: {error}\n".encode())
            self._status = SYNTAX_ERROR
        finally:
            record.seconds = time.perf_counter() - start
        record.exit_status = self._status
        return self._status

    def _is_due(self, step: PipelineStep) -> bool:
        return step.when == ";" or (step.when == "&&") == (self._status == 0)

    def _run_pipeline(self, step: PipelineStep, record: CommandRecord) -> int:
        stdin, status = b"", 0
        for number, command in enumerate(step.pipeline):
            last = number == len(step.pipeline) - 1
            pipe = Buffer()
            status = self._run_simple(command, stdin, self._stdout if last else pipe, record)
            stdin = bytes(pipe.content)
        return status

    def _run_simple(
        self, command: Simple, stdin: bytes, stdout: Sink, record: CommandRecord
    ) -> int:
        words = [text for word in command.words for text in self._expand(word)]
        sinks: dict[int, Sink] = {1: stdout, 2: self._stderr}
        to_files: list[tuple[Redirect, str, Buffer]] = []
        for redirect in command.redirects:
            if redirect.duplicate is not None:
                sinks[redirect.descriptor] = sinks.get(redirect.duplicate, Buffer())
                continue
            path = "".join(self._expand(redirect.target))
            if redirect.descriptor == 0:
                entry = self._system.files.get(path)
                stdin = entry.content if entry is not None else b""
            else:
                to_files.append((redirect, path, Buffer()))
                sinks[redirect.descriptor] = to_files[-1][2]
        status = self._invoke(words, stdin, sinks[1], sinks[2], record)
        return max([status, *(self._store(*each) for each in to_files)])

    def _invoke(
        self, words: list[str], stdin: bytes, out: Sink, err: Sink, record: CommandRecord
    ) -> int:
        if not words:
            return 0
        name = words[0].removeprefix("/system/bin/")
        command = COMMANDS.get(name)
        if command is None:
            err.write(f"/system/bin/sh: {words[0]}: inaccessible or not found\n".encode())
            return NOT_FOUND
        record.executed.append(tuple(words))
        call = Invocation(self._system, name, words[1:], stdin, out, err, record, self._stopped)
        try:
            return command(call)
        except CommandFailed as failure:
            call.complain(str(failure))
            return failure.exit_status
        except EyehandError as error:
            call.complain(f"Error: the simulated phone failed: {error}")
            return 1

    def _store(self, redirect: Redirect, path: str, buffer: Buffer) -> int:
        if absolute(path) == "/dev/null":
            return 0
        files = self._system.files
        if files.write(path, bytes(buffer.content), append=redirect.append):
            return 0
        self._stderr.write(f"/system/bin/sh: can't create {path}\n".encode())
        return 1

    def _expand(self, word: Word) -> list[str]:
        """Put in variables and matching paths; an unquoted word that comes out empty is none."""
        texts = [(self._value(part), part.quoted) for part in word]
        text = "".join(piece for piece, _ in texts)
        if any(set(piece) & set(PATTERN_CHARACTERS) for piece, quoted in texts if not quoted):
            pattern = "".join(_literal(piece) if quoted else piece for piece, quoted in texts)
            return self._system.files.matching(pattern) or [text]
        return [text] if text or any(quoted for _, quoted in texts) else []

    def _value(self, part: WordPart) -> str:
        if not part.variable:
            return part.text
        return str(self._status) if part.text == "?" else VARIABLES.get(part.text, "")


def _literal(text: str) -> str:
    return "".join(f"[{c}]" if c in PATTERN_CHARACTERS else c for c in text)
