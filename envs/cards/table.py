"""The tables of the card games: hands of cards with words beside them."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from eyehand.envs.cards.card import CARD_SIZE_PX, Card, back_picture, card_picture
from eyehand.envs.cards.draw import PICTURE_SIZE_PX, font
from eyehand.envs.env import Pixels

_TABLE = (226, 238, 226)
_INK = (24, 24, 24)
_MARGIN_PX = 12
_GAP_PX = 4
_LINE_PX = 30
_FORMULA_LINE = 22
"""Most characters of a formula in a line of the picture."""


def blackjack_table(dealer: Sequence[Card | None], player: Sequence[Card]) -> Pixels:
    """Draw a table of Blackjack.

    Args:
        dealer: The dealer's cards; None lies face down.
        player: The player's cards.

    Returns:
        RGB uint8, shape (300, 300, 3).
    """
    picture, pen = _table()
    pen.text((_MARGIN_PX, 10), "Dealer", _INK, font(28))
    _hand(picture, dealer, 46)
    pen.text((_MARGIN_PX, 154), "You", _INK, font(28))
    _hand(picture, player, 190)
    return np.array(picture, dtype=np.uint8)


def formula_table(cards: Sequence[Card], target: int, tokens: Sequence[str]) -> Pixels:
    """Draw cards, the target that they are to make, and the formula so far.

    Args:
        cards: Two or four cards.
        target: The number to make.
        tokens: The formula's tokens in order; a space stands between them, so that "1" and "0"
            one after the other do not look like "10".

    Returns:
        RGB uint8, shape (300, 300, 3).
    """
    picture, pen = _table()
    pen.text((_MARGIN_PX, 10), f"Make {target}", _INK, font(30))
    _hand(picture, cards, 54)
    pen.text((_MARGIN_PX, 160), "Formula:", _INK, font(28))
    for number, line in enumerate(_lines(tokens)):
        pen.text((_MARGIN_PX, 196 + number * _LINE_PX), line, _INK, font(26))
    return np.array(picture, dtype=np.uint8)


def _table() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.new("RGB", (PICTURE_SIZE_PX, PICTURE_SIZE_PX), _TABLE)
    return picture, ImageDraw.Draw(picture)


def _hand(picture: Image.Image, cards: Sequence[Card | None], top_px: int) -> None:
    """Lay cards in a row; more than fit lie on one another, their ranks still to be seen."""
    room = PICTURE_SIZE_PX - 2 * _MARGIN_PX - CARD_SIZE_PX[0]
    step = min(CARD_SIZE_PX[0] + _GAP_PX, room // max(len(cards) - 1, 1))
    for position, card in enumerate(cards):
        face = back_picture() if card is None else card_picture(card)
        picture.paste(face, (_MARGIN_PX + position * step, top_px))


def _lines(tokens: Sequence[str]) -> list[str]:
    """Break a formula into lines, between tokens."""
    lines = [""]
    for token in tokens:
        longer = f"{lines[-1]} {token}".strip()
        if len(longer) > _FORMULA_LINE:
            lines.append(token)
        else:
            lines[-1] = longer
    return lines
