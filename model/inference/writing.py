"""Tokens that are written without the host: a step of fixed shapes, recorded once and replayed.

A step computes a token for each row of a bank's span: it reads the newest token out of a buffer,
stores its keys and values where the row ends, attends to what the row holds, chooses the next token
and puts it where the first one was. All that differs from step to step lies in tensors, so that on
CUDA it is one graph, replayed several times before anybody looks at the tokens. On a CPU the same
function is called.
"""

import functools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from eyehand.model.inference.sampling import Sampling, Way, choose, rule_numbers
from eyehand.model.inference.slots import Bank, Slot
from eyehand.model.qwen2vl.cache import Slots
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.qwen2vl.split_attention import attend_split, length_mask

_LOG = logging.getLogger(__name__)

AHEAD = 8
"""Tokens between two looks, on a GPU: what is computed behind an answer's end is lost."""
LEAST_EXTENT = 128
"""Keys are read in twos and threes of powers of two, from so many on: each number is a graph."""
MOST_RECORDED = 24
"""Graphs of a bank; those not used for longest are forgotten."""
_WARM_UPS = 2


@dataclass(frozen=True)
class Row:
    """What writing needs of a conversation with one new token.

    Attributes:
        slot: Its keys and values.
        token: The new one, of text.
        left: So many tokens may follow it, from 1 to the writer's `ahead`.
        sampling: How they are chosen.
        draws: A number in [0, 1) for each of them (`Sampler.foreseen`).
        permitted: bool (vocabulary,), the ids that may be chosen; None is all.
        seen: bool (vocabulary,), the ids that the repetition penalty applies to; None is none.
    """

    slot: Slot
    token: int
    left: int
    sampling: Sampling
    draws: Sequence[float]
    permitted: Tensor | None = None
    seen: Tensor | None = None


class WrittenTokens(NamedTuple):
    """Tokens of a row in order, and the highest score at each, for `check_best`."""

    ids: list[int]
    highest: list[float]


class Writer:
    """Writes tokens of conversations with one network.

    Args:
        network: In evaluation mode, on one device; it must not change while this is used.
        ahead: Most tokens between two looks, 1 or more.

    Attributes:
        ahead: See above.
    """

    def __init__(self, network: Qwen2VLNetwork, ahead: int) -> None:
        self.ahead = ahead
        self._network = network
        if network.device.type == "cuda":
            network.model.join_products()
        # A graph knows addresses: weights that were put elsewhere since make it useless.
        self._weights = tuple(x.data_ptr() for x in (*network.parameters(), *network.buffers()))
        config = network.config
        self._never = [config.image_token_id, config.video_token_id]

    def write(self, rows: Sequence[Row]) -> list[WrittenTokens]:
        """Write as many tokens of each row as it may have.

        Keys and values are stored, and no length is changed: who takes tokens says so to the slot.

        Args:
            rows: Of different slots.

        Raises:
            NotEnoughMemory: A history does not fit.
        """
        for row in rows:
            row.slot.reserve(row.slot.length + row.left)
        started = []
        for bank in {id(row.slot.bank): row.slot.bank for row in rows}.values():
            places = {row.slot.row: n for n, row in enumerate(rows) if row.slot.bank is bank}
            for span in _spans(bank, sorted(places)):
                inside = {place: n for place, n in places.items() if place in span}
                step = self._step(bank, span, [rows[n] for n in inside.values()])
                given = {place - span.start: rows[n] for place, n in inside.items()}
                step.start(bank, span, given)
                started.append((step, list(inside.values()), list(given.items())))
        written: dict[int, WrittenTokens] = {}
        for step, numbers, given_rows in started:
            written.update(zip(numbers, step.written(given_rows), strict=True))
        return [written[n] for n in range(len(rows))]

    def _step(self, bank: Bank, span: range, rows: Sequence[Row]) -> "FixedStep":
        longest = max(row.slot.length + row.left for row in rows)
        extent = min(bucket(longest), bank.capacity)
        way = Way.of([row.sampling for row in rows], self._network.config.text.vocab_size)
        key = (span, extent, way, self.ahead, self._weights)
        step: FixedStep | None = bank.recorded.pop(key, None)
        if step is None:
            step = FixedStep(self._network, bank, span, extent, way, self.ahead, self._never)
        bank.recorded[key] = step
        while len(bank.recorded) > MOST_RECORDED:
            bank.recorded.popitem(last=False)
        return step


