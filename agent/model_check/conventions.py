"""The ways in which models write places, and which of them fits the numbers that were written."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from eyehand.agent.model_check.screens import CheckTarget

Numbers = tuple[float, float]
Size = tuple[int, int]
"""Width and height in pixels."""

_NUMBER = re.compile(r"(?<![\w.])-?\d{1,5}(?:\.\d{1,6})?")
_PAIR = re.compile(
    r"(-?\d{1,5}(?:\.\d{1,6})?)\s{0,3}[,，\s]\s{0,3}(?:\"?y\"?\s{0,3}[=:]\s{0,3})?"
    r"(-?\d{1,5}(?:\.\d{1,6})?)"
)


@dataclass(frozen=True)
class Reading:
    """One answer's numbers beside what was asked for.

    Attributes:
        target: What was asked for.
        numbers: x and y as they were written.
        screen: The screen's size.
        shown: The size of the picture that the model saw.
    """

    target: CheckTarget
    numbers: Numbers
    screen: Size
    shown: Size


@dataclass(frozen=True)
class Fit:
    """How well a convention fits.

    Attributes:
        name: The convention.
        hits: Share of the targets that are hit when numbers are read so, 0 to 1.
        distance_px: Median distance from the targets' middles, in pixels of the screen.
    """

    name: str
    hits: float
    distance_px: float


def _scaled(width: float, height: float) -> Callable[[Reading], Numbers]:
    def place(reading: Reading) -> Numbers:
        (x, y), (screen_width, screen_height) = reading.numbers, reading.screen
        return x / width * screen_width, y / height * screen_height

    return place


def _resized(factor: float = 1.0) -> Callable[[Reading], Numbers]:
    def place(reading: Reading) -> Numbers:
        (x, y), (width, height) = reading.numbers, reading.screen
        return factor * x / reading.shown[0] * width, factor * y / reading.shown[1] * height

    return place


def _original(reading: Reading) -> Numbers:
    return reading.numbers


def _swapped(reading: Reading) -> Numbers:
    (y, x), (width, height) = reading.numbers, reading.screen
    return x / 1000 * width, y / 1000 * height


def _halved(reading: Reading) -> Numbers:
    (x, y), (width, height) = reading.numbers, reading.screen
    return x / 500 * width, y / 500 * height


CONVENTIONS: dict[str, Callable[[Reading], Numbers]] = {
    "0 to 1": _scaled(1, 1),
    "0 to 1000": _scaled(1000, 1000),
    "0 to 999": _scaled(999, 999),
    "pixels of the resized picture": _resized(),
    "pixels of the screen": _original,
    "0 to 1000, axes swapped": _swapped,
    "0 to 1000, halved": _halved,
}
"""Name to what turns written numbers into pixels of the screen."""

ALIKE = ("0 to 1000", "0 to 999")
"""A thousandth apart: told apart only by numbers that only one of them can have."""


def numbers_in(text: str) -> Numbers | None:
    """Return the place that an answer names: its last pair of numbers, a box's middle.

    Args:
        text: The answer as it was written.
    """
    pairs = [(float(x), float(y)) for x, y in _PAIR.findall(text[-400:])]
    if not pairs:
        found = [float(number) for number in _NUMBER.findall(text[-400:])]
        return (found[-2], found[-1]) if len(found) >= 2 else None
    if len(pairs) >= 2 and "box" in text and "end_box" not in text:
        (left, top), (right, bottom) = pairs[-2:]
        return (left + right) / 2, (top + bottom) / 2
    return pairs[-1]


def fits(readings: Sequence[Reading]) -> list[Fit]:
    """Return how every convention fits, the best one first.

    Args:
        readings: The answers that hold numbers, at least one.
    """
    found = []
    for name, place in CONVENTIONS.items():
        places = [place(reading) for reading in readings]
        hits = [r.target.holds(*p) for r, p in zip(readings, places, strict=True)]
        distances = [
            ((p[0] - r.target.centre[0]) ** 2 + (p[1] - r.target.centre[1]) ** 2) ** 0.5
            for r, p in zip(readings, places, strict=True)
        ]
        found.append(Fit(name, sum(hits) / len(hits), median(distances)))
    return sorted(found, key=lambda fit: (fit.distance_px, -fit.hits))
