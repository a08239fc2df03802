"""Standard output is for the result: whatever else is printed meanwhile goes to standard error."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TextIO

_result: TextIO | None = None


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
    _result = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    os.dup2(2, 1)
    try:
        yield
    finally:
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
