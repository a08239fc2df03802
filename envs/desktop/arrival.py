"""Finding out that a program has read its keys: the ping of window managers.

A window that lists `_NET_WM_PING` among its protocols answers a ping when it comes to it in its
queue of events (Extended Window Manager Hints, "_NET_WM_PING"). The queue is in order, so the
answer says that every key press before the ping was read too.
"""

import select
import time
from itertools import count
from typing import Any

from eyehand.envs.desktop.xlib import X, x_error, x_event

MAX_DEPTH = 12
_numbers = count(1)


class ArrivalCheck:
    """Asks the window that has the keyboard whether it has read what was sent.

    Args:
        connection: An X connection whose events nobody else reads.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._root = connection.screen().root
        self._protocols = connection.intern_atom("WM_PROTOCOLS")
        self._ping = connection.intern_atom("_NET_WM_PING")

    def wait(self, timeout_s: float) -> bool | None:
        """Ping the window and wait for its answer.

        Args:
            timeout_s: Longest wait.

        Returns:
            True where it answered, False where it did not in time, None where the window cannot be
            asked (it does not know the protocol, or is gone).
        """
        window = self._pingable()
        if window is None:
            return None
        number = next(_numbers)
        self._root.change_attributes(event_mask=X.SubstructureNotifyMask)
        try:
            message = x_event.ClientMessage(
                window=window,
                client_type=self._protocols,
                data=(32, [self._ping, number, window.id, 0, 0]),
            )
            window.send_event(message, event_mask=X.NoEventMask)
            self._connection.flush()
            return self._answered(number, time.perf_counter() + timeout_s)
        finally:
            self._root.change_attributes(event_mask=X.NoEventMask)
            self._connection.sync()
            self._drop_events()

    def _answered(self, number: int, deadline_s: float) -> bool:
        while True:
            while self._connection.pending_events():
                if self._is_answer(self._connection.next_event(), number):
                    return True
            left_s = deadline_s - time.perf_counter()
            if left_s <= 0:
                return False
            select.select([self._connection.fileno()], [], [], left_s)

    def _is_answer(self, event: Any, number: int) -> bool:
        if event.type != X.ClientMessage or event.client_type != self._protocols:
            return False
        return tuple(event.data[1][:2]) == (self._ping, number)

    def _pingable(self) -> Any:
        """Return the window that has the keyboard, or its ancestor, that answers pings."""
        focus = self._connection.get_input_focus().focus
        try:
            if isinstance(focus, int):  # PointerRoot: keys go to the window under the pointer
                return self._below(self._root)
            return self._above(focus)
        except x_error.XError:  # the window was closed meanwhile
            return None

    def _above(self, window: Any) -> Any:
        for _ in range(MAX_DEPTH):
            if self._answers(window):
                return window
            window = window.query_tree().parent
            if isinstance(window, int) or window == self._root:
                return None
        return None

    def _below(self, window: Any) -> Any:
        for _ in range(MAX_DEPTH):
            window = window.query_pointer().child
            if isinstance(window, int):
                return None
            if self._answers(window):
                return window
        return None

    def _answers(self, window: Any) -> bool:
        listed = window.get_full_property(self._protocols, X.AnyPropertyType)
        return listed is not None and self._ping in listed.value

    def _drop_events(self) -> None:
        """Empty the queue, which nobody else reads."""
        while self._connection.pending_events():
            self._connection.next_event()
