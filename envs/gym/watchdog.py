"""A watchdog for calls into third-party code that never return.

Two stages. In a main thread a timer's signal breaks the call off, also where it sleeps, waits or
loops in Python. In a worker's process, where `end_process_when_stuck` was called, a timer that
needs no interpreter ends the process a little later: the call is then stuck in compiled code, and
whoever waits for the worker hears of its loss.
"""

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

GRACE_S = 5.0
"""What a call that is under way when the time limit comes gets on top; at least that, always."""

AGAIN_S = 1.0
"""Code that swallows the first exception is met by another one after so long."""

_ends_process = False


class Overdue(BaseException):
    """A call did not return in time. No `Exception`, so that the code around it lets it pass."""


def end_process_when_stuck() -> None:
    """Let the second stage end this process; for processes that somebody watches over."""
    global _ends_process
    _ends_process = True


@contextmanager
def watched(deadline_s: float | None) -> Iterator[None]:
    """Break off what happens inside, `GRACE_S` after a deadline and never sooner than `GRACE_S`.

    Args:
        deadline_s: On the clock of `time.monotonic`; None watches nothing.

    Raises:
        Overdue: it was broken off.
    """
    if deadline_s is None:
        yield
        return
    left_s = max(0.0, deadline_s - time.monotonic()) + GRACE_S
    with _process_ends_after(left_s + GRACE_S), _interrupted_after(left_s):
        yield


@contextmanager
def _interrupted_after(seconds: float) -> Iterator[None]:
    """Raise `Overdue` inside; only a main thread hears signals, elsewhere nothing is raised."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    began_s = time.monotonic()
    handler = signal.signal(signal.SIGALRM, _break_off)
    theirs_s, interval_s = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_S)
    try:
        yield
    finally:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            signal.signal(signal.SIGALRM, handler)
            if theirs_s:  # somebody else's timer goes on, as if it had never been away
                rest_s = max(theirs_s - (time.monotonic() - began_s), 1e-6)
                signal.setitimer(signal.ITIMER_REAL, rest_s, interval_s)


def _break_off(number: int, frame: FrameType | None) -> Any:
    raise Overdue


@contextmanager
def _process_ends_after(seconds: float) -> Iterator[None]:
    if not _ends_process:
        yield
        return
    with open(os.devnull, "w") as nowhere:  # it would write every thread's stack
        faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
