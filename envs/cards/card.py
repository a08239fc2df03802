"""A playing card, and its picture: drawn from lines and polygons, no picture files."""

from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw

from eyehand.envs.cards.draw import font

MOST_RANK = 13
RANKS = ("A", "2", "3", "4", "5", "6", "7", "8", "9", "10", "J", "Q", "K")
SUITS = ("spades", "hearts", "diamonds", "clubs")

CARD_SIZE_PX = (66, 96)
"""Width and height: four of them stand side by side in a picture of 300 pixels."""

_RED = (200, 30, 40)
_BLACK = (24, 24, 24)
_BACK = (40, 80, 150)
_BACK_LINE = (130, 165, 220)
_EDGE = (90, 90, 90)
_OVERSAMPLING = 4
"""Shapes are drawn this much larger and shrunk, because Pillow's own edges are jagged."""


@dataclass(frozen=True)
class Card:
    """A card.

    Attributes:
        rank: 1 (ace) to 13 (king).
        suit: Index into `SUITS`; it is seen and counts for nothing.
    """

    rank: int
    suit: int = 0

    @property
    def value(self) -> int:
        """What it counts in arithmetic: its number; jack, queen and king are 10, an ace is 1."""
        return min(self.rank, 10)

    def __str__(self) -> str:
        """Return its rank as it is printed, such as "10" or "Q"."""
        return RANKS[self.rank - 1]


@lru_cache(maxsize=52)
def card_picture(card: Card) -> Image.Image:
    """Draw a card's face: its rank at the top left, its suit large below. Shared, read only."""
    picture, pen = _blank((255, 255, 255))
    colour = _RED if SUITS[card.suit] in ("hearts", "diamonds") else _BLACK
    scale = _OVERSAMPLING
    pen.text((6 * scale, 3 * scale), str(card), colour, font(30 * scale))
    _suit(pen, SUITS[card.suit], 34 * scale, 66 * scale, 20 * scale, colour)
    return picture.resize(CARD_SIZE_PX, Image.Resampling.LANCZOS)


@lru_cache(maxsize=1)
def back_picture() -> Image.Image:
    """Draw the back of a card. Shared, read only."""
    picture, pen = _blank(_BACK)
    width, height = picture.size
    for offset in range(-height, width, 12 * _OVERSAMPLING):
        pen.line((offset, 0, offset + height, height), _BACK_LINE, 2 * _OVERSAMPLING)
        pen.line((offset + height, 0, offset, height), _BACK_LINE, 2 * _OVERSAMPLING)
    pen.rectangle((0, 0, width - 1, height - 1), outline=_EDGE, width=2 * _OVERSAMPLING)
    return picture.resize(CARD_SIZE_PX, Image.Resampling.LANCZOS)


def _blank(fill: tuple[int, int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    size = (CARD_SIZE_PX[0] * _OVERSAMPLING, CARD_SIZE_PX[1] * _OVERSAMPLING)
    picture = Image.new("RGB", size, fill)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, size[0] - 1, size[1] - 1), outline=_EDGE, width=2 * _OVERSAMPLING)
    return picture, pen


def _suit(
    pen: ImageDraw.ImageDraw, suit: str, x: int, y: int, r: int, colour: tuple[int, int, int]
) -> None:
    """Draw a suit's sign around (x, y), about 2 r wide and high."""
    half = r // 2
    match suit:
        case "diamonds":
            pen.polygon([(x, y - r), (x + 3 * r // 4, y), (x, y + r), (x - 3 * r // 4, y)], colour)
        case "hearts":
            _disc(pen, x - half, y - half // 2, half, colour)
            _disc(pen, x + half, y - half // 2, half, colour)
            pen.polygon([(x - r, y - half // 4), (x + r, y - half // 4), (x, y + r)], colour)
        case "spades":
            _disc(pen, x - half, y + half // 4, half, colour)
            _disc(pen, x + half, y + half // 4, half, colour)
            pen.polygon([(x - r, y + half // 8), (x + r, y + half // 8), (x, y - r)], colour)
            _stem(pen, x, y, r, colour)
        case _:
            _disc(pen, x, y - half, half, colour)
            _disc(pen, x - half, y + half // 4, half, colour)
            _disc(pen, x + half, y + half // 4, half, colour)
            _stem(pen, x, y, r, colour)


def _disc(pen: ImageDraw.ImageDraw, x: int, y: int, r: int, colour: tuple[int, int, int]) -> None:
    pen.ellipse((x - r, y - r, x + r, y + r), colour)


def _stem(pen: ImageDraw.ImageDraw, x: int, y: int, r: int, colour: tuple[int, int, int]) -> None:
    third = r // 3
    pen.polygon([(x, y - third), (x + third, y + r), (x - third, y + r)], colour)
