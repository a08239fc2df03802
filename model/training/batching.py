"""Documents to tensors: token ids, patches, positions, the mask between branches, targets."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eyehand.model.inputs.image import ImageInput, preprocess
from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.model import IGNORED_TARGET
from eyehand.model.qwen2vl.mrope import position_ids
from eyehand.model.training.characters import UNKNOWN, Cells, Character, cells_of_token
from eyehand.model.training.documents import Document, DocumentPart

TRUNK = 0
NOWHERE = -1

_POINT = re.compile(r"\[(\d+), (\d+)\]")


@dataclass(frozen=True)
class Encoded:
    """One document as tensors of L tokens.

    Attributes:
        ids: LongTensor (L,).
        positions: LongTensor (3, L); a branch goes on where the trunk ended.
        group: LongTensor (L,): 0 for the trunk, k for the k-th branch.
        targets: LongTensor (L,): the token that each position predicts, or `IGNORED_TARGET`.
        looks: LongTensor (L,): index of the vision token that holds the point of the answer being
            written, or `NOWHERE`.
        images: The preprocessed screens in order.
        cells: LongTensor (V, cells of a token): the characters on the screens, see `Cells`.
    """

    ids: Tensor
    positions: Tensor
    group: Tensor
    targets: Tensor
    looks: Tensor
    images: list[ImageInput]
    cells: Tensor


@dataclass(frozen=True)
class Batch:
    """A batch of B documents, padded to L tokens.

    Attributes:
        ids: LongTensor (B, L).
        positions: LongTensor (3, B, L).
        group: LongTensor (B, L): 0 for the trunk, k for the k-th branch, -1 for padding.
        targets: LongTensor (B, L).
        looks: LongTensor (B, L).
        patches: float (P, 1176).
        grid_thw: LongTensor (N, 3).
        cells: LongTensor (V, cells of a token).
        tokens: Tokens of the documents, padding not counted.
    """

    ids: Tensor
    positions: Tensor
    group: Tensor
    targets: Tensor
    looks: Tensor
    patches: Tensor
    grid_thw: Tensor
    cells: Tensor
    tokens: int

    @property
    def mask(self) -> Tensor:
        """Bool (B, L, L): which key each query sees."""
        return visible(self.group)

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device; the grids stay, they are read as numbers."""
        moved = {
            item.name: getattr(self, item.name).to(device, non_blocking=True)
            for item in fields(self)
            if item.name not in ("grid_thw", "tokens")
        }
        return replace(self, **moved)


