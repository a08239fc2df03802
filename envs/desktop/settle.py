"""Waiting until the screen has settled: by comparing captures, bounded, without a fixed sleep."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from eyehand.envs.env import Pixels

CAPTURE_INTERVAL_S = 0.03


@dataclass(frozen=True)
class SettleLimits:
    """How long to watch the screen after an action.

    Attributes:
        bound_s: Longest wait for a screen that keeps changing.
        quiet_s: A screen that changed and then stays the same for this long has settled. Shorter
            than half the period of a blinking caret (0.5 s in most toolkits).
        reaction_s: How long a screen that has not changed at all may take to begin.
        restless_s: The bound where the screen did not settle the last time (a film, a clock).
    """

    bound_s: float = 2.0
    quiet_s: float = 0.2
    reaction_s: float = 0.5
    restless_s: float = 0.6

    def without_reaction(self) -> "SettleLimits":
        """Return limits that do not wait longer for a screen that has not changed at all."""
        return replace(self, reaction_s=self.quiet_s)


@dataclass(frozen=True, eq=False)
class DesktopSettled:
    """The screen after an action.

    Attributes:
        pixels: The last capture, RGB uint8 (H, W, 3).
        quiet: Whether the screen had settled when the wait ended.
        seconds: How long the wait took.
    """

    pixels: Pixels
    quiet: bool
    seconds: float


def settle(
    capture: Callable[[], Pixels],
    pause: Callable[[float], None],
    before: Pixels,
    limits: SettleLimits,
    restless: bool = False,
) -> DesktopSettled:
    """Capture until the screen stays the same, up to a bound.

    Args:
        capture: Captures the screen; RGB uint8 (H, W, 3).
        pause: Waits for some seconds; it may raise to end the wait.
        before: The screen before the action.
        limits: The bounds.
        restless: Whether the screen did not settle the last time.
    """
    began_s = same_since_s = time.perf_counter()
    bound_s = min(limits.restless_s, limits.bound_s) if restless else limits.bound_s
    last, changed = before, False
    while True:
        shown = capture()
        now_s = time.perf_counter()
        if not np.array_equal(shown, last):
            last, changed, same_since_s = shown, True, now_s
        patience_s = limits.quiet_s if changed else limits.reaction_s
        quiet = now_s - same_since_s >= patience_s
        if quiet or now_s - began_s >= bound_s:
            return DesktopSettled(shown, quiet, now_s - began_s)
        pause(CAPTURE_INTERVAL_S)


def changed_share(before: Pixels, after: Pixels) -> float:
    """Return the share of pixels that differ, 0 to 1; 1 where the sizes do."""
    if before.shape != after.shape:
        return 1.0
    return float(np.any(before != after, axis=2).mean())
