"""Documents of a fixed size, as bytes, in the memory of the device that trains on them.

A recorded step reads the same addresses in the same shapes each time. So the documents whose
screens have one size are padded to one length and lie side by side in a pool; a document that is
too long loses its last branches.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eyehand.model.inputs.image import preprocess
from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.model.qwen2vl.config import Qwen2VLConfig, VisionConfig
from eyehand.model.qwen2vl.model import IGNORED_TARGET
from eyehand.model.training.batching import NOWHERE, Encoded
from eyehand.model.training.characters import Cells, cells_of_token
from eyehand.model.training.pages import Page
from eyehand.model.training.reading import picture_settings

MOST_WORDS = 2**15
"""Token ids are kept in 16 bits."""

_PAD = -1

Packed = dict[str, NDArray[np.generic]]
"""A document as arrays of a fixed size: see `pack`."""


@dataclass(frozen=True)
class Size:
    """What all documents of one pool have in common.

    Attributes:
        rows: Patches down a screen; 0 for documents without a screen.
        columns: Patches across.
        tokens: Tokens of a document at most; 0 for pages that only the tower reads.
        answers: Tokens of its answers at most.
    """

    rows: int
    columns: int
    tokens: int = 0
    answers: int = 0

    @property
    def patches(self) -> int:
        """Patches of a screen."""
        return self.rows * self.columns

    @property
    def vision_tokens(self) -> int:
        """Tokens of a screen."""
        return self.patches // 4


def pack_screen(patches: NDArray[np.float32], settings: ImageSettings) -> NDArray[np.uint8]:
    """Return a still screen's patches as bytes (P, 3 * side * side), the second frame left out."""
    side = settings.patch_size
    first = patches.reshape(-1, 3, settings.temporal_patch_size, side, side)[:, :, 0]
    mean, std = (
        np.array(values, np.float32)[None, :, None, None]
        for values in (settings.mean, settings.std)
    )
    pixels = np.rint((first * std + mean) * 255.0)
    packed: NDArray[np.uint8] = np.clip(pixels, 0, 255).astype(np.uint8)
    return packed.reshape(len(patches), -1)


def pack_page(page: Page, config: VisionConfig) -> Packed:
    """Return a page for the tower alone: its patches and the characters of its cells."""
    height_px, width_px = page.image.shape[:2]
    settings = picture_settings(config, width_px * height_px)
    seen = preprocess(page.image, settings)
    cells = Cells(width_px, height_px, config).labels(page.characters)
    return {
        "patches": pack_screen(np.asarray(seen.patches), settings),
        "cells": cells.astype(np.int8),
    }


def cut(encoded: Encoded, tokens: int, answers: int) -> Encoded | None:
    """Return a document without the last branches that do not fit; None where none fits.

    Args:
        encoded: Its branches lie one after the other, the own task's first.
        tokens: So many tokens at most.
        answers: So many tokens of answers at most.
    """
    answered = (encoded.targets != IGNORED_TARGET).cumsum(0)
    for branches in range(int(encoded.group.max()), 0, -1):
        length = int((encoded.group <= branches).sum())
        if length <= tokens and int(answered[length - 1]) <= answers:
            return Encoded(
                ids=encoded.ids[:length],
                positions=encoded.positions[:, :length],
                group=encoded.group[:length],
                targets=encoded.targets[:length],
                looks=encoded.looks[:length],
                images=encoded.images,
                cells=encoded.cells,
            )
    return None


def pack(
    encoded: Encoded, size: Size, settings: ImageSettings, image_token_id: int
) -> Packed | None:
    """Return a document's arrays, or None where its screen is another or no branch fits.

    Returns:
        patches: uint8 (P, 147). cells: int8 (V, cells of a token). ids, group: int16 (L,).
        positions: int16 (3, L). first: int16 (1,), place of the first vision token. rows,
        targets, looks: int16 (T,), where answers are predicted, what, and where they look.
    """
    grids = [image.grid for image in encoded.images]
    if grids != ([(1, size.rows, size.columns)] if size.patches else []):
        return None
    fitting = cut(encoded, size.tokens, size.answers)
    if fitting is None:
        return None
    packed = _pack_text(fitting, size)
    if size.patches:
        packed["patches"] = pack_screen(np.asarray(fitting.images[0].patches), settings)
        packed["cells"] = fitting.cells.numpy().astype(np.int8)
        first = int((fitting.ids == image_token_id).nonzero()[0])
        packed["first"] = np.array([first], np.int16)
    return packed