class Encoder:
    """Turns documents into tensors for one tokenizer and configuration.

    Args:
        tokenizer: The model's tokenizer.
        config: The model's configuration.
        settings: How the model sees a screen.

    Raises:
        UsageError: The settings' patches are not the model's.
    """

    def __init__(
        self, tokenizer: Tokenizer, config: Qwen2VLConfig, settings: ImageSettings
    ) -> None:
        settings.check_fits(config.vision)
        self._tokenizer = tokenizer
        self._config = config
        self._settings = settings
        self._text_cache: dict[tuple[str, str], list[int]] = {}

    def encode(self, document: Document) -> Encoded:
        """Encode one document."""
        images = [preprocess(image, self._settings) for image in document.images]
        trunk = _Tokens()
        self._extend(trunk, document.trunk, images)
        grids = [image.grid for image in images]
        positions, end = position_ids(torch.tensor(trunk.ids), grids, self._config)
        pieces = [(trunk, positions)]
        for parts in document.branches:
            branch = _Tokens(screen=trunk.screen)
            self._extend(branch, parts, images)
            pieces.append((branch, torch.arange(end, end + len(branch.ids)).expand(3, -1)))
        return _joined(pieces, images, self._cells(document, images))

    def _cells(self, document: Document, images: Sequence[ImageInput]) -> Tensor:
        """Return the labels of all screens' cells, in the order of the vision tokens."""
        of_token = math.prod(cells_of_token(self._config.vision))
        known = document.characters or [[]] * len(images)
        labels = [torch.empty((0, of_token), dtype=torch.long)]
        for image, characters in zip(images, known, strict=True):
            if characters:
                labels.append(torch.from_numpy(self._labels(image, characters)))
            else:
                labels.append(torch.full((image.num_tokens, of_token), UNKNOWN))
        return torch.cat(labels)

    def _labels(self, image: ImageInput, characters: Sequence[Character]) -> NDArray[np.int64]:
        """Return the labels of one screen's cells, at the size at which the model sees it."""
        height_px, width_px = image.resized_size
        scale_y, scale_x = height_px / image.original_size[0], width_px / image.original_size[1]
        return Cells(width_px, height_px, self._config.vision).labels(
            Character(c.text, c.x_px * scale_x, c.y_px * scale_y) for c in characters
        )

    def _extend(
        self, tokens: "_Tokens", parts: Sequence[DocumentPart], images: Sequence[ImageInput]
    ) -> None:
        for part in parts:
            if part.kind == "screen":
                _, rows, columns = images[part.screen].grid
                merge = self._settings.merge_size
                tokens.screen = (len(tokens.ids) + 1, rows // merge, columns // merge)
                found = self._screen(images[part.screen])
            else:
                found = self._text(part)
            tokens.ids += found
            tokens.learned += [part.learned] * len(found)
            is_call = part.learned and part.kind == "plain"
            looks = self._looks(part.text, found, tokens.screen) if is_call else ()
            tokens.looks += looks or [NOWHERE] * len(found)

    def _looks(self, text: str, ids: list[int], screen: "ScreenPlace | None") -> list[int]:
        """Return the vision token of the point that is being written, for each token of a call."""
        points = [(_end_of_sentence(text, m), m) for m in _POINT.finditer(text)]
        if not points or screen is None:
            return []
        looks: list[int] = []
        written = 0
        for token in ids:
            _, match = next((point for point in points if point[0] > written), points[-1])
            x, y = (int(number) / 1000 for number in match.groups())
            looks.append(self._token_at(x, y, screen))
            written += len(self._tokenizer.decode([token]))
        return looks

    def _token_at(self, x: float, y: float, screen: "ScreenPlace") -> int:
        """Return the index of the vision token at a point, 0 to 1, of a screen."""
        first, rows, columns = screen
        row, column = min(int(y * rows), rows - 1), min(int(x * columns), columns - 1)
        return first + row * columns + column

    def _screen(self, image: ImageInput) -> list[int]:
        pads = [self._config.image_token_id] * image.num_tokens
        return [self._config.vision_start_token_id, *pads, self._config.vision_end_token_id]

    def _text(self, part: DocumentPart) -> list[int]:
        key = (part.kind, part.text)
        found = self._text_cache.get(key)
        if found is None:
            is_template = part.kind == "template"
            encode = self._tokenizer.encode_template if is_template else self._tokenizer.encode_text
            found = self._text_cache[key] = encode(part.text)
        return found


def _end_of_sentence(text: str, point: re.Match[str]) -> int:
    """Return up to where a text is about a point: its sentence, if no other point comes in it."""
    further = _POINT.search(text, point.end())
    period = text.find(".", point.end(), further.start() if further else len(text))
    return point.end() if period < 0 else period


ScreenPlace = tuple[int, int, int]
"""Index of a screen's first vision token, and its rows and columns of tokens."""


@dataclass
class _Tokens:
    """Tokens of a trunk or a branch, as they are gathered."""

    ids: list[int] = field(default_factory=list)
    learned: list[bool] = field(default_factory=list)
    looks: list[int] = field(default_factory=list)
    screen: ScreenPlace | None = None


def _joined(
    pieces: list[tuple[_Tokens, Tensor]], images: list[ImageInput], cells: Tensor
) -> Encoded:
    """Lay trunk and branches one after the other, each with targets of its own."""
    ids: list[int] = []
    group: list[int] = []
    targets: list[int] = []
    looks: list[int] = []
    for index, (piece, _) in enumerate(pieces):
        ids += piece.ids
        group += [TRUNK + index] * len(piece.ids)
        # A position predicts the next token of its own piece, where that one is learned.
        following = zip(piece.ids[1:], piece.learned[1:], strict=True)
        targets += [
            *(token if keep else IGNORED_TARGET for token, keep in following),
            IGNORED_TARGET,
        ]
        looks += [*piece.looks[1:], NOWHERE]
    return Encoded(
        ids=torch.tensor(ids),
        positions=torch.cat([positions for _, positions in pieces], dim=1),
        group=torch.tensor(group),
        targets=torch.tensor(targets),
        looks=torch.tensor(looks),
        images=images,
        cells=cells,
    )


def collate(documents: Sequence[Encoded], pad_id: int) -> Batch:
    """Pad documents on the right into one batch.

    Args:
        documents: B encoded documents.
        pad_id: The id that fills up short rows.
    """
    # Equal screens side by side are one attention in the tower; a length that divides by eight is
    # what the fast kernels take.
    documents = sorted(documents, key=lambda document: [image.grid for image in document.images])
    longest = -(-max(len(document.ids) for document in documents) // 8) * 8
    rows = len(documents)
    ids = torch.full((rows, longest), pad_id)
    targets = torch.full((rows, longest), IGNORED_TARGET)
    looks = torch.full((rows, longest), NOWHERE)
    positions = torch.zeros((3, rows, longest), dtype=torch.long)
    group = torch.full((rows, longest), -1)
    for row, document in enumerate(documents):
        length = len(document.ids)
        ids[row, :length] = document.ids
        targets[row, :length] = document.targets
        looks[row, :length] = document.looks
        positions[:, row, :length] = document.positions
        group[row, :length] = document.group
    images = [image for document in documents for image in document.images]
    return Batch(
        ids=ids,
        positions=positions,
        group=group,
        targets=targets,
        looks=looks,
        patches=torch.cat([torch.as_tensor(np.asarray(image.patches)) for image in images]),
        grid_thw=torch.tensor([image.grid for image in images]),
        cells=torch.cat([document.cells for document in documents]),
        tokens=sum(len(document.ids) for document in documents),
    )


def visible(group: Tensor) -> Tensor:
    """Return which key each query sees: bool (B, L, L).

    A token sees earlier tokens of the trunk and of its own branch. Padding (-1) sees itself, so
    that no row of the attention is empty.

    Args:
        group: LongTensor (B, L): 0 for the trunk, k for the k-th branch, -1 for padding.
    """
    length = group.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=group.device).tril()
    same = group[:, :, None] == group[:, None, :]
    trunk = (group[:, None, :] == TRUNK) & (group[:, :, None] >= TRUNK)
    return causal & (same | trunk)
