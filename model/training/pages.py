"""Drawn pages of text, with the place of every character: what reading is learned from.

Page n of a seed is a function of the two numbers alone, so that any part of a run can be drawn
again. Text, fonts, sizes, colours, boxes and lines vary as they do on pages and phones.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from eyehand.errors import UsageError
from eyehand.model.training.characters import ALPHABET, Character

FONTS = (
    *(("LiberationSans-Regular",) * 8), *(("LiberationSans-Bold",) * 3), "LiberationSans-Italic",
    "LiberationSerif-Regular", "LiberationSerif-Bold", "LiberationMono-Regular",
    *(("DejaVuSans",) * 2), "DejaVuSans-Bold", "DejaVuSansMono", *(("Roboto-Regular",) * 3),
    "Roboto-Medium", "Roboto-Bold", *(("OpenSans-Regular",) * 2), "OpenSans-Bold",
    "NotoSans-Regular", "FreeSans",
)  # fmt: skip
"""Fonts that pages are drawn with, the usual ones more often."""
HELD_OUT_FONTS = ("Lato-Regular", "Lato-Bold")
"""Fonts that no training page has: what reading loses on them is measured."""
SIZES_PX = (11, 12, 12, 13, 13, 14, 14, 14, 15, 15, 16, 16, 17, 18, 18, 20, 22, 24)
PACKAGES = (
    "fonts-liberation", "fonts-dejavu-core", "fonts-roboto-unhinted", "fonts-open-sans",
    "fonts-lato", "fonts-noto-core", "fonts-freefont-ttf", "wamerican",
)  # fmt: skip
"""Debian's packages of the fonts and of the word list."""
LINE_HEIGHT = 1.15
"""Height of a line of text, in sizes of its font."""
WORD_LIST = Path("/usr/share/dict/words")

_DARK = ("black",) * 6 + (
    "#0000ff",
    "#0645ad",
    "#222222",
    "#333333",
    "#555555",
    "#a00000",
    "#004400",
)
_LIGHT = ("white",) * 7 + ("#ffff00", "#f0f0f0", "#f8f9fa", "#dddddd", "#cde4ff", "#fff3cd")
_DEEP = ("#3366cc", "#444444", "#008800", "#1a73e8", "#212529", "#6200ee", "#b00020")
_INSTALL = f"apt-get install {' '.join(PACKAGES)}"
_HELD_OUT_SHARE = 24  # of 256
_LETTERS_AND_DIGITS = ALPHABET[:62]


Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True)
class Word:
    """A word on a page.

    Attributes:
        text: The word as drawn.
        characters: Its characters with their places.
        box: Left, top, right, bottom in pixels.
        size_px: Size of its font.
    """

    text: str
    characters: list[Character]
    box: Box
    size_px: int


@dataclass(frozen=True)
class Page:
    """A drawn page: RGB uint8 (H, W, 3) and its words."""

    image: NDArray[np.uint8]
    words: list[Word]

    @property
    def characters(self) -> list[Character]:
        """All characters of all words."""
        return [character for word in self.words for character in word.characters]


