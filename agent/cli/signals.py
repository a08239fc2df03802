"""Signals that ask a command to end: all of them end it as Ctrl-C does."""

import signal
import threading
import time
from types import FrameType

_ONE_REQUEST_S = 2.0
"""Whoever stops a service often sends several; together they are one request."""


def end_as_by_ctrl_c() -> None:
    """Let SIGTERM and SIGHUP raise `KeyboardInterrupt`, from here to the process's end.

    What is ignored stays ignored: `nohup` means it.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _Stop())


class _Stop:
    """Raises once for signals that come together, so that cleaning up is not broken off."""

    _last_s = -_ONE_REQUEST_S

    def __call__(self, number: int, frame: FrameType | None) -> None:
        last_s, _Stop._last_s = _Stop._last_s, time.monotonic()
        if _Stop._last_s - last_s >= _ONE_REQUEST_S:
            raise KeyboardInterrupt
