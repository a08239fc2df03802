"""The caches of several sessions as rows of one, so that one pass computes a token of each.

What a row computes does not depend on who shares the passes with it. Float sums depend on the
order of their terms, and a matrix product picks that order by the number of rows; so the number of
rows is always a multiple of `ROW_STEP` (missing ones are filled with rows that nobody reads, ended
ones stay), and attention reads a multiple of `KEY_STEP` keys, of which the masked ones weigh
exactly 0. The single-row pass of one session by itself rounds otherwise in the last bits.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.qwen2vl.cache import KVCache, Slots
from eyehand.model.qwen2vl.config import TextConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

ROW_STEP = 16 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 4
"""Rows come in multiples of this. Measured (torch 2.13, MKL, 1 and 2 threads; AVX2 up to 16): the
products of a row are then the same bits in every place, beside any rows and for any such number of
rows. With AVX2, 5, 6 or 7 rows depend on the place; with AVX-512, 12 rows and any other number
that is no multiple of 16."""

KEY_STEP = 64
"""Keys come in multiples of this: whole vectors of the kernels, so that no key falls into a
remainder that is summed in another way."""


class StackedCache(KVCache):
    """The caches of several sessions as rows of one, for as long as they decode together.

    Args:
        config: The language model's sizes.
        caches: One a session, of one row each; they are copied.
        rows: At least so many rows; those without a session hold nothing.
    """

    def __init__(self, config: TextConfig, caches: Sequence[KVCache], rows: int = 1) -> None:
        held = caches[0].keys[0]
        longest = max(cache.lengths[0] for cache in caches)
        super().__init__(
            config,
            _padded(max(rows, len(caches)), ROW_STEP),
            _padded(longest + KEY_STEP, KEY_STEP),
            held.dtype,
            held.device,
        )
        self.growing = frozenset(range(len(caches)))
        self._begin = [cache.lengths[0] for cache in caches]
        for row, cache in enumerate(caches):
            self.copy_row(row, cache, 0)

    def plan(self, count: int, valid: Tensor | None = None) -> Slots:
        """Choose the places of one new token a row.

        A row that does not grow writes past its end, where nobody reads, and stays as it is.
        """
        if count != 1 or valid is not None:
            raise UsageError("stacked sessions decode one token at a time, without padding")
        extent = _padded(max(self.lengths) + 1, KEY_STEP)
        self.reserve(extent)
        places = torch.tensor(self.lengths, device=self.keys[0].device)[:, None]
        counts = tuple(int(row in self.growing) for row in range(self.batch))
        return Slots(places, None, extent, None, counts)

    def give_back(self, row: int, cache: KVCache) -> None:
        """Copy what a row gained to the end of its session's cache."""
        cache.copy_row(0, self, row, self._begin[row])

    def next_scores(self, network: Qwen2VLNetwork, tokens: Sequence[int]) -> Tensor:
        """Compute one more token of every growing row.

        Args:
            network: Whose keys and values these are.
            tokens: An id a row; those of rows that do not grow are not read.

        Returns:
            The scores that follow, (rows, vocabulary); of growing rows only they mean something.
        """
        # A token of text has the same position on all three axes.
        positions = torch.tensor(self.next_positions).expand(3, -1)[..., None]  # (3, rows, 1)
        logits: Tensor = network(
            torch.tensor(tokens)[:, None], position_ids=positions, cache=self, last_only=True
        )
        return logits[:, 0]


def _padded(count: int, step: int) -> int:
    """Return the next multiple of `step`."""
    return -(-count // step) * step
