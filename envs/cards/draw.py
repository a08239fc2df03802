"""Drawing for the card games: one font that comes with Pillow, the same on every machine."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

PICTURE_SIZE_PX = 300
"""Width and height of every game's picture, as in gym_cards (arXiv:2405.10292)."""

_INK = (24, 24, 24)
_CURRENT_COLOUR = (20, 80, 200)
_TARGET_COLOUR = (200, 40, 40)
_LINE_Y_PX = 215
_LEFT_X_PX = 35
_TICK_SPACING_PX = 46


@lru_cache
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's bundled scalable font.

    Basic layout is asked for by name: the default depends on whether the machine has libraqm.

    Args:
        size_px: Height of the font in pixels.

    Raises:
        ImportError: Pillow was built without FreeType (its wheels never are).
    """
    bundled = ImageFont.load_default(size_px)
    if not isinstance(bundled, ImageFont.FreeTypeFont):
        raise ImportError("Pillow has no FreeType support; install Pillow's own wheel")
    return bundled.font_variant(layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=256)
def number_line(current: int, target: int, maximum: int) -> NDArray[np.uint8]:
    """Draw a number line from 0 to `maximum` with the current and the target number marked.

    Args:
        current: Marked by a blue dot on the line, with a triangle above it.
        target: Marked by a red ring around its numeral, below the line.
        maximum: Last number of the line, at most 5 fit into the picture.

    Returns:
        RGB uint8, shape (300, 300, 3), read-only because it is shared.
    """
    picture = Image.new("RGB", (PICTURE_SIZE_PX, PICTURE_SIZE_PX), "white")
    pen = ImageDraw.Draw(picture)
    pen.text((20, 20), f"Target: {target}", _TARGET_COLOUR, font(44))
    pen.text((20, 80), f"Current: {current}", _CURRENT_COLOUR, font(44))
    last_x = _LEFT_X_PX + maximum * _TICK_SPACING_PX
    pen.line((_LEFT_X_PX, _LINE_Y_PX, last_x, _LINE_Y_PX), _INK, 4)
    for number in range(maximum + 1):
        x = _LEFT_X_PX + number * _TICK_SPACING_PX
        pen.line((x, _LINE_Y_PX - 10, x, _LINE_Y_PX + 10), _INK, 3)
        pen.text((x, _LINE_Y_PX + 38), str(number), _INK, font(28), anchor="mm")
    _mark(pen, _LEFT_X_PX + current * _TICK_SPACING_PX, _LEFT_X_PX + target * _TICK_SPACING_PX)
    pixels = np.array(picture, dtype=np.uint8)
    pixels.setflags(write=False)
    return pixels


def _mark(pen: ImageDraw.ImageDraw, current_x: int, target_x: int) -> None:
    """Mark the current number on and above the line, the target below it."""
    pen.ellipse(_square(current_x, _LINE_Y_PX, 11), _CURRENT_COLOUR)
    top = _LINE_Y_PX - 42
    pen.polygon(
        [(current_x - 13, top), (current_x + 13, top), (current_x, top + 24)], _CURRENT_COLOUR
    )
    pen.ellipse(_square(target_x, _LINE_Y_PX + 38, 21), outline=_TARGET_COLOUR, width=4)


def _square(x: int, y: int, radius: int) -> tuple[int, int, int, int]:
    """Return the box around a circle, as Pillow takes it."""
    return x - radius, y - radius, x + radius, y + radius
