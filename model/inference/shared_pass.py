"""What a pass over several slots is to the network: a cache of one row, the tokens of all of them.

Products run over all tokens at once. Attention runs over one slot, or over neighbouring slots that
have one new token each; then it reads as many keys as the longest of them has. On a CPU with
several threads it always runs over one slot.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from eyehand.model.inference.slots import Bank, Slot
from eyehand.model.qwen2vl.attention import additive_mask, attend
from eyehand.model.qwen2vl.cache import Slots

KEY_STEP = 64
"""Neighbours read a multiple of so many keys, of which the masked ones weigh exactly 0: whole
vectors of the kernels, so that no key falls into a remainder that is summed in another way."""


@dataclass(frozen=True)
class _Run:
    """Neighbouring slots with equally many new tokens, which attend in one go.

    Attributes:
        bank: Theirs.
        rows: Their first row there, and the one after their last.
        tokens: Theirs in the pass.
        begins: How much each row held before, LongTensor (rows,).
        begin: The same of the first one.
        extent: Keys that are read.
        mask: additive (rows, 1, L, extent), or None.
    """

    bank: Bank
    rows: tuple[int, int]
    tokens: slice
    begins: Tensor
    begin: int
    extent: int
    mask: Tensor | None

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(heads, T, D) each -> (H, the run's tokens, D)."""
        q, k, v = (self._by_row(x[:, self.tokens]) for x in (q, k, v))
        keys, values = (x[layer][slice(*self.rows)] for x in (self.bank.keys, self.bank.values))
        self._store(keys, k)
        self._store(values, v)
        keys, values = keys[:, :, : self.extent], values[:, :, : self.extent]
        out = attend(q, keys, values, self.mask, causal=self.mask is None and q.shape[2] > 1)
        return out.transpose(0, 1).flatten(1, 2)

    def to(self, device: torch.device) -> "_Run":
        """Return it for layers on another device; one row's place is a number."""
        begins = self.begins if len(self.begins) == 1 else self.begins.to(device)
        mask = None if self.mask is None else self.mask.to(device)
        return replace(self, begins=begins, mask=mask)

    def _by_row(self, x: Tensor) -> Tensor:
        """(heads, rows * L, D) -> (rows, heads, L, D)."""
        return x.reshape(len(x), len(self.begins), -1, x.shape[-1]).transpose(0, 1)

    def _store(self, held: Tensor, new: Tensor) -> None:
        if len(held) == 1:
            held[:, :, self.begin : self.begin + new.shape[2]] = new.detach()
        else:
            held[torch.arange(len(held), device=held.device), :, self.begins] = new[
                :, :, 0
            ].detach()


class SharedPass:
    """One pass over the new tokens of several slots, one slot behind the other.

    Args:
        slots: Different ones, neighbours in memory side by side; they have room.
        counts: New tokens of each.
        tile: See `Cache`; of use on a CPU only. With a tile, padding may follow the tokens, and
            single tokens are read in such a way that their neighbours change nothing.
    """

    batch = 1

    def __init__(self, slots: Sequence[Slot], counts: Sequence[int], tile: int | None) -> None:
        on_cpu = slots[0].bank.keys[0].device.type == "cpu"
        self.tile = tile if on_cpu else None
        self._shared = tile is not None
        # With several threads a CPU's kernel sums over the keys in an order that depends on the
        # number of rows (seen on an AMD EPYC, torch 2.13): then each row attends by itself.
        self._beside = self._shared and not (on_cpu and torch.get_num_threads() > 1)
        self.next_positions = [slots[0].next_position]
        self._slots, self._counts = slots, counts
        # The runs' places and masks, on each device that has layers.
        runs = [self._run(*span) for span in self._spans()]
        self._runs = {slots[0].bank.keys[0].device: runs}

    def plan(self, count: int, valid: Tensor | None = None) -> Slots:
        """Say that there is nothing to plan, and no mask for all of them."""
        return Slots(torch.zeros(1, count, dtype=torch.long), None, count, 0, (count,))

    def attend(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, slots: Slots, mask: Tensor | None,
        *, causal: bool,
    ) -> Tensor:  # fmt: skip
        """See `KVCache.attend`; what is padding gets zeros."""
        if q.device not in self._runs:
            (runs, *_) = self._runs.values()
            self._runs[q.device] = [run.to(q.device) for run in runs]
        outs = [run.attend(layer, q[0], k[0], v[0]) for run in self._runs[q.device]]
        missing = q.shape[2] - sum(self._counts)
        if missing:
            outs.append(q.new_zeros(q.shape[1], missing, q.shape[3]))
        return (outs[0] if len(outs) == 1 else torch.cat(outs, dim=1))[None]

    def commit(self, slots: Slots, positions: Tensor) -> None:
        """Record the pass: each slot holds its new tokens."""
        largest = positions[:, 0].amax(dim=0).cpu()  # (T,)
        begin = 0
        for slot, count in zip(self._slots, self._counts, strict=True):
            slot.extend(largest[begin : begin + count])
            begin += count

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Yield the first and the last slot of each run: neighbours, where all have one token."""
        single = self._beside and max(self._counts) == 1
        first = 0
        for number, (slot, after) in enumerate(itertools.zip_longest(self._slots, self._slots[1:])):
            beside = after is not None and after.place == (slot.place[0], slot.row + 1)
            if not (single and beside):
                yield first, number
                first = number + 1

    def _run(self, first: int, last: int) -> _Run:
        slots, count = self._slots[first : last + 1], self._counts[first]
        bank, device = slots[0].bank, slots[0].bank.keys[0].device
        begins = torch.tensor([slot.length for slot in slots], device=device)
        extent = max(slot.length for slot in slots) + count
        masked = count > 1 and slots[0].length > 0
        if self._shared and count == 1:
            extent, masked = min(-(-extent // KEY_STEP) * KEY_STEP, bank.capacity), True
        mask = None
        if masked:
            places = begins[:, None] + torch.arange(count, device=device)  # (rows, L)
            keys = torch.arange(extent, device=device)
            mask = additive_mask(keys <= places[..., None], bank.keys[0].dtype)
        start = sum(self._counts[:first])
        return _Run(
            bank, (slots[0].row, slots[-1].row + 1),
            slice(start, start + count * len(slots)), begins, slots[0].length, extent, mask,
        )  # fmt: skip
