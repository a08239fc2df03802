"""The interrupt that the stop key sends: as Ctrl-C does, once, but so that it cannot be missed.

A signal that comes between the main thread's last look at signals and its system call is noted, but
does not cut the call (a sleep, a read) short. So it is sent again until its handler has run. Never
after that: a second interrupt would break off the clean-up.
"""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

AGAIN_S = 0.1


class Interrupt:
    """Interrupts the main thread as Ctrl-C does, until that is taken or no longer wanted.

    Made on the main thread it stands in front of SIGINT's handler until it is closed. Where SIGINT
    is ignored (a script's background process), the interrupt raises KeyboardInterrupt by itself,
    and Ctrl-C stays ignored. Where it ends the process at once, there is nothing to stand in front
    of. Made elsewhere, it changes nothing.
    """

    def __init__(self) -> None:
        self._sending = threading.RLock()  # reentrant: a signal may come while one is being taken
        self._wanted = False
        self._absorbing = False
        self.over = False  # taken or called off; no Event, for a handler must not wait for its lock
        self.before: Any = in_use(signal.getsignal(signal.SIGINT))
        on_main_thread = threading.current_thread() is threading.main_thread()
        if on_main_thread and self.before not in (None, signal.SIG_DFL):
            signal.signal(signal.SIGINT, self)

    def send(self, lock: threading.Lock, interruptible: Callable[[], bool]) -> None:
        """Interrupt the main thread; returns once that is over. Called on another thread.

        Args:
            lock: Held while `interruptible` is asked and the signal is sent.
            interruptible: Whether the main thread may be interrupted right now.
        """
        self._wanted = True
        while not self.over:
            with lock, self._sending:
                if not self.over and interruptible():
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                    if not self._is_heard():  # nobody will tell whether it was taken
                        self.over = True
            time.sleep(AGAIN_S)

    def call_off(self) -> None:
        """Send no more; what is on its way is dropped."""
        with self._sending:
            if self._wanted and not self.over:
                self._take()
            self.over = True

    def close(self) -> None:
        """Call it off and restore the handler of before; one that was set since stays."""
        self.call_off()
        handler: Any = signal.getsignal(signal.SIGINT)
        if handler is self and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, in_use(self.before))

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle SIGINT, whoever sent it, as it was handled before."""
        with self._sending:
            if self._absorbing:
                return
            ours = self._wanted and not self.over
            if ours:
                self._take()
        if callable(self.before):
            self.before(number, frame)
        elif ours:
            raise KeyboardInterrupt

    def _take(self) -> None:
        """Send no more; what was sent again meanwhile arrives here and is dropped."""
        self._absorbing = True
        try:
            self.over = True
            signal.sigpending()  # signals are delivered when a system call returns
        finally:
            self._absorbing = False

    def _is_heard(self) -> bool:
        """Return whether SIGINT comes here, at once or through interrupts that were made later."""
        handler: Any = signal.getsignal(signal.SIGINT)
        while isinstance(handler, Interrupt):
            if handler is self:
                return True
            handler = handler.before
        return False


def in_use(handler: Any) -> Any:
    """Return a handler of SIGINT, or the one behind it where that one has no use any more."""
    while isinstance(handler, Interrupt) and handler.over:
        handler = handler.before
    return handler
