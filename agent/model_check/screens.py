"""Screens with targets whose places are known: words, buttons and icons, at three sizes."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from eyehand.envs.env import Pixels

SIZE_PX = (1280, 720)
"""Width and height of a screen."""

SIZES = {"small": 13, "medium": 20, "large": 34}
"""Height of a target's letters in pixels, by the name of its size."""

KINDS = ("word", "button", "icon")
WORDS = (
    "Save", "Open", "Cancel", "Search", "Print", "Delete", "Reply", "Archive", "Upload", "Refresh",
    "Settings", "Account", "Calendar", "Messages", "Photos", "Weather", "Station", "Garden",
    "Harbour", "Mountain", "Library", "Museum", "Kitchen", "Window",
)  # fmt: skip
ICONS = ("red circle", "blue square", "green triangle", "orange diamond", "black cross",
         "purple ring")  # fmt: skip
PER_SCREEN = 7
_GAP_PX = 24

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True)
class CheckTarget:
    """Something that can be clicked.

    Attributes:
        task: What to do, in words.
        kind: "word", "button" or "icon".
        size: "small", "medium" or "large".
        box: Where it is.
    """

    task: str
    kind: str
    size: str
    box: Box

    @property
    def centre(self) -> tuple[float, float]:
        """Its middle in pixels."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2

    def holds(self, x_px: float, y_px: float) -> bool:
        """Return whether a point lies in it."""
        left, top, right, bottom = self.box
        return left <= x_px <= right and top <= y_px <= bottom


@dataclass(frozen=True)
class CheckScreen:
    """A screen and its targets.

    Attributes:
        pixels: RGB uint8 (H, W, 3).
        targets: What can be asked for.
    """

    pixels: Pixels
    targets: tuple[CheckTarget, ...]


def draw_screen(seed: int) -> CheckScreen:
    """Draw a screen: a function of the seed alone.

    Args:
        seed: Any number.
    """
    draw = random.Random(f"model-check/{seed}")
    image = Image.new("RGB", SIZE_PX, "white")
    pen = ImageDraw.Draw(image)
    words, icons = iter(draw.sample(WORDS, PER_SCREEN)), iter(draw.sample(ICONS, len(ICONS)))
    targets: list[CheckTarget] = []
    for number in range(PER_SCREEN):
        kind = KINDS[(seed + number) % len(KINDS)]
        size = draw.choice(tuple(SIZES))
        name = next(icons if kind == "icon" else words)
        target = _placed(draw, pen, kind, size, name, targets)
        if target is not None:
            targets.append(target)
    return CheckScreen(np.asarray(image, dtype=np.uint8), tuple(targets))


def _placed(
    draw: random.Random, pen: ImageDraw.ImageDraw, kind: str, size: str, name: str,
    others: list[CheckTarget],
) -> CheckTarget | None:  # fmt: skip
    font = ImageFont.load_default(SIZES[size])
    width, height = _extent(kind, SIZES[size], font.getlength(name))
    for _ in range(100):
        left = draw.randint(_GAP_PX, SIZE_PX[0] - width - _GAP_PX)
        top = draw.randint(_GAP_PX, SIZE_PX[1] - height - _GAP_PX)
        box = (left, top, left + width, top + height)
        if not any(_near(box, other.box) for other in others):
            _PENS[kind](pen, box, name, font)
            what = {"word": f'the word "{name}"', "button": f'the button "{name}"'}
            return CheckTarget(f"Click {what.get(kind, f'the {name}')}.", kind, size, box)
    return None


def _extent(kind: str, size_px: int, text_px: float) -> tuple[int, int]:
    if kind == "icon":
        return 2 * size_px, 2 * size_px
    if kind == "button":
        return round(text_px) + 2 * size_px, 2 * size_px
    return round(text_px) + 4, round(1.3 * size_px)


def _near(a: Box, b: Box) -> bool:
    return not (
        a[2] + _GAP_PX < b[0] or b[2] + _GAP_PX < a[0]
        or a[3] + _GAP_PX < b[1] or b[3] + _GAP_PX < a[1]
    )  # fmt: skip


def _word(pen: ImageDraw.ImageDraw, box: Box, name: str, font: ImageFont.FreeTypeFont) -> None:
    pen.text((box[0] + 2, box[1]), name, fill="black", font=font)


def _button(pen: ImageDraw.ImageDraw, box: Box, name: str, font: ImageFont.FreeTypeFont) -> None:
    pen.rounded_rectangle(box, 6, fill="#e8eef7", outline="#4a6785", width=2)
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    pen.text(middle, name, fill="#14273c", font=font, anchor="mm")


def _icon(pen: ImageDraw.ImageDraw, box: Box, name: str, font: ImageFont.FreeTypeFont) -> None:
    color, shape = name.split()
    left, top, right, bottom = box
    x, y = (left + right) / 2, (top + bottom) / 2
    width = max(3, (right - left) // 6)
    if shape == "circle":
        pen.ellipse(box, fill=color)
    elif shape == "ring":
        pen.ellipse(box, outline=color, width=width)
    elif shape == "square":
        pen.rectangle(box, fill=color)
    elif shape == "triangle":
        pen.polygon([(x, top), (right, bottom), (left, bottom)], fill=color)
    elif shape == "diamond":
        pen.polygon([(x, top), (right, y), (x, bottom), (left, y)], fill=color)
    else:
        pen.line((left, top, right, bottom), fill=color, width=width)
        pen.line((left, bottom, right, top), fill=color, width=width)


_PENS: dict[str, Callable[..., None]] = {"word": _word, "button": _button, "icon": _icon}
