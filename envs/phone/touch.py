"""Fingers on the simulated phone: the gestures sent to the page, and the touches it saw."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

STEP_MS = 40
STEPS = (3, 12)
HOLD_MS = 600  # longer than the page's 500 ms for a long press
TAP_MS = 40


@dataclass(frozen=True)
class Touch:
    """One gesture as the page's own listeners saw it, in device pixels.

    Attributes:
        x: Where the finger came down.
        y: Where the finger came down.
        kind: "tap", "long_press", "swipe" or "drag" (held first, then moved).
        end_x: Where it left.
        end_y: Where it left.
        milliseconds: How long it was down.
    """

    x: float
    y: float
    kind: str
    end_x: float
    end_y: float
    milliseconds: int


@dataclass(frozen=True)
class TouchGesture:
    """A finger that comes down at (x1, y1), moves straight to (x2, y2) and leaves.

    The time that it takes is told to the page in the events' own time stamps and not waited
    for: a long press is as quick as a tap.

    Attributes:
        x1: Device pixels, as are the other three.
        y1: See `x1`.
        x2: See `x1`.
        y2: See `x1`.
        duration_ms: From the first touch to the end.
        held: The finger stays at its start for a long press's time before it moves.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    duration_ms: int = TAP_MS
    held: bool = False

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield the arguments of Chromium's `Input.dispatchTouchEvent`, in order."""
        now_s = time.time()
        hold_s = HOLD_MS / 1000 if self.held else 0.0
        yield _event("touchStart", self.x1, self.y1, now_s)
        if self.held:  # a pixel aside, since a move to the same place is no event
            aside = self.x1 + (1 if self.x1 < 1 else -1)
            yield _event("touchMove", aside, self.y1, now_s + hold_s)
        for share in self._shares():
            x = self.x1 + (self.x2 - self.x1) * share
            y = self.y1 + (self.y2 - self.y1) * share
            yield _event("touchMove", x, y, now_s + hold_s + share * self.duration_ms / 1000)
        end_s = now_s + hold_s + self.duration_ms / 1000
        yield {"type": "touchEnd", "touchPoints": [], "timestamp": end_s}

    def _shares(self) -> list[float]:
        if (self.x1, self.y1) == (self.x2, self.y2):
            return []
        steps = max(STEPS[0], min(STEPS[1], self.duration_ms // STEP_MS))
        return [step / steps for step in range(1, steps + 1)]


def _event(kind: str, x: float, y: float, time_s: float) -> dict[str, Any]:
    return {"type": kind, "touchPoints": [{"x": x, "y": y}], "timestamp": time_s}
