"""Keys and values of the tokens seen so far, in contiguous memory that is allocated once.

Each row of the batch has its own length, so rows of different lengths decode exactly: a token is
stored at the end of its row, and masks hide what lies past it. Keys are stored after the rotary
embedding, so rows can be cut back or moved without recomputation, and be given other positions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.qwen2vl.attention import attend, inverse_frequencies, rotate
from eyehand.model.qwen2vl.config import TextConfig


@dataclass(frozen=True)
class Slots:
    """Where the tokens of one forward pass are stored.

    Attributes:
        places: LongTensor (B, L), the index of each token in its row; for padding, of the last
            real token before it (0 where there is none).
        valid: bool (B, L) of real tokens, or None when there is no padding.
        extent: keys that attention reads: the longest row after this pass.
        start: the common first index when all rows grow alike, else None.
        counts: new tokens of each row.
    """

    places: Tensor
    valid: Tensor | None
    extent: int
    start: int | None
    counts: tuple[int, ...]

    def to(self, device: torch.device) -> "Slots":
        """Return them for layers on another device; where rows grow alike the start suffices."""
        return self if self.start is not None else replace(self, places=self.places.to(device))

    def mask(self) -> Tensor | None:
        """Return the bool (B, L, extent) mask of this pass, or None where none is needed.

        None is returned when one new token a row sees the whole row, and when the rows were
        empty, where plain causal attention is the same.
        """
        if self.start is not None and (self.places.shape[1] == 1 or self.start == 0):
            return None
        keys = torch.arange(self.extent, device=self.places.device)
        return keys <= self.places[..., None]


class Store(Protocol):
    """Where the layers of one forward pass leave keys and values, and look at those before.

    Attributes:
        tile: so many tokens at a time go through what treats each by itself; None is all at once.
    """

    @property
    def tile(self) -> int | None:
        """See above."""

    def attend(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, slots: Slots, mask: Tensor | None,
        *, causal: bool,
    ) -> Tensor:  # fmt: skip
        """Store one layer's keys and values, and let the queries look at all that is held."""


class Cache(Store, Protocol):
    """What a forward pass reads before its own tokens, and where it leaves them.

    Attributes:
        batch: rows of the pass's input.
        next_positions: the position of each row's next token.
    """

    @property
    def batch(self) -> int:
        """See above."""

    @property
    def next_positions(self) -> list[int]:
        """See above."""

    def plan(self, count: int, valid: Tensor | None = None) -> Slots:
        """Choose the places of the new tokens."""

    def commit(self, slots: Slots, positions: Tensor) -> None:
        """Record a finished pass."""