class FixedStep:
    """A step in fixed shapes, and the buffers that it reads and writes.

    Args:
        network: The network.
        bank: Where the rows lie; when they move, this is of no more use.
        span: Which rows of it.
        extent: Keys that are read of each.
        way: How tokens are chosen.
        ahead: Most tokens a start.
        never: Ids that are never written.
    """

    tile: int | None = None

    def __init__(
        self, network: Qwen2VLNetwork, bank: Bank, span: range, extent: int, way: Way, ahead: int,
        never: Sequence[int],
    ) -> None:  # fmt: skip
        rows, device, words = len(span), network.device, network.config.text.vocab_size
        rows_of = slice(span.start, span.stop)
        self._network, self._way, self._extent = network, way, extent
        self._keys, self._values = ([x[rows_of] for x in y] for y in (bank.keys, bank.values))
        self._rows = torch.arange(rows, device=device)
        self._state = torch.zeros(4, rows, dtype=torch.long, device=device)
        self._numbers = torch.zeros(4 + ahead, rows, dtype=torch.float64, device=device)
        self._never = torch.tensor(never, device=device)
        self._forbidden = torch.zeros(rows, words, dtype=torch.bool, device=device)
        self._forbidden[:, self._never] = True
        self._held: set[int] = set()  # rows that forbid more than that
        self._seen = torch.zeros_like(self._forbidden) if way.penalises else None
        self._number = torch.zeros(1, dtype=torch.long, device=device)
        self._found = torch.zeros(2, ahead, rows, dtype=torch.float64, device=device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._recorded = device.type != "cuda"

    def start(self, bank: Bank, span: range, rows: dict[int, Row]) -> None:
        """Write tokens, without waiting for them.

        Args:
            bank: The one that it was made for.
            span: Likewise.
            rows: By their place in the span; the others are idle.
        """
        if not self._recorded:
            self._load(bank, span, rows, idle=True)
            self._record()
        self._load(bank, span, rows)
        for _ in range(max(row.left for row in rows.values())):
            if self._graph is not None:
                self._graph.replay()
            else:
                self._once()

    def written(self, rows: Sequence[tuple[int, Row]]) -> list[WrittenTokens]:
        """Wait for the tokens of rows, given with their places, and return them."""
        ids, highest = self._found.transpose(1, 2).tolist()
        return [
            WrittenTokens([int(id_) for id_ in ids[place][: row.left]], highest[place][: row.left])
            for place, row in rows
        ]

    def attend(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, slots: Slots, mask: Tensor | None,
        *, causal: bool,
    ) -> Tensor:  # fmt: skip
        """See `Store`."""
        keys, values = self._keys[layer], self._values[layer]
        keys[self._rows, :, slots.places[:, 0]] = k[:, :, 0]
        values[self._rows, :, slots.places[:, 0]] = v[:, :, 0]
        return attend_split(q, keys[:, :, : self._extent], values[:, :, : self._extent], mask)

    def _load(self, bank: Bank, span: range, rows: dict[int, Row], *, idle: bool = False) -> None:
        """Fill the buffers; idle rows write where they end, again and again."""
        ends = [bank.lengths[row] for row in span]
        state = torch.tensor([[0] * len(span), ends, [0] * len(span), [0] * len(span)])
        numbers = torch.zeros(self._numbers.shape, dtype=torch.float64)
        places = list(rows)
        state[:, places] = torch.tensor(
            [(r.token, r.slot.length, r.slot.next_position, r.left) for r in rows.values()]
        ).T
        numbers[:4, places] = rule_numbers([row.sampling for row in rows.values()])
        for place, row in rows.items():
            numbers[4 : 4 + len(row.draws), place] = torch.tensor(row.draws, dtype=torch.float64)
            self._forbid(place, row.permitted)
            if self._seen is not None and row.seen is not None:
                self._seen[place] = row.seen
        if idle:
            state[3] = 0
        for at, end in zip(span, ends, strict=True):
            bank.reached[at] = max(bank.reached[at], end + 1)
        self._state.copy_(state)
        self._numbers.copy_(numbers)
        self._number.zero_()

    def _forbid(self, place: int, permitted: Tensor | None) -> None:
        if permitted is None and place not in self._held:
            return
        row = self._forbidden[place]
        if permitted is None:
            row.zero_()
            self._held.discard(place)
        else:
            row.copy_(~permitted, non_blocking=True)
            self._held.add(place)
        row[self._never] = True

    def _once(self) -> None:
        """Compute a token of each row: a function of the buffers alone."""
        network, (tokens, places, positions, left) = self._network, self._state
        embeds = network.model.embed_tokens(tokens[:, None])  # (R, 1, C)
        key_heads = self._keys[0].shape[1]
        hidden = network.model(
            embeds,
            positions.expand(3, -1)[..., None],
            length_mask(places, key_heads, self._extent, embeds.dtype),
            causal=False,
            cache=self,
            slots=Slots(places[:, None], None, self._extent, None, (1,) * len(places)),
        )
        scores = network.logits(hidden[:, 0]).masked_fill(self._forbidden, -torch.inf)
        draws = self._numbers[4:].index_select(0, self._number)[0]
        ids, highest = choose(scores, self._way, self._numbers[:4], draws, self._seen)
        found = torch.stack((ids.double(), highest.double()))[:, None]  # (2, 1, R)
        self._found.index_copy_(1, self._number, found)
        # The last token that a row may have is not fed back: it would be stored out of bounds.
        goes_on = left > 1
        if self._seen is not None:
            known = self._seen.gather(1, ids[:, None]) | goes_on[:, None]
            self._seen.scatter_(1, ids[:, None], known)
        tokens.copy_(torch.where(goes_on, ids, tokens))
        self._state[1:3] += goes_on
        left -= goes_on.long()
        self._number += 1

    def _record(self) -> None:
        """Record a step; one that cannot be recorded is taken kernel by kernel."""
        self._recorded = True
        stream = torch.cuda.Stream(self._network.device)  # type: ignore[no-untyped-call]
        try:
            stream.wait_stream(torch.cuda.current_stream(self._network.device))
            with torch.cuda.stream(stream):
                for _ in range(_WARM_UPS):
                    self._once()
                    self._number.zero_()
            torch.cuda.synchronize(self._network.device)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(
                graph, _pool(self._network.device), stream, capture_error_mode="thread_local"
            ):
                self._once()
            self._graph = graph
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            reason = (str(error).splitlines() or ["no reason given"])[0]
            _LOG.warning("a step of writing cannot be recorded: %s", reason)
        torch.cuda.synchronize(self._network.device)


@functools.cache
def _pool(device: torch.device) -> Any:
    """Return the memory that all graphs of a device share: one is replayed at a time."""
    with torch.cuda.device(device):
        return torch.cuda.graph_pool_handle()


def bucket(tokens: int) -> int:
    """Return the keys that are read for so many tokens: a power of two, or half as much again."""
    extent = LEAST_EXTENT
    while extent < tokens:
        extent = extent * 3 // 2 if extent & (extent - 1) == 0 else extent * 4 // 3
    return extent


def _spans(bank: Bank, rows: Sequence[int]) -> Iterator[range]:
    """Yield spans of a bank that hold the rows; what else they hold has a free place to idle at."""

    def idles(begin: int, end: int) -> bool:
        return all(bank.lengths[row] < bank.capacity for row in range(begin, end))

    first = rows[0]
    for row, after in zip(rows, [*rows[1:], None], strict=True):
        if after is not None and idles(row + 1, after):
            continue
        # Ends at multiples, so that few spans are met as answers end one after another.
        step = 1 << max(0, (row + 1 - first).bit_length() - 3)
        start, stop = first // step * step, min(-(-(row + 1) // step) * step, bank.batch)
        wide = idles(start, first) and idles(row + 1, stop)
        yield range(start, stop) if wide else range(first, row + 1)
        first = after if after is not None else first
