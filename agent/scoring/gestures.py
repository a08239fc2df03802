"""Calls read as the five gestures of AITZ: click, scroll, type, press, stop."""

import math
from dataclasses import dataclass
from typing import Any

from eyehand.agent.scoring.steps import Call

KINDS = ("click", "scroll", "type", "press", "stop")

_NAMES = {
    "click": "click",
    "tap": "click",
    "scroll": "scroll",
    "swipe": "scroll",
    "type": "type",
    "type_text": "type",
    "replace_text": "type",
    "input": "type",
    "input_text": "type",
    "press": "press",
    "press_key": "press",
    "press_keys": "press",
    "press_back": "press",
    "press_home": "press",
    "press_enter": "press",
    "back": "press",
    "stop": "stop",
    "finish": "stop",
    "answer": "stop",
}
"""Name of a call, in lower case, to its gesture. Any other name is a kind of its own."""

VERTICAL_SHARE = 0.9
"""A finger that moves at least so much of its horizontal way vertically scrolls vertically (AITZ,
`extract_gt_action`)."""


@dataclass(frozen=True)
class Gesture:
    """A call as AITZ sees it. What the call does not say, or says in a wrong form, is None.

    Attributes:
        kind: One of `KINDS`, or the name of a call that AITZ does not know.
        point: Where it is clicked, (x, y) as shares of the screen.
        box: The element that it names instead of a point: left, top, right, bottom.
        direction: The way of the finger: up, down, left, right.
        text: What is typed.
        key: What is pressed, in lower case.
        call: The call itself.
    """

    kind: str
    call: Call
    point: tuple[float, float] | None = None
    box: tuple[float, float, float, float] | None = None
    direction: str | None = None
    text: str | None = None
    key: str | None = None

    @property
    def complete(self) -> bool:
        """Whether it says all that its kind is scored by."""
        needed = {
            "click": self.point or self.box,
            "scroll": self.direction,
            "type": self.text is not None,
            "press": self.key,
        }
        return bool(needed.get(self.kind, True))


def gesture_of(call: Call) -> Gesture:
    """Read a call as a gesture; never fails on any arguments."""
    kind = _NAMES.get(call.name.lower(), call.name.lower())
    arguments = call.arguments
    text = arguments.get("text")
    return Gesture(
        kind=kind,
        call=call,
        point=point_of(arguments.get("point")),
        box=_box_of(arguments.get("box")),
        direction=_direction(arguments),
        text=text if isinstance(text, str) else None,
        key=_key(call) if kind == "press" else None,
    )


def point_of(value: Any) -> tuple[float, float] | None:
    """Read [x, y] or {"x": x, "y": y}; None for anything else."""
    if isinstance(value, dict):
        value = [value.get("x"), value.get("y")]
    numbers = _numbers(value, 2)
    return (numbers[0], numbers[1]) if numbers else None


def swipe_direction(start: tuple[float, float], end: tuple[float, float]) -> str:
    """Return the way of a finger from start to end.

    Example:
        >>> swipe_direction((0.5, 0.8), (0.5, 0.2))
        'up'
    """
    across, down = end[0] - start[0], end[1] - start[1]
    if abs(down) >= VERTICAL_SHARE * abs(across):
        return "up" if down < 0 else "down"
    return "left" if across < 0 else "right"


def _direction(arguments: dict[str, Any]) -> str | None:
    start, end = point_of(arguments.get("start")), point_of(arguments.get("end"))
    if start and end:
        return swipe_direction(start, end) if start != end else None
    said = arguments.get("direction")
    said = said.strip().lower() if isinstance(said, str) else None
    return said if said in ("up", "down", "left", "right") else None


def _key(call: Call) -> str | None:
    """Return the key from `key`, `button` or `keys`, or from the name: press_home, back."""
    for name in ("key", "button"):
        if isinstance(value := call.arguments.get(name), str):
            return value.strip().lower() or None
    keys = call.arguments.get("keys")
    if isinstance(keys, list) and keys and all(isinstance(key, str) for key in keys):
        return "+".join(key.strip().lower() for key in keys)
    named = call.name.lower().removeprefix("press_")
    return None if named in ("press", "key", "keys") else named


def _box_of(value: Any) -> tuple[float, float, float, float] | None:
    numbers = _numbers(value, 4)
    return (numbers[0], numbers[1], numbers[2], numbers[3]) if numbers else None


def _numbers(value: Any, count: int) -> list[float] | None:
    if not isinstance(value, list | tuple) or len(value) != count:
        return None
    for number in value:
        if isinstance(number, bool) or not isinstance(number, int | float):
            return None
    try:
        numbers = [float(number) for number in value]
    except OverflowError:
        return None
    return numbers if all(map(math.isfinite, numbers)) else None
