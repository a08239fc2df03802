"""How a model writes places: its numbers become a Point here, and nowhere else."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from eyehand.actions.action import Point
from eyehand.errors import InvalidArgument, OutOfRange

Unit = Literal["thousandths", "pixels", "fraction"]


@dataclass(frozen=True)
class Coordinates:
    """The coordinate dialect of one model on one screen.

    Attributes:
        unit: "thousandths": 0 to 1000 inclusive on both axes (Qwen2-VL, paper section 2.2.1);
            "pixels": pixels of the image that the model saw; "fraction": 0 to 1.
        image_width_px: Width of the image that the model saw; needed for "pixels" only.
        image_height_px: Height of that image; needed for "pixels" only.
        screen: Name of the screen, carried into every Point.
        digits: Decimals of a written "fraction".
        pointer: Where the last action left the pointer, for dialects whose drag begins there.
    """

    unit: Unit = "thousandths"
    image_width_px: int = 0
    image_height_px: int = 0
    screen: str | None = None
    digits: int = 4
    pointer: Point | None = None

    def extent(self) -> tuple[float, float]:
        """Return the largest x and y that the dialect can write."""
        if self.unit == "thousandths":
            return 1000.0, 1000.0
        if self.unit == "fraction":
            return 1.0, 1.0
        return float(self.image_width_px), float(self.image_height_px)

    def read(self, value: object) -> Point:
        """Turn what the model wrote into a Point.

        Args:
            value: A pair of numbers, or a mapping with "x" and "y".

        Raises:
            InvalidArgument: `value` is not a pair of finite numbers.
            OutOfRange: a number lies outside the screen.
        """
        x, y = _pair(value)
        width, height = self.extent()
        for axis, number, limit in (("x", x, width), ("y", y, height)):
            if not 0 <= number <= limit:
                raise OutOfRange(
                    f"{axis} = {number:g} is outside the screen: expected 0 to {limit:g}"
                )
        return Point(x=x / width, y=y / height, screen=self.screen)

    def write(self, point: Point) -> list[float] | list[int]:
        """Turn a Point into the dialect's pair of numbers; whole numbers but for "fraction"."""
        width, height = self.extent()
        if self.unit == "fraction":
            return [round(point.x, self.digits), round(point.y, self.digits)]
        return [round(point.x * width), round(point.y * height)]


def _pair(value: object) -> tuple[float, float]:
    """Read two finite numbers from a pair or from a mapping with x and y."""
    if isinstance(value, Mapping):
        value = [value.get("x"), value.get("y")]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes) and len(value) == 2:
        x, y = value
        if all(isinstance(n, int | float) and not isinstance(n, bool) for n in (x, y)):
            try:
                pair = float(x), float(y)
            except OverflowError:
                pair = math.inf, math.inf
            if all(map(math.isfinite, pair)):
                return pair
    raise InvalidArgument(f"a point is two numbers such as [348, 291]; got {_short(value)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