def _pack_text(encoded: Encoded, size: Size) -> Packed:
    rows = torch.nonzero(encoded.targets != IGNORED_TARGET)[:, 0]
    return {
        "ids": _filled(encoded.ids, (size.tokens,), 0),
        "group": _filled(encoded.group, (size.tokens,), _PAD),
        "positions": _filled(encoded.positions, (3, size.tokens), 0),
        "rows": _filled(rows, (size.answers,), 0),
        "targets": _filled(encoded.targets[rows], (size.answers,), IGNORED_TARGET),
        "looks": _filled(encoded.looks[rows], (size.answers,), NOWHERE),
    }


def _filled(values: Tensor, shape: tuple[int, ...], rest: int) -> NDArray[np.int16]:
    """Return values in an array of a shape, their last axis filled up."""
    array = np.full(shape, rest, np.int16)
    array[..., : values.shape[-1]] = values.numpy()
    return array


class Pool:
    """Packed documents of one size in a device's memory.

    Args:
        size: Theirs.
        capacity: How many there is room for.
        device: Where.
        config: Gives the bytes of a patch and the cells of a token.
    """

    def __init__(
        self, size: Size, capacity: int, device: torch.device, config: Qwen2VLConfig
    ) -> None:
        self.size, self.capacity, self.count = size, capacity, 0
        self.arrays = {
            name: torch.zeros((capacity, *shape), dtype=dtype, device=device)
            for name, (shape, dtype) in _shapes(size, config.vision).items()
        }
        self._stream = side_stream(device)

    def put(self, documents: Sequence[Packed]) -> int:
        """Append documents, as many as there is room for, and return how many that were."""
        fitting = documents[: self.capacity - self.count]
        if not fitting:
            return 0
        with torch.cuda.stream(self._stream):  # nothing where there is none
            for name, array in self.arrays.items():
                stacked = torch.from_numpy(np.stack([document[name] for document in fitting]))
                array[self.count : self.count + len(fitting)].copy_(stacked)
        if self._stream is not None:
            self._stream.synchronize()
        self.count += len(fitting)
        return len(fitting)

    def drawn(self, places: Tensor) -> dict[str, Tensor]:
        """Return the documents at `places`, LongTensor (B,)."""
        return {name: array.index_select(0, places) for name, array in self.arrays.items()}


def side_stream(device: torch.device) -> torch.cuda.Stream | None:
    """Return a new stream of a CUDA device; None for other devices."""
    if device.type != "cuda":
        return None
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def document_bytes(size: Size, config: Qwen2VLConfig) -> int:
    """Return the memory of one document of a size."""
    return sum(
        int(np.prod(shape)) * dtype.itemsize
        for shape, dtype in _shapes(size, config.vision).values()
    )


def _shapes(size: Size, config: VisionConfig) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    across, down = cells_of_token(config)
    shapes: dict[str, tuple[tuple[int, ...], torch.dtype]] = {}
    if size.patches:
        shapes["patches"] = ((size.patches, 3 * config.patch_size**2), torch.uint8)
        shapes["cells"] = ((size.vision_tokens, across * down), torch.int8)
    if size.patches and size.tokens:
        shapes["first"] = ((1,), torch.int16)
    if size.tokens:
        shapes |= {name: ((size.tokens,), torch.int16) for name in ("ids", "group")}
        shapes["positions"] = ((3, size.tokens), torch.int16)
        shapes |= {n: ((size.answers,), torch.int16) for n in ("rows", "targets", "looks")}
    return shapes
