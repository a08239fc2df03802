"""Memory for conversations: each holds a slot, a row of keys and values that it shares with nobody.

Slots of the same capacity are rows of one tensor a layer, a bank. So conversations that are
answered together (`reading.py`) are read where they lie, and nothing is copied. A slot that is full
moves to a bank of twice its capacity. One whose conversation ends is given to the next.
"""

import weakref
from collections import OrderedDict
from collections.abc import MutableMapping
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from torch import Tensor

from eyehand.model.qwen2vl.cache import KVCache, doubled
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

_GROWTH = 2
"""A full bank gets half as many rows again."""


class Bank(KVCache):
    """Slots of one capacity: some are taken, the others wait to be.

    Args:
        network: Whose keys and values these are.
        max_tokens: Tokens a slot.

    Attributes:
        reached: Tokens of each row that were ever written: the next who takes it must find zeros.
        recorded: What knows where the keys and values lie (`writing.py`); gone when they move.
    """

    def __init__(self, network: Qwen2VLNetwork, max_tokens: int) -> None:
        super().__init__(network.config.text, 1, max_tokens, network.dtype, network.layer_devices)
        self._free = [0]
        self.reached = [0]
        self.recorded: OrderedDict[object, Any] = OrderedDict()

    def holds(self, network: Qwen2VLNetwork, capacity: int) -> bool:
        """Whether it is for this network as it is now, and of this capacity."""
        held = [(keys.dtype, keys.device) for keys in self.keys]
        needed = [(network.dtype, device) for device in network.layer_devices]
        return held == needed and self.capacity == capacity

    def take(self) -> int:
        """Return the lowest free row, emptied."""
        if not self._free:
            more = 1 + self.batch // _GROWTH
            rows = range(self.batch, self.batch + more)
            self.resize(self.batch + more, self.capacity)
            self.reached += [0] * more
            self._free += rows
        row = min(self._free)
        self._free.remove(row)
        for held in (*self.keys, *self.values):
            held[row, :, : self.reached[row]] = 0
        self.reached[row] = self.lengths[row] = self.next_positions[row] = 0
        return row

    def resize(self, batch: int, capacity: int) -> None:
        """See `KVCache.resize`."""
        if (batch, capacity) != (self.batch, self.capacity):
            self.recorded.clear()
        super().resize(batch, capacity)

    def release(self, row: int) -> None:
        """Take a row back; this may happen at any time, and only notes it."""
        self._free.append(row)


_BANKS: MutableMapping[Qwen2VLNetwork, WeakSet[Bank]] = WeakKeyDictionary()


class Slot:
    """A conversation's keys and values. It becomes free when nobody refers to it any longer.

    Args:
        network: Of the conversation.
        max_tokens: Tokens that there is room for at first; doubled whenever it is exceeded.

    Attributes:
        bank: Where it lies.
        row: Its row there.
        bound: Tokens that doubling stops at, as long as they suffice; None doubles always.
    """

    def __init__(self, network: Qwen2VLNetwork, max_tokens: int) -> None:
        self._network = network
        self.bound: int | None = None
        self._take(max_tokens)

    @property
    def place(self) -> tuple[int, int]:
        """Sorts slots so that neighbours in memory follow one another."""
        return id(self.bank), self.row

    @property
    def length(self) -> int:
        """Tokens that it holds."""
        return self.bank.lengths[self.row]

    @property
    def next_position(self) -> int:
        """Position of the token that would follow."""
        return self.bank.next_positions[self.row]

    @property
    def positions(self) -> Tensor:
        """The largest position of each token, LongTensor (capacity,)."""
        return self.bank.positions[self.row]

    @property
    def capacity(self) -> int:
        """Tokens that fit without growing."""
        return self.bank.capacity

    @property
    def nbytes(self) -> int:
        """Bytes reserved for its keys and values."""
        return self.bank.nbytes // self.bank.batch

    def reserve(self, tokens: int) -> None:
        """Make room for so many tokens, in another bank where this one's rows are too short."""
        capacity = doubled(self.capacity, tokens, self.bound)
        if capacity > self.capacity:
            if self.bank.batch == 1:
                self.bank.resize(1, capacity)
            else:
                self._move(capacity)
        self.bank.reached[self.row] = max(self.bank.reached[self.row], tokens)

    def extend(self, positions: Tensor) -> None:
        """Record that tokens were stored behind what it held.

        Args:
            positions: The largest position of each, LongTensor (L,) on the CPU.
        """
        begin, end = self.length, self.length + len(positions)
        self.positions[begin:end] = positions
        following = int(positions.max()) + 1
        self.bank.lengths[self.row] = end
        self.bank.next_positions[self.row] = max(self.next_position, following)

    def copy(self, other: "Slot") -> None:
        """Hold what another slot of the same model holds."""
        self.reserve(other.length)
        self.bank.copy_row(self.row, other.bank, other.row)

    def rewind(self, length: int) -> None:
        """See `KVCache.rewind`."""
        self.bank.rewind(length, self.row)

    def evict(self, *spans: tuple[int, int]) -> None:
        """See `KVCache.evict`."""
        self.bank.evict(self.row, *spans)

    def move_back(self, start: int, by: int) -> None:
        """See `KVCache.move_back`."""
        self.bank.move_back(self.row, start, by)

    def _move(self, capacity: int) -> None:
        """Go to a row of this capacity, with all that is held."""
        before, row, freed = self.bank, self.row, self._freed
        self._take(capacity, before, row)
        freed()

    def _take(self, capacity: int, source: Bank | None = None, source_row: int = 0) -> None:
        """Take a row, and what another one holds; where that fails, nothing has changed."""
        banks = _BANKS.setdefault(self._network, WeakSet())
        fitting = (bank for bank in banks if bank.holds(self._network, capacity))
        bank = next(fitting, None) or Bank(self._network, capacity)
        banks.add(bank)
        row = bank.take()
        freed = weakref.finalize(self, bank.release, row)
        freed.atexit = False
        if source is not None:
            bank.reached[row] = source.lengths[source_row]
            bank.copy_row(row, source, source_row)
        self.bank, self.row, self._freed = bank, row, freed
