"""Which sizes the documents of a run have: of screens, and of the texts around them.

Documents of one size lie in one pool. The sizes are those of the demonstrations: some documents of
every source are encoded, and each size of screen gets room for all but the longest of its texts.
"""

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from eyehand.errors import UsageError
from eyehand.model.qwen2vl.model import IGNORED_TARGET
from eyehand.model.training.batching import Encoded, Encoder
from eyehand.model.training.documents import Document, documents_by_source
from eyehand.model.training.packing import Size

MOST_BRANCHES = 9
"""A document keeps so many answers at most: its own and some of the others."""
MOST_SIZES = 8
"""So many sizes of screens are learned from, the most frequent ones."""

_OF_A_SOURCE = 12
_FITTING_PERCENT = 95
_MULTIPLE = 32

Grid = tuple[int, int]
"""Rows and columns of a screen's patches; (0, 0) without a screen."""


@dataclass
class Found:
    """What documents of one grid were like.

    Attributes:
        documents: About how many there are.
        lengths: Tokens, and tokens of the answers, of those that were encoded.
    """

    documents: float = 0.0
    lengths: list[tuple[int, int]] = field(default_factory=list)

    def add(self, encoded: Encoded, stands_for: float = 1.0) -> None:
        """Count one document that stands for so many."""
        answers = int((encoded.targets != IGNORED_TARGET).sum())
        self.documents += stands_for
        self.lengths.append((len(encoded.ids), answers))

    def size(self, grid: Grid) -> Size:
        """Return the size that nearly all of them fit into."""
        tokens, answers = (
            math.ceil(np.percentile(lengths, _FITTING_PERCENT) / _MULTIPLE) * _MULTIPLE
            for lengths in zip(*self.lengths, strict=True)
        )
        return Size(*grid, tokens, answers)


def some_branches(document: Document, draw: random.Random) -> Document:
    """Keep a document's own answer and, by chance, some of the others; the own one stays first."""
    own, others = document.branches[:1], document.branches[1:]
    draw.shuffle(others)
    document.branches = (own + others)[:MOST_BRANCHES]
    return document


def grid_of(encoded: Encoded) -> Grid | None:
    """Return the grid of a document's one still screen; None where it has several, or a video."""
    grids = [image.grid for image in encoded.images]
    if not grids:
        return (0, 0)
    return grids[0][1:] if len(grids) == 1 and grids[0][0] == 1 else None


def survey(folder: Path, encoder: Encoder, weights: Mapping[str, float]) -> dict[Grid, Found]:
    """Encode some documents of every source of a folder's shards.

    Args:
        folder: The shards.
        encoder: Encodes them.
        weights: Sources of weight 0 are left out.

    Raises:
        UsageError: there is no shard, one cannot be read, or no document is left.
    """
    found: dict[Grid, Found] = {}
    for source, of_source in documents_by_source(folder).items():
        if weights.get(source, 1.0) == 0:
            continue
        chosen = of_source[:: max(1, len(of_source) // _OF_A_SOURCE)]
        for shard, index in chosen:
            draw = random.Random(f"survey/{source}/{index}")
            encoded = encoder.encode(some_branches(shard.document(index), draw))
            grid = grid_of(encoded)
            if grid:
                found.setdefault(grid, Found()).add(encoded, len(of_source) / len(chosen))
    if not found:
        raise UsageError(f"{folder} holds no document with one still screen")
    return found


def survey_of(documents: Iterable[Document], encoder: Encoder) -> Found:
    """Encode all of some documents that have one grid."""
    found = Found()
    for document in documents:
        found.add(encoder.encode(some_branches(document, random.Random(document.seed))))
    return found


def most_frequent(found: Mapping[Grid, Found]) -> list[Grid]:
    """Return the grids of most documents, at most `MOST_SIZES`."""
    return sorted(found, key=lambda grid: -found[grid].documents)[:MOST_SIZES]
