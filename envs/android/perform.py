"""Actions become commands of the device: one small function for each action of the vocabulary."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eyehand.actions import Action, Point, android
from eyehand.envs.android.apps import App, Apps
from eyehand.envs.android.display import DisplayState
from eyehand.envs.android.link import DeviceLink, ShellResult
from eyehand.envs.android.text import DeviceKeyboard
from eyehand.envs.android.windows import keyboard_top
from eyehand.envs.common import performer_of
from eyehand.envs.env import ScreenGeometry
from eyehand.errors import ActionHadNoEffect, OutOfRange

SWIPE_MS = 300
SCROLL_MS = 500
LONG_PRESS_MS = 800
"""Android takes 400 to 500 ms for a long press; people can set it to 1500."""
DRAG_MS = 1000
MARGIN_SHARE = 0.05
"""Gestures keep off the screen's edges, where a phone reads them as its own."""
LONGEST_STROKE_SHARE = 0.6
MOST_DELETED = 100
SECONDS_PER_KEY = 0.2


@dataclass
class DeviceActionContext:
    """Where an action takes place, and what it says about itself.

    Attributes:
        link: The device.
        state: Its display.
        geometry: How the screen that the model saw lies on the display.
        keyboard: Types.
        apps: Starts apps.
        effect: What the action did, for the record.
        feedback: What the next screen does not show, for the model.
        failed: Whether the action was performed and could not do what it says.
        acted: Whether anything may have been performed yet.
        opened: The app that must come to the front.
    """

    link: DeviceLink
    state: DisplayState
    geometry: ScreenGeometry
    keyboard: DeviceKeyboard
    apps: Apps
    effect: str = ""
    feedback: str = ""
    failed: bool = False
    acted: bool = False
    opened: App | None = None

    def place(self, point: Point) -> tuple[int, int]:
        """Return the touch pixel that a point lies on.

        Raises:
            StaleScreen: the point was read from another screen.
            OutOfRange: it lies outside, or on a black bar beside the display.
        """
        x, y = self.geometry.to_device(point)
        if not self.state.covers(x, y):
            raise OutOfRange(
                f"({point.x:.3f}, {point.y:.3f}) lies on a black bar beside the phone's display"
            )
        return int(x), int(y)

    def input(self, *commands: tuple[object, ...], timeout_s: float | None = None) -> ShellResult:
        """Run `input` commands on the display, one after another in one call.

        Raises:
            ActionHadNoEffect: the device refuses.
            DeviceTimeout: no answer in time.
            DeviceDisconnected: the device went away.
        """
        number = self.state.display_id
        display = ("-d", str(number)) if number else ()
        lines = [("input", *display, *map(str, command)) for command in commands]
        result = self.link.act(*lines, timeout_s=timeout_s)
        self.acted = True
        if result.exit_code or "Exception" in result.stderr:
            raise ActionHadNoEffect(f"the phone refused: {result.said[:200] or result.exit_code}")
        return result


def perform(action: Action, context: DeviceActionContext) -> None:
    """Perform an action of the phone's vocabulary; `context` then says what became of it.

    Raises:
        ModelFeedback: the action was refused; nothing changed.
        EnvironmentFault: the device failed; `context.acted` and the exception tell when.
        UsageError: nobody performs this type of action.
    """
    performer_of(_PERFORMERS, action)(action, context)