@cache
def word_lists(path: Path = WORD_LIST) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the words for training and the held-out ones, told apart by a hash of the word.

    Raises:
        UsageError: there is no word list.
    """
    if not path.is_file():
        raise UsageError(f"there is no word list at {path}: {_INSTALL}")
    words = [w for w in path.read_text("utf-8").split() if w.isascii() and w.isalpha()]
    words = [w for w in words if 2 <= len(w) <= 12]
    held_out = {w for w in words if is_held_out(w)}
    return tuple(w for w in words if w not in held_out), tuple(sorted(held_out))


def check_drawing() -> None:
    """Look for the word list and for every font.

    Raises:
        UsageError: one is missing; the message says how to get it.
    """
    word_lists()
    for name in dict.fromkeys((*FONTS, *HELD_OUT_FONTS)):
        text_font(name, SIZES_PX[0])


def is_held_out(word: str) -> bool:
    """Return whether a word, in any case, never stands on a training page."""
    return hashlib.md5(word.lower().encode()).digest()[0] < _HELD_OUT_SHARE


def draw_page(
    seed: int,
    number: int,
    size: tuple[int, int],
    words: Sequence[str],
    fonts: Sequence[str] = FONTS,
) -> Page:
    """Draw page `number` of `seed`.

    Args:
        seed: 0 to 999,999 in training, 1,000,000 to 1,999,999 in evaluation.
        number: From 0.
        size: Width and height in pixels.
        words: What ordinary words are drawn from.
        fonts: Names of TrueType fonts of the system.

    Raises:
        UsageError: a font is not installed.
    """
    page = _Drawing(random.Random(f"page/{seed}/{number}"), size, words, fonts)
    page.fill()
    return Page(np.asarray(page.image, dtype=np.uint8), page.words)


def set_word(
    draw: ImageDraw.ImageDraw, text: str, x: float, y: float, font: ImageFont.FreeTypeFont,
    size_px: int, ink: str,
) -> Word:  # fmt: skip
    """Write a word and return it with the place of each character.

    Args:
        draw: Where to write.
        text: One word.
        x: Left end in pixels.
        y: Top of the line in pixels.
        font: Of `size_px`.
        size_px: The font's size.
        ink: Its colour.
    """
    advances = _advances(font, text)
    draw.text((x, y), text, fill=ink, font=font)
    middle = y + size_px * 0.6
    characters = [
        Character(character, x + (advances[i] + advances[i + 1]) / 2, middle)
        for i, character in enumerate(text)
        if character in ALPHABET
    ]
    return Word(text, characters, (x, y, x + advances[-1], y + size_px * LINE_HEIGHT), size_px)


class _Drawing:
    """A page as it grows, line by line."""

    def __init__(
        self, generator: random.Random, size: tuple[int, int], words: Sequence[str],
        fonts: Sequence[str],
    ) -> None:  # fmt: skip
        self._random, self._vocabulary, self._fonts = generator, words, fonts
        self._width, self._height = size
        self._dark_page = generator.random() < 0.08
        self._background = generator.choice(_DEEP if self._dark_page else _LIGHT)
        self._ink = "white" if self._dark_page else generator.choice(_DARK)
        self.image = Image.new("RGB", size, self._background)
        self._draw = ImageDraw.Draw(self.image)
        self.words: list[Word] = []

    def fill(self) -> None:
        choose = self._random
        size_px, name = choose.choice(SIZES_PX), choose.choice(self._fonts)
        gap = choose.choice((1.1, 1.15, 1.25, 1.5, 2.0))
        y = choose.uniform(0, 8)
        while y + size_px * LINE_HEIGHT < self._height:
            if choose.random() < 0.4:
                size_px, name = choose.choice(SIZES_PX), choose.choice(self._fonts)
            if y + size_px * LINE_HEIGHT < self._height:
                self._line(y, text_font(name, size_px), size_px)
            y += size_px * gap

    def _line(self, y: float, font: ImageFont.FreeTypeFont, size_px: int) -> None:
        choose = self._random
        x = choose.uniform(1, 6) if choose.random() < 0.7 else choose.uniform(1, self._width * 0.5)
        space, ink = font.getlength(" "), self._ink
        if choose.random() < 0.1:
            ink = self._band(y, size_px)
        elif choose.random() < 0.2 and not self._dark_page:
            ink = choose.choice(_DARK)
        while True:
            text = self._text()
            width = font.getlength(text)
            if x + width > self._width - 1:
                return
            self._word(text, x, y, font, size_px, ink)
            x += width + space * choose.choice((1, 1, 1, 1.5, 4))
            if choose.random() < 0.06:
                return

    def _band(self, y: float, size_px: int) -> str:
        """Lay a coloured band under a line, as headings and chosen rows have; return its ink."""
        deep = self._random.random() < 0.6
        color = self._random.choice(_DEEP if deep else _LIGHT)
        self._draw.rectangle((0, y - 2, self._width, y + size_px * 1.2 + 2), fill=color)
        return "white" if deep else "black"

    def _word(
        self, text: str, x: float, y: float, font: ImageFont.FreeTypeFont, size_px: int, ink: str
    ) -> None:
        self._decorate((x, y, x + font.getlength(text), y + size_px * LINE_HEIGHT), ink)
        self.words.append(set_word(self._draw, text, x, y, font, size_px, ink))

    def _decorate(self, box: Box, ink: str) -> None:
        """Draw a frame or a line now and then, as buttons, fields and links have."""
        drawn = self._random.random()
        left, top, right, bottom = box
        if drawn < 0.06:
            grey = self._random.choice(("#767676", "#cccccc", "#3366cc"))
            self._draw.rectangle((left - 3, top - 1, right + 3, bottom + 1), outline=grey)
        elif drawn < 0.12:
            self._draw.line((left, bottom - 1, right, bottom - 1), fill=ink)

    def _text(self) -> str:
        choose = self._random
        kind = choose.random()
        if kind < 0.08:
            return str(choose.randint(0, 9999))
        if kind < 0.16:
            length = choose.randint(2, 6)
            return "".join(choose.choice(_LETTERS_AND_DIGITS) for _ in range(length))
        if kind < 0.19:
            return self._written_number()
        word = choose.choice(self._vocabulary)
        shape = choose.random()
        if shape < 0.3:
            word = word.capitalize()
        elif shape < 0.36:
            word = word.upper()
        return word + choose.choice(".,:!?") if choose.random() < 0.12 else word

    def _written_number(self) -> str:
        """A date, a time, a price, an address: numbers as pages write them."""
        n = self._random.randint
        return self._random.choice((
            f"{n(1, 12):02}/{n(1, 28):02}/{n(1990, 2030)}", f"{n(0, 23)}:{n(0, 59):02}",
            f"{n(0, 999)}.{n(0, 99):02}", f"#{n(1, 999)}", f"({n(1, 99)})",
            f"@{self._random.choice(self._vocabulary).lower()}", f"{n(100, 999)}-{n(1000, 9999)}",
        ))  # fmt: skip


@cache
def text_font(name: str, size_px: int) -> ImageFont.FreeTypeFont:
    """Return a font of the system by the name of its file.

    Raises:
        UsageError: it is not installed.
    """
    try:
        # The basic engine is fifteen times as fast, and Latin letters need no other.
        return ImageFont.truetype(f"{name}.ttf", size_px, layout_engine=ImageFont.Layout.BASIC)
    except OSError:
        raise UsageError(f"the font {name} is not installed: {_INSTALL}") from None


@cache
def _advance(font: ImageFont.FreeTypeFont, character: str) -> float:
    return font.getlength(character)


def _advances(font: ImageFont.FreeTypeFont, text: str) -> list[float]:
    """Return where each character begins, and where the last one ends, in pixels."""
    places = [0.0]
    for character in text:
        places.append(places[-1] + _advance(font, character))
    return places
