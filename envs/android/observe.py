"""Looking: captures until the screen has settled, and a typed outcome for what came of it."""

import time
from dataclasses import dataclass, field

import numpy as np

from eyehand.envs.android.capture import CaptureOutcome, Frame, ScreenCapture, is_black
from eyehand.envs.android.display import Displays, DisplayState
from eyehand.envs.android.link import DeviceLink
from eyehand.envs.android.windows import asleep, forbids_capture
from eyehand.envs.env import Pixels
from eyehand.errors import CaptureFailed

QUIET_SHARE = 0.0005
"""Two captures that differ in so few pixels are equal: a caret that blinks, a clock's minute."""
NO_CHANGE_PATIENCE_S = 0.3
"""How long an action may take to show its first effect."""
RESTLESS_LIMIT_S = 0.5
"""How long to wait for a screen that did not become quiet the last time."""
RESTLESS_CHANGES = 3
"""How often in a row a capture must differ from the one before until a screen is called restless.
On a phone that captures slowly, the first difference is the action's own effect."""
TRIES = 2
_BLACK_SHARE = 0.8
_BLACK_STRIDE = 4
PLACEHOLDER_GREY = 128

SECURE_TEXT = (
    "Secure screen: this app forbids captures, so nothing can be seen and no point can be "
    "touched; the grey area is no picture of it. Press back or home, or open another app."
)
OFF_TEXT = "The phone's screen is off: press wake_up."
BLACK_TEXT = (
    "The capture is entirely black although no app forbids captures: the phone may show black, "
    "or its capture may have failed."
)
RESTLESS_TEXT = "The screen keeps changing by itself."


@dataclass
class Look:
    """What was seen.

    Attributes:
        frame: What the phone sent.
        pixels: What the model gets, RGB uint8 (H, W, 3); grey for a secure screen.
        state: The display that it shows.
        outcome: CAPTURED, SECURE_SCREEN or BLACK; the others are raised.
        text: What the model must know beside the pixels.
        timings_s: Seconds by part: "settle" and "capture".
    """

    frame: Frame
    pixels: Pixels
    state: DisplayState
    outcome: CaptureOutcome
    text: str = ""
    timings_s: dict[str, float] = field(default_factory=dict)


class ScreenObserver:
    """Looks at one display of a device.

    Args:
        link: The device.
        displays: Tells the display's state.
        settle_timeout_s: How long to wait for a screen that changes.
    """

    def __init__(self, link: DeviceLink, displays: Displays, settle_timeout_s: float) -> None:
        self._link = link
        self._displays = displays
        self._settle_timeout_s = settle_timeout_s
        self._restless = False
        self.camera = ScreenCapture(link)

    def look(self, before: Frame | None, began_s: float) -> Look:
        """Capture until two captures in a row are equal, at most `settle_timeout_s`.

        On a slow phone it takes longer: as many captures as it needs to tell an effect from a
        screen that keeps changing. With a limit of 0 s it is one capture.

        Args:
            before: The frame before the action; None where there was none.
            began_s: `time.perf_counter()` when the action was performed.

        Raises:
            CaptureFailed: the captures fail, or show another display.
            DeviceTimeout: the device gave no answer.
            DeviceDisconnected: it is gone.
        """
        settling_s = time.perf_counter()
        limit_s = min(self._settle_timeout_s, RESTLESS_LIMIT_S if self._restless else np.inf)
        last: tuple[Frame, DisplayState] | None = None
        changes = 0
        while True:
            capturing_s = time.perf_counter()
            frame, state = self.capture()
            now_s = time.perf_counter()
            quiet = last is not None and last[1].screen == state.screen and _equal(last[0], frame)
            changes = 0 if quiet or last is None else changes + 1
            late = now_s - began_s >= NO_CHANGE_PATIENCE_S
            if quiet and (late or not frame.same(before)):
                break
            told = quiet or changes >= RESTLESS_CHANGES or not self._settle_timeout_s
            if told and now_s - settling_s >= limit_s:
                break
            last = frame, state
        self._restless = changes >= RESTLESS_CHANGES
        look = self._judged(frame, state)
        if self._restless:
            look.text = " ".join(filter(None, (look.text, RESTLESS_TEXT)))
        ended_s = time.perf_counter()
        look.timings_s = {"settle": capturing_s - settling_s, "capture": ended_s - capturing_s}
        return look

    def capture(self) -> tuple[Frame, DisplayState]:
        """Capture once, and once more where that failed.

        Raises:
            CaptureFailed: both failed, or show another display; the message says which.
        """
        outcome, why = CaptureOutcome.FAILED, ""
        for _ in range(TRIES):
            state = self._displays.look()
            frame = self.camera.capture(state.physical_id)
            if frame.failure:
                outcome, why = CaptureOutcome.FAILED, frame.failure
            elif not state.shows(frame.size):
                outcome = CaptureOutcome.WRONG_DISPLAY
                why = (
                    f"a capture of {frame.width_px}x{frame.height_px} is not one of {state.screen}"
                )
            else:
                return frame, state
        raise CaptureFailed(f"{outcome.value}, {TRIES} times: {why}")

    def _judged(self, frame: Frame, state: DisplayState) -> Look:
        """Decode a frame and say what it is."""
        pixels = frame.pixels()
        if not _mostly_black(pixels):
            return Look(frame, pixels, state, CaptureOutcome.CAPTURED)
        if forbids_capture(self._link):
            pixels = np.full_like(pixels, PLACEHOLDER_GREY)
            return Look(frame, pixels, state, CaptureOutcome.SECURE_SCREEN, SECURE_TEXT)
        if not is_black(pixels):
            return Look(frame, pixels, state, CaptureOutcome.CAPTURED)
        text = OFF_TEXT if asleep(self._link) else BLACK_TEXT
        return Look(frame, pixels, state, CaptureOutcome.BLACK, text)


def _mostly_black(pixels: Pixels) -> bool:
    """Return whether most of a screen is black: a secure window leaves the status bar."""
    sampled = pixels[::_BLACK_STRIDE, ::_BLACK_STRIDE]
    return float(np.mean(~sampled.any(axis=2))) >= _BLACK_SHARE


def _equal(one: Frame, other: Frame) -> bool:
    return one.same(other) or one.changed_share(other) <= QUIET_SHARE
