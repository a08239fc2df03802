"""Scrolling, as the dialects say it: by pixels, or by the way of a finger."""

from typing import Any

from eyehand.actions import Action, Point
from eyehand.actions.codecs.verbs import Arguments, Here, given_fields
from eyehand.errors import InvalidArgument

_SCREENS = 10.0
"""Tenths of the visible screen, which a scroll's amount counts."""
_MOST_PIXELS = 1_000_000
"""Of a scroll; a number that JSON cannot hold is read as infinite."""


def _height(here: Here) -> float:
    return here.coordinates.extent()[1]


def scroll_pixels(given: Arguments) -> float:
    """Return how far a call scrolls, in pixels: not 0, at most `_MOST_PIXELS` either way.

    Raises:
        InvalidArgument: it is no such number.
    """
    pixels = given.get("pixels")
    if not isinstance(pixels, int | float) or isinstance(pixels, bool) or pixels == 0:
        raise InvalidArgument(f"pixels is a number other than 0; got {str(pixels)[:40]!r}")
    if not abs(pixels) <= _MOST_PIXELS:  # also where it is no number
        raise InvalidArgument(f"pixels is a number of at most {_MOST_PIXELS:,} either way")
    return pixels


def read_scroll(negative: str, positive: str) -> Any:
    """Return what reads a scroll by pixels, where those below 0 go in the first direction."""

    def read(given: Arguments, here: Here) -> Arguments | None:
        pixels = scroll_pixels(given)
        tenths = round(abs(pixels) * _SCREENS / max(1.0, _height(here)))
        place = {"point": given["coordinate"]} if given.get("coordinate") else {}
        return {
            "direction": positive if pixels > 0 else negative,
            "amount": min(20, max(1, tenths)),
            **place,
        }

    return read


def write_scroll(negative: str, positive: str) -> Any:
    """Return what writes one; None for another direction."""

    def write(action: Action, here: Here) -> Arguments | None:
        given = given_fields(action)
        if given["direction"] not in (negative, positive):
            return None
        pixels = round(given.get("amount", 5) * _height(here) / _SCREENS)
        place = {"coordinate": given["point"]} if given.get("point") else {}
        return {"pixels": pixels if given["direction"] == positive else -pixels, **place}

    return write


def scroll_as_swipe(action: Action) -> Arguments | None:
    """Return the finger's way that scrolls a phone: down is a finger that moves up."""
    given = given_fields(action)
    middle = given.get("point") or Point(x=0.5, y=0.5)
    half = min(0.4, given.get("amount", 5) / _SCREENS / 2)
    x, y = {"down": (0, half), "up": (0, -half), "right": (half, 0), "left": (-half, 0)}[
        given["direction"]
    ]
    return {"coordinate": _inside(middle.x + x, middle.y + y),
            "coordinate2": _inside(middle.x - x, middle.y - y)}  # fmt: skip


def _inside(x: float, y: float) -> Point:
    return Point(x=min(0.98, max(0.02, x)), y=min(0.98, max(0.02, y)))
