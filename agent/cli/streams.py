"""Standard output is for the result: whatever else is printed meanwhile goes to standard error.

A result that cannot be written is said once, on standard error, which itself may be gone: its
terminal was closed, or it never was open.
"""

import ctypes
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, TextIO

from eyehand.errors import EnvironmentFault

_result: TextIO | None = None


class ReaderGone(Exception):
    """Who reads the result has enough of it, as `head` does.

    No `BrokenPipeError`: libraries that print would end the process in their own ways.
    """


class _Result(io.FileIO):
    """Standard output; the first time that it cannot be written is raised, the rest is lost."""

    lost = False

    def write(self, data: Any) -> int:
        """Write, or raise what tells a reader that went away from a full disk."""
        try:
            return super().write(data) if not self.lost else len(data)
        except BrokenPipeError as error:
            self.lost = True
            raise ReaderGone from error
        except OSError as error:
            self.lost = True
            raise EnvironmentFault(
                f"the result cannot be written to standard output ({error.strerror})"
            ) from error


class _Notes(io.FileIO):
    """Standard error: what cannot be said is left out."""

    def write(self, data: Any) -> int:
        """Write, or let it be."""
        try:
            return super().write(data)
        except OSError:
            return len(data)


def guard_standard_streams() -> None:
    """Let the process's own streams fail in one way only, also where they are closed."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # the next file that is opened would be taken for it
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = _text(_Result(1, "w", closefd=False), _encoding(sys.stdout))
    sys.stderr = _text(_Notes(2, "w", closefd=False), _encoding(sys.stderr))


@contextmanager
def result_flushed() -> Iterator[None]:
    """Write the last of a result, also of `--help`: at the process's end nobody could say more.

    Raises:
        ReaderGone: nobody reads it.
        EnvironmentFault: it cannot be written.
    """
    try:
        yield
    except SystemExit:
        sys.stdout.flush()
        raise
    sys.stdout.flush()


def _encoding(stream: TextIO | None) -> str:
    return "utf-8" if stream is None else stream.encoding


def _text(stream: io.FileIO, encoding: str = "utf-8") -> TextIO:
    """A text stream that takes any text whatever the locale, line by line on a terminal."""
    return io.TextIOWrapper(
        io.BufferedWriter(stream),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=stream.isatty(),
    )


def result_stream() -> TextIO:
    """Return where a command's result is written."""
    return _result or sys.stdout


@contextmanager
def only_the_result() -> Iterator[None]:
    """Keep standard output for `result_stream` while third-party code runs.

    Python's prints, what compiled code writes, and child processes all go to standard error.
    """
    global _result
    outer, _result = _result, sys.stdout
    sys.stdout.flush()
    try:
        with _descriptor_kept(), redirect_stdout(sys.stderr):
            yield
    finally:
        _result = outer


def end_of_result() -> None:
    """Send what third-party code prints while the program ends to standard error too."""
    sys.stdout.flush()
    if _is_descriptor_1(sys.stdout):
        os.dup2(2, 1)


@contextmanager
def _descriptor_kept() -> Iterator[None]:
    """Let descriptor 1 be standard error; the result goes through a copy of what it was."""
    global _result
    if not _is_descriptor_1(sys.stdout):
        yield
        return
    theirs = os.dup(1)
    _result = _text(_Result(os.dup(1), "w"))
    os.dup2(2, 1)
    try:
        yield
        _result.flush()
    finally:
        with suppress(OSError, EnvironmentFault):  # it was raised when it was written
            _result.close()
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).fflush(None)  # what compiled code has printed and still holds back
        os.dup2(theirs, 1)
        os.close(theirs)


def _is_descriptor_1(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 1
    except (OSError, ValueError):  # a stream of a test, or of a notebook
        return False
