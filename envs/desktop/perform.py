"""Actions become mouse and keyboard: one small function for each action of the vocabulary."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eyehand.actions import Action, Point, web
from eyehand.envs.common import performer_of
from eyehand.envs.desktop.keyboard import Keyboard
from eyehand.envs.desktop.pointer import RIGHT, Pointer
from eyehand.envs.env import ScreenGeometry

PIXELS_PER_NOTCH = 120
"""How far a notch of the wheel scrolls in Chromium 156 on X11 (measured); GTK and Qt go 50 to 100.

Where a program goes less far, the model sees less than it asked for, and never skips anything.
"""


@dataclass
class Hands:
    """What an action works with, and what becomes of it.

    Attributes:
        geometry: The screen that the action's points are read from.
        pointer: The mouse.
        keyboard: The keyboard.
        pause: Waits for some seconds; it may raise to end the action.
        effect: What was performed, in words.
        hints: What the policy should know beside the effect.
    """

    geometry: ScreenGeometry
    pointer: Pointer
    keyboard: Keyboard
    pause: Callable[[float], None]
    effect: str = ""
    hints: list[str] = field(default_factory=list)

    def pixel(self, point: Point) -> tuple[int, int]:
        """Turn a point into a pixel of the root window.

        Raises:
            StaleScreen: the point belongs to another screen.
            OutOfRange: the point is outside.
        """
        x, y = self.geometry.to_device(point)
        return int(x), int(y)


def perform(action: Action, hands: Hands) -> None:
    """Perform an action; `hands` then says what was performed.

    Raises:
        ModelFeedback: the action was refused; nothing was touched.
        UsageError: nobody performs this type of action.
    """
    performer_of(_PERFORMERS, action)(action, hands)


def _click(action: web.Click, hands: Hands) -> None:
    x, y = hands.pixel(action.point)
    hands.pointer.click(x, y)
    hands.effect = f"clicked ({x}, {y})"


def _double_click(action: web.DoubleClick, hands: Hands) -> None:
    x, y = hands.pixel(action.point)
    hands.pointer.click(x, y, count=2)
    hands.effect = f"double-clicked ({x}, {y})"


def _right_click(action: web.RightClick, hands: Hands) -> None:
    x, y = hands.pixel(action.point)
    hands.pointer.click(x, y, button=RIGHT)
    hands.effect = f"right-clicked ({x}, {y})"


def _hover(action: web.Hover, hands: Hands) -> None:
    x, y = hands.pixel(action.point)
    hands.pointer.move(x, y)
    hands.effect = f"moved to ({x}, {y})"


def _drag(action: web.Drag, hands: Hands) -> None:
    start, end = hands.pixel(action.start), hands.pixel(action.end)
    hands.pointer.drag(start, end)
    hands.effect = f"dragged from {start} to {end}"


def _type_text(action: web.TypeText, hands: Hands) -> None:
    clicked = ""
    if action.point is not None:
        _click(web.Click(point=action.point), hands)
        clicked = f"{hands.effect}, then "
    refused = hands.keyboard.type_text(action.text)
    typed = len(action.text) - sum(action.text.count(character) for character in refused)
    counted = "1 character" if typed == 1 else f"{typed} characters"
    hands.effect = f"{clicked}typed {counted}"
    if refused:
        names = ", ".join(f"U+{ord(character):04X}" for character in refused)
        hands.hints.append(f"no key can type {names}: left out")
    if action.press_enter:
        hands.keyboard.press(["Enter"])
        hands.effect += " and pressed Enter"


def _press_keys(action: web.PressKeys, hands: Hands) -> None:
    hands.keyboard.press(action.keys)
    hands.effect = f"pressed {'+'.join(action.keys)}"


def _scroll(action: web.Scroll, hands: Hands) -> None:
    x, y = hands.pixel(action.point or Point(x=0.5, y=0.5))
    sideways = action.direction in ("left", "right")
    side_px = hands.geometry.width_px if sideways else hands.geometry.height_px
    notches = max(1, round(side_px * action.amount / 10 / PIXELS_PER_NOTCH))
    hands.pointer.scroll(x, y, action.direction, notches)
    turned = "1 notch" if notches == 1 else f"{notches} notches"
    hands.effect = f"turned the wheel {action.direction} by {turned} at ({x}, {y})"


def _wait(action: web.Wait, hands: Hands) -> None:
    hands.pause(action.seconds)
    hands.effect = f"waited {action.seconds:g} s"


_PERFORMERS: dict[type[Action], Callable[[Any, Hands], None]] = {
    web.Click: _click,
    web.DoubleClick: _double_click,
    web.RightClick: _right_click,
    web.Hover: _hover,
    web.Drag: _drag,
    web.TypeText: _type_text,
    web.PressKeys: _press_keys,
    web.Scroll: _scroll,
    web.Wait: _wait,
}