def strokes(start: int, extent: int, distance: int, limit: int) -> list[tuple[int, int]]:
    """Cut a movement along one axis into strokes of a finger that stay on the screen.

    Args:
        start: Where the finger goes down, in pixels.
        extent: Length of the axis in pixels.
        distance: How far to move in all; negative towards 0.
        limit: Strokes end before this pixel: the screen's end, or the keyboard's edge.

    Returns:
        (from, to) for every stroke.
    """
    margin = round(extent * MARGIN_SHARE)
    low, high = margin, max(limit - margin, margin + 1)
    start = min(max(start, low), high)
    longest = round(extent * LONGEST_STROKE_SHARE)
    room = start - low if distance < 0 else high - start
    if room < min(abs(distance), longest) / 4:
        # Too near the edge to move: begin as far back as a useful stroke needs.
        wanted = min(abs(distance), (high - low) // 2)
        start = min(low + wanted, high) if distance < 0 else max(high - wanted, low)
        room = start - low if distance < 0 else high - start
    stroke = max(min(room, longest), 1)
    made, left = [], abs(distance)
    while left > 0:
        length = min(stroke, left)
        made.append((start, start - length if distance < 0 else start + length))
        left -= length
    return made


def _tap(action: android.Tap, context: DeviceActionContext) -> None:
    x, y = context.place(action.point)
    context.effect = f"tapped ({x}, {y})"
    context.input(("tap", x, y))


def _double_tap(action: android.DoubleTap, context: DeviceActionContext) -> None:
    x, y = context.place(action.point)
    context.effect = f"tapped ({x}, {y}) twice"
    # In one call: two calls would be too far apart for a double tap.
    context.input(("tap", x, y), ("tap", x, y))


def _long_press(action: android.LongPress, context: DeviceActionContext) -> None:
    x, y = context.place(action.point)
    context.effect = f"pressed ({x}, {y}) for {LONG_PRESS_MS} ms"
    context.input(("swipe", x, y, x, y, LONG_PRESS_MS))


def _swipe(action: android.Swipe, context: DeviceActionContext) -> None:
    start, end = context.place(action.start), context.place(action.end)
    context.effect = f"swiped from {start} to {end}"
    context.input(("swipe", *start, *end, SWIPE_MS))


def _drag(action: android.Drag, context: DeviceActionContext) -> None:
    start, end = context.place(action.start), context.place(action.end)
    context.effect = f"dragged from {start} to {end}"
    context.input(("draganddrop", *start, *end, DRAG_MS))


def _type_text(action: android.TypeText, context: DeviceActionContext) -> None:
    context.keyboard.check(action.text)
    _focus(action.point, context)
    context.effect += f"typed {action.text[:60]!r}"
    try:
        context.keyboard.type(action.text)
    finally:
        context.acted = context.acted or context.keyboard.typed > 0
    context.feedback = context.keyboard.extra.left


def _replace_text(action: android.ReplaceText, context: DeviceActionContext) -> None:
    if action.text:
        context.keyboard.check(action.text)
    _focus(action.point, context)
    tapped, context.effect = context.effect, "cleared the field"
    _clear_field(context)
    if action.text:
        context.effect = ""
        _type_text(android.TypeText(text=action.text), context)
        context.effect = f"replaced the field's text: {context.effect}"
    context.effect = tapped + context.effect


def _focus(point: Point | None, context: DeviceActionContext) -> None:
    """Tap a field, where it is named, so that it has the focus."""
    if point is not None:
        _tap(android.Tap(point=point), context)
        context.effect += ", then "


def _clear_field(context: DeviceActionContext) -> None:
    """Delete what the focused field holds, on both sides of the caret."""
    try:
        context.input(("keycombination", "KEYCODE_CTRL_LEFT", "KEYCODE_A"))
    except ActionHadNoEffect:
        # Android before 12 presses one key at a time.
        keys = ("KEYCODE_DEL", "KEYCODE_FORWARD_DEL")
        deleted = [key for key in keys for _ in range(MOST_DELETED)]
        seconds = context.link.call_timeout_s + len(deleted) * SECONDS_PER_KEY
        context.input(("keyevent", *deleted), timeout_s=seconds)
        context.effect = f"deleted up to {MOST_DELETED} characters on each side of the caret"
    else:
        context.input(("keyevent", "KEYCODE_DEL"))


def _press(action: android.Press, context: DeviceActionContext) -> None:
    context.effect = f"pressed {action.key}"
    context.input(("keyevent", android.KEY_CODES[action.key]))


def _open_app(action: android.OpenApp, context: DeviceActionContext) -> None:
    app = context.apps.find(action.app)
    context.effect = f"opened {app.package}"
    context.apps.start(app)
    context.acted = True
    context.opened = app


def _scroll(action: android.Scroll, context: DeviceActionContext) -> None:
    """Move the content with a finger: against the direction in which to look."""
    width, height = context.state.logical
    sideways = action.direction in ("left", "right")
    extent = width if sideways else height
    top = keyboard_top(context.link, height)
    usable_height = height if top is None else top
    limit = width if sideways else usable_height
    sign = 1 if action.direction in ("up", "left") else -1
    distance = sign * round(limit * action.amount / 10)
    if action.point is not None:
        x, y = context.place(action.point)
    else:
        # The finger goes down where it has room to move.
        share = 0.3 if sign > 0 else 0.7
        x = round(width * (share if sideways else 0.5))
        y = round(usable_height * (0.5 if sideways else share))
    made = strokes(x if sideways else y, extent, distance, limit)
    lines = [
        ("swipe", a, y, b, y, SCROLL_MS) if sideways else ("swipe", x, a, x, b, SCROLL_MS)
        for a, b in made
    ]
    context.effect = f"scrolled {action.direction} by {abs(distance)} px in {len(made)} strokes"
    seconds = len(made) * SCROLL_MS / 1000
    context.input(*lines, timeout_s=context.link.call_timeout_s + seconds)


def _wait(action: android.Wait, context: DeviceActionContext) -> None:
    time.sleep(action.seconds)
    context.effect = f"waited {action.seconds:.1f} s"


_PERFORMERS: dict[type[Action], Callable[[Any, DeviceActionContext], None]] = {
    android.Tap: _tap,
    android.DoubleTap: _double_tap,
    android.LongPress: _long_press,
    android.Swipe: _swipe,
    android.Drag: _drag,
    android.TypeText: _type_text,
    android.ReplaceText: _replace_text,
    android.Press: _press,
    android.OpenApp: _open_app,
    android.Scroll: _scroll,
    android.Wait: _wait,
}
