"""The mouse, through XTEST: every press has its release, whatever happens between."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from eyehand.envs.desktop.xlib import X, xtest

LEFT, RIGHT = 1, 3
_WHEEL = {"up": 4, "down": 5, "left": 6, "right": 7}
"""X11's buttons of the wheel; a press is one notch."""

CLICK_GAP_MS = 15
"""Programs take presses with the same time stamp for one."""

DRAG_STEPS = 16
DRAG_STEP_S = 0.012
"""A hand needs about 0.2 s; programs that poll the pointer see the way, not only its end."""


class Pointer:
    """Moves and presses the mouse.

    Args:
        connection: An X connection.
        pause: Waits for some seconds; it may raise to end an action.
    """

    def __init__(self, connection: Any, pause: Callable[[float], None]) -> None:
        self._connection = connection
        self._pause = pause

    def move(self, x: int, y: int) -> None:
        """Move to a pixel of the root window."""
        xtest.fake_input(self._connection, X.MotionNotify, 0, X.CurrentTime, x=x, y=y)
        self._connection.sync()

    def click(self, x: int, y: int, button: int = LEFT, count: int = 1) -> None:
        """Click a pixel, `count` times in quick succession.

        The server gets all presses and releases in one go and waits between them itself: were
        each one sent by itself, a busy machine could turn a double click into two clicks.
        """
        self.move(x, y)
        for _ in range(count):
            xtest.fake_input(self._connection, X.ButtonPress, button, time=CLICK_GAP_MS)
            xtest.fake_input(self._connection, X.ButtonRelease, button, time=CLICK_GAP_MS)
        self._connection.sync()

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Press at one pixel, move in steps, release at the other."""
        self.move(*start)
        with self._held(LEFT):
            for step in range(1, DRAG_STEPS + 1):
                share = step / DRAG_STEPS
                x, y = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
                self.move(x, y)
                self._pause(DRAG_STEP_S)

    def scroll(self, x: int, y: int, direction: str, notches: int) -> None:
        """Turn the wheel over a pixel.

        Args:
            x: Column of the root window.
            y: Row of the root window.
            direction: "up", "down", "left" or "right": where to look next.
            notches: How far.
        """
        self.move(x, y)
        for _ in range(notches):
            with self._held(_WHEEL[direction]):
                pass

    @contextmanager
    def _held(self, button: int) -> Iterator[None]:
        try:
            xtest.fake_input(self._connection, X.ButtonPress, button)
            self._connection.sync()
            yield
        finally:
            xtest.fake_input(self._connection, X.ButtonRelease, button)
            self._connection.sync()