class KVCache:
    """Keys and values, one pair of (batch, key heads, capacity, head size) tensors a layer.

    The cache is for inference: what is stored is detached from the autograd graph.

    Args:
        config: the language model's sizes.
        batch: rows, 1 or more.
        max_tokens: tokens a row that memory is reserved for; doubled whenever it is exceeded.
        dtype: of keys and values, that of the weights.
        device: where they live, that of the weights; or a device a layer.
    """

    tile: int | None = None

    def __init__(
        self,
        config: TextConfig,
        batch: int,
        max_tokens: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | Sequence[torch.device] = "cpu",
    ) -> None:
        if batch < 1 or max_tokens < 1:
            raise UsageError(f"batch and max_tokens must be at least 1, got {batch}, {max_tokens}")
        shape = (batch, config.num_key_value_heads, max_tokens, config.head_dim)
        if isinstance(device, torch.device | str):
            device = [torch.device(device)] * config.num_hidden_layers
        self._config = config
        self.keys = [_zeros(shape, dtype, where) for where in device]
        self.values = [_zeros(shape, dtype, where) for where in device]
        # The largest position of each stored token, from which the next one follows.
        self.positions = _zeros((batch, max_tokens), torch.long, "cpu")
        self.lengths = [0] * batch
        self.next_positions = [0] * batch

    @property
    def batch(self) -> int:
        """Rows."""
        return len(self.lengths)

    @property
    def capacity(self) -> int:
        """Tokens a row that fit without growing."""
        return self.positions.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes reserved for keys and values."""
        return sum(x.nbytes for x in (*self.keys, *self.values))

    def plan(self, count: int, valid: Tensor | None = None) -> Slots:
        """Choose the places of ``count`` new tokens a row, growing the cache if needed.

        Args:
            count: columns of the coming input.
            valid: bool (B, count), false for padding, which is not stored; None when all are real.
        """
        device = self.keys[0].device
        if valid is not None and bool(valid.all()):
            valid = None
        steps = torch.arange(count, device=device).expand(self.batch, -1)
        if valid is not None:
            steps = valid.to(device).long().cumsum(dim=1) - 1
        counts = (steps[:, -1] + 1).tolist() if valid is not None else [count] * self.batch
        extent = max(old + new for old, new in zip(self.lengths, counts, strict=True))
        self.reserve(extent)
        places = steps + torch.tensor(self.lengths, device=device)[:, None]
        uniform = valid is None and len(set(self.lengths)) == 1
        start = self.lengths[0] if uniform else None
        return Slots(places.clamp_(min=0), valid, extent, start, tuple(counts))

    def reserve(self, tokens: int) -> None:
        """Make room for rows of ``tokens``, doubling the capacity until they fit."""
        self.resize(self.batch, doubled(self.capacity, tokens))

    def resize(self, batch: int, capacity: int) -> None:
        """Make room for so many rows of so many tokens; none may be fewer than there are."""
        if (batch, capacity) == (self.batch, self.capacity):
            return
        longest, rows = max(self.lengths), self.batch
        for held in (self.keys, self.values):
            for layer, old in enumerate(held):  # one by one: the old memory becomes free
                shape = (batch, old.shape[1], capacity, old.shape[3])
                held[layer] = _zeros(shape, old.dtype, old.device)
                held[layer][:rows, :, :longest] = old[:rows, :, :longest]
        positions = _zeros((batch, capacity), torch.long, "cpu")
        positions[:rows, :longest] = self.positions[:, :longest]
        self.positions = positions
        self.lengths += [0] * (batch - rows)
        self.next_positions += [0] * (batch - rows)

    def attend(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, slots: Slots, mask: Tensor | None,
        *, causal: bool,
    ) -> Tensor:  # fmt: skip
        """Store one layer's keys and values, and attend to all of each row.

        Args:
            layer: index of the layer.
            q: (B, H, L, D), rotated.
            k: (B, K, L, D), rotated.
            v: like ``k``.
            slots: what ``plan`` returned for this pass.
            mask: additive (B, 1, L, S), or None.
            causal: as for ``attention.attend``.

        Returns:
            (B, H, L, D).
        """
        k, v = self.store(layer, k, v, slots)
        return attend(q, k, v, mask, causal=causal)

    def store(
        self, layer: int, keys: Tensor, values: Tensor, slots: Slots
    ) -> tuple[Tensor, Tensor]:
        """Write one layer's new keys and values; return all that attention reads.

        Args:
            layer: index of the layer.
            keys: (B, K, L, D), rotated.
            values: like ``keys``.
            slots: what ``plan`` returned for this pass.

        Returns:
            Views (B, K, slots.extent, D) of the keys and the values.
        """
        for held, new in ((self.keys[layer], keys), (self.values[layer], values)):
            if slots.start is not None:
                held[:, :, slots.start : slots.extent] = new.detach()
            else:
                rows, columns = _real(slots).nonzero(as_tuple=True)
                held[rows, :, slots.places[rows, columns]] = new.detach()[rows, :, columns]
        return self.keys[layer][:, :, : slots.extent], self.values[layer][:, :, : slots.extent]

    def commit(self, slots: Slots, positions: Tensor) -> None:
        """Record a finished pass.

        Args:
            slots: what ``plan`` returned.
            positions: LongTensor (3, B, L), the M-RoPE positions of the new tokens.
        """
        largest = positions.amax(dim=0).cpu()  # (B, L)
        for row, count in enumerate(slots.counts):
            kept = largest[row] if slots.valid is None else largest[row][slots.valid[row].cpu()]
            begin = self.lengths[row]
            self.positions[row, begin : begin + count] = kept
            self.lengths[row] = begin + count
            if count:
                self.next_positions[row] = max(self.next_positions[row], int(kept.max()) + 1)

    @torch.inference_mode()
    def copy_row(self, row: int, source: "KVCache", source_row: int, begin: int = 0) -> None:
        """Copy another cache's row, from the token ``begin`` on, to the same places of a row.

        Args:
            row: where to; it holds the earlier tokens already.
            source: of the same model.
            source_row: where from.
            begin: first token that is copied.
        """
        end = source.lengths[source_row]
        self.reserve(end)
        pairs = zip((*self.keys, *self.values), (*source.keys, *source.values), strict=True)
        for new, old in pairs:
            new[row, :, begin:end] = old[source_row, :, begin:end]
        self.positions[row, begin:end] = source.positions[source_row, begin:end]
        self.lengths[row] = end
        self.next_positions[row] = source.next_positions[source_row]

    def rewind(self, length: int, row: int | None = None) -> None:
        """Forget all but the first ``length`` tokens of one row, or of every row.

        Raises:
            UsageError: a row holds fewer tokens than that.
        """
        for index in range(self.batch) if row is None else (row,):
            if not 0 <= length <= self.lengths[index]:
                raise UsageError(
                    f"cannot rewind row {index} to {length} tokens: it holds {self.lengths[index]}"
                )
            self.lengths[index] = length
            kept = self.positions[index, :length]
            self.next_positions[index] = int(kept.max()) + 1 if length else 0

    @torch.inference_mode()
    def evict(self, row: int, *spans: tuple[int, int]) -> None:
        """Drop tokens of a row and move the later ones left.

        Positions of the remaining tokens, and the next position, stay as they were: the result
        equals a forward pass whose mask hides the dropped tokens from everything after them.

        Args:
            row: whose tokens.
            spans: (start, stop) of each run that goes, in order.

        Raises:
            UsageError: a span does not lie inside the row, behind the one before it.
        """
        length = self.lengths[row]
        edges = [edge for span in spans for edge in span]
        if edges != sorted(edges) or not all(0 <= edge <= length for edge in edges):
            raise UsageError(f"cannot evict tokens {list(spans)} of a row of {length}")
        to = edges[0] if edges else length
        # What lies between one span and the next moves to the end of what stays before it.
        for begin, end in zip(edges[1::2], [*edges[2::2], length], strict=False):
            for held in (*self.keys, *self.values):
                held[row, :, to : to + end - begin] = held[row, :, begin:end].clone()
            self.positions[row, to : to + end - begin] = self.positions[row, begin:end].clone()
            to += end - begin
        self.lengths[row] = to

    @torch.inference_mode()
    def move_back(self, row: int, start: int, by: int) -> None:
        """Give the tokens of a row from ``start`` on, and the next one, earlier positions.

        Keys are rotated as if each token had stood ``by`` positions earlier. Distances among the
        moved ones stay as they were, those to the tokens before ``start`` shrink.
        """
        size, device = self._config.head_dim // 2, self.keys[0].device
        angles = inverse_frequencies(size, self._config.rope_theta, device).double() * -by
        cos, sin = angles.cos().float(), angles.sin().float()
        for keys in self.keys:
            cos, sin = cos.to(keys.device), sin.to(keys.device)
            moved = keys[row, :, start : self.lengths[row]]
            moved.copy_(rotate(moved.float(), cos, sin))
        self.positions[row, start : self.lengths[row]] -= by
        self.next_positions[row] -= by


def _real(slots: Slots) -> Tensor:
    if slots.valid is not None:
        return slots.valid.to(slots.places.device)
    return torch.ones_like(slots.places, dtype=torch.bool)


def doubled(capacity: int, tokens: int, bound: int | None = None) -> int:
    """Return a capacity that fits so many tokens: doubled, but not beyond a bound that suffices."""
    before = capacity
    while capacity < tokens:
        capacity *= 2
    return capacity if bound is None else max(tokens, before, min(capacity, bound))


def _zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device | str) -> Tensor:
    """Return zeros: a masked key has weight 0, and 0 times a stray NaN would be NaN.

    On the CPU they take no memory before they are written to.
    """
    # Not an inference tensor, which only other inference could write to.
    with torch.inference_mode(False):
        if torch.device(device).type != "cpu":
            return torch.zeros(shape, dtype=dtype, device=device)
        nbytes = math.prod(shape) * dtype.itemsize
        raw = np.zeros(nbytes + _ALIGNMENT, dtype=np.uint8)
        begin = -raw.ctypes.data % _ALIGNMENT
        return torch.from_numpy(raw[begin : begin + nbytes]).view(dtype).view(shape)


_ALIGNMENT = 64
