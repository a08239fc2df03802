"""What a network sees of a screen: the screen as it is, at one size, or in tiles.

Whatever the view, documents, the losses that need places, and conversations are made from the same
list of parts, so that a row is trained on what it is measured with.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eyehand.model.hub import Qwen2VL
from eyehand.model.inference.session import RESERVED_TOKENS, Session
from eyehand.model.inputs.image import Picture, resize, smart_resize, to_rgb
from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.training.batching import Encoded, Encoder, ScreenPlace
from eyehand.model.training.characters import Character
from eyehand.model.training.documents import Document, DocumentPart

Pixels = NDArray[np.uint8]
_MARKS = 2
"""Tokens around a picture's own: where it begins and where it ends."""


@dataclass(frozen=True)
class Part:
    """One picture that the network sees of a screen.

    Attributes:
        pixels: RGB uint8 (H, W, 3), as the network sees it.
        box: What of the screen it shows: left, top, right, bottom, 0 to 1.
        is_thumbnail: Whether its letters are too small to be read.
    """

    pixels: Pixels
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    is_thumbnail: bool = False

    def holds(self, x: float, y: float) -> bool:
        """Return whether a point of the screen, 0 to 1, is to be found here."""
        left, top, right, bottom = self.box
        inside = left <= x <= right and top <= y <= bottom
        return inside and not self.is_thumbnail

    def local(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the screen lies here, both 0 to 1."""
        left, top, right, bottom = self.box
        return (x - left) / (right - left), (y - top) / (bottom - top)

    def characters(self, drawn: Sequence[Character], size: tuple[int, int]) -> list[Character]:
        """Return the characters here, in pixels of this part.

        Args:
            drawn: All characters of the screen, in its pixels.
            size: The screen's width and height in pixels.
        """
        height, width = self.pixels.shape[:2]
        found = []
        for one in drawn:
            x, y = one.x_px / size[0], one.y_px / size[1]
            if self.holds(x, y):
                here = self.local(x, y)
                found.append(Character(one.text, here[0] * width, here[1] * height))
        return found


class View(Protocol):
    """How a screen is shown."""

    def parts(self, screen: Pixels) -> list[Part]:
        """Return what the network sees of a screen, in order."""
        ...


@dataclass(frozen=True)
class Dynamic:
    """Naive dynamic resolution: the screen at its own size, on the grid of tokens.

    Attributes:
        settings: How the model sees pictures.
    """

    settings: ImageSettings

    def parts(self, screen: Pixels) -> list[Part]:
        """Return the screen, each side at the nearest multiple of a token's."""
        height, width = screen.shape[:2]
        return [Part(resize(screen, smart_resize(height, width, self.settings)))]


@dataclass(frozen=True)
class OneSize:
    """Every screen is resized to one size, and so makes one count of tokens.

    Attributes:
        size: Width and height in pixels, multiples of a token's side.
    """

    size: tuple[int, int]

    def parts(self, screen: Pixels) -> list[Part]:
        """Return the screen at that size."""
        return [Part(resize(screen, (self.size[1], self.size[0])))]


@dataclass(frozen=True)
class Tiles:
    """Tiles of one size and a thumbnail (InternVL 1.5, arXiv 2404.16821, section 3.2).

    Attributes:
        side_px: Of a tile and of the thumbnail, a multiple of a token's side.
        most: Tiles of a screen at most.
    """

    side_px: int
    most: int

    def tiling(self, width: int, height: int) -> tuple[int, int]:
        """Return the columns and rows of tiles whose aspect ratio is nearest to a screen's.

        Of several, the most tiles that are not more than twice as large as the screen.
        """
        pairs = [(c, r) for c in range(1, self.most + 1) for r in range(1, self.most // c + 1)]
        pairs.sort(key=lambda pair: pair[0] * pair[1])
        ratio = Fraction(width, height)
        off = {pair: abs(ratio - Fraction(*pair)) for pair in pairs}
        near = [pair for pair in pairs if off[pair] == min(off.values())]
        twice = 2 * width * height
        fitting = [(c, r) for c, r in near if c * r * self.side_px**2 < twice]
        return fitting[-1] if fitting else near[0]

    def parts(self, screen: Pixels) -> list[Part]:
        """Return the tiles row by row, and the thumbnail where there are several."""
        side = self.side_px
        columns, rows = self.tiling(screen.shape[1], screen.shape[0])
        whole = resize(screen, (rows * side, columns * side))
        found = [
            Part(
                np.ascontiguousarray(whole[r * side : (r + 1) * side, c * side : (c + 1) * side]),
                (c / columns, r / rows, (c + 1) / columns, (r + 1) / rows),
            )
            for r in range(rows)
            for c in range(columns)
        ]
        if len(found) > 1:
            found.append(Part(resize(screen, (side, side)), is_thumbnail=True))
        return found


def shown(document: Document, parts: Sequence[Part]) -> Document:
    """Return a document of one screen with its parts in the screen's place."""
    height, width = document.images[0].shape[:2]
    known = document.characters[0] if document.characters else []
    screens = [DocumentPart("screen", screen=number) for number in range(len(parts))]
    trunk = [
        piece for old in document.trunk for piece in (screens if old.kind == "screen" else [old])
    ]
    return replace(
        document,
        trunk=trunk,
        images=[part.pixels for part in parts],
        characters=[part.characters(known, (width, height)) for part in parts],
    )


class ViewEncoder(Encoder):
    """Encodes documents of one screen as a view shows it.

    Two further columns of the cells hold the row and the column of each vision token on the whole
    screen; `ViewRun` takes them off again. Positions cannot tell them: those of a tile begin anew,
    and one-dimensional ones know no rows.

    Args:
        tokenizer: The model's.
        config: The model's.
        settings: How the model sees pictures.
        view: What it sees of a screen.
    """

    def __init__(
        self, tokenizer: Tokenizer, config: Qwen2VLConfig, settings: ImageSettings, view: View
    ) -> None:
        super().__init__(tokenizer, config, settings)
        self._view, self._side_px = view, settings.factor
        self._parts: list[Part] = []

    def encode(self, document: Document) -> Encoded:
        """Encode one document."""
        self._parts = self._view.parts(document.images[0])
        encoded = super().encode(shown(document, self._parts))
        return replace(encoded, cells=torch.cat([encoded.cells, self._places()], dim=1))

    def _grid(self, part: Part) -> tuple[int, int]:
        height, width = part.pixels.shape[:2]
        return height // self._side_px, width // self._side_px

    def _places(self) -> Tensor:
        """Return the row and the column of every token on the whole screen: (V, 2)."""
        sharp = [part for part in self._parts if not part.is_thumbnail]
        across = round(self._grid(sharp[0])[1] / (sharp[0].box[2] - sharp[0].box[0]))
        down = round(self._grid(sharp[0])[0] / (sharp[0].box[3] - sharp[0].box[1]))
        places = []
        for part in self._parts:
            (rows, columns), (left, top, right, bottom) = self._grid(part), part.box
            for row in range(rows):
                y = top + (row + 0.5) / rows * (bottom - top)
                for column in range(columns):
                    x = left + (column + 0.5) / columns * (right - left)
                    places.append((int(y * down), int(x * across)))
        return torch.tensor(places)

    def _token_at(self, x: float, y: float, screen: ScreenPlace) -> int:
        """Return the index of the token at a point: in the sharp part that shows it."""
        number = next(n for n, part in enumerate(self._parts) if part.holds(x, y))
        after = self._parts[number:-1]
        rows, columns = self._grid(self._parts[number])
        first = screen[0] - sum(_MARKS + int(np.prod(self._grid(part))) for part in after)
        return super()._token_at(*self._parts[number].local(x, y), (first, rows, columns))


@dataclass
class Viewed(Qwen2VL):
    """A model whose conversations see what a view shows of a screen.

    Attributes:
        view: The view.
    """

    view: View = field(kw_only=True)

    def session(self, reserved_tokens: int = RESERVED_TOKENS) -> Session:
        """Start an empty conversation."""
        session = ViewedSession(
            self.network, self.tokenizer, encoder=self.encoder, settings=self.settings,
            reserved_tokens=reserved_tokens,
        )  # fmt: skip
        session.view = self.view
        return session


class ViewedSession(Session):
    """A conversation to which a screen is appended part by part.

    Attributes:
        view: What is seen of a screen.
    """

    view: View

    def append_image(self, image: Picture) -> int:
        """Append all parts; returns the last one's number."""
        number = -1
        for part in self.view.parts(to_rgb(image)):
            number = super().append_image(part.pixels)
        return number
