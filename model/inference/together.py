"""Several sessions answered together: one pass of the network a token for all of them.

Each session reads what is new to it by itself. Then their keys and values are stacked, a row a
session, and every pass computes the next token of all rows. What a row gains goes back into its
session's own cache at the end.

What a row computes does not depend on who shares the passes with it. Float sums depend on the
order of their terms, and a matrix product picks that order by the number of rows; so the number of
rows is always a multiple of `ROW_STEP` (missing ones are filled with rows that nobody reads, ended
ones stay), and attention reads a multiple of `KEY_STEP` keys, of which the masked ones weigh
exactly 0. The single-row pass of `Session.generate` rounds otherwise in the last bits.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.inference.answering import Decoder, GenerationConfig
from eyehand.model.inference.cache import KVCache, Slots
from eyehand.model.inference.generation import Generation, without_placeholders
from eyehand.model.inference.session import Session
from eyehand.model.memory import memory_told
from eyehand.model.qwen2vl.config import TextConfig
from eyehand.model.qwen2vl.model import Qwen2VL

ROW_STEP = 16 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 4
"""Rows come in multiples of this. Measured (torch 2.13, MKL, 1 and 2 threads; AVX2 up to 16): the
products of a row are then the same bits in every place, beside any rows and for any such number of
rows. With AVX2, 5, 6 or 7 rows depend on the place; with AVX-512, 12 rows and any other number
that is no multiple of 16."""

KEY_STEP = 64
"""Keys come in multiples of this: whole vectors of the kernels, so that no key falls into a
remainder that is summed in another way."""

Turn = tuple[Session, GenerationConfig]
"""A session, and how its answer is sampled."""


def generate_together(turns: Sequence[Turn], *, rows: int = 1) -> list[Generation]:
    """Lets the model continue several histories at once; see `Session.generate` for each.

    The answers are those of `Session.generate` up to float rounding, and for every number of
    turns and rows the same up to the last bit (see the module's text for what that rests on).

    Args:
        turns: Different sessions of one model, each with its rules; at least one.
        rows: At least so many rows are computed, whatever the number of turns.

    Returns:
        The answers in the turns' order. `decode_s` is the time from the first shared pass until
        the row's own end: rows wait for one another.

    Raises:
        UsageError: No turn, a session twice, sessions of different models, or what
            `Session.generate` raises for any of them.
        Exception: Whatever a constraint or `on_token` raises. All histories are then what they
            were before the call.
    """
    model = _common_model([session for session, _ in turns])
    answers = [Decoder(session, rules) for session, rules in turns]
    try:
        with torch.inference_mode(), memory_told(model.device, "to answer"):
            scores = [answer.read() for answer in answers]
            for answer in answers:
                answer.decoding_begins()
            going = [row for row, answer in enumerate(answers) if answer.choose(scores[row])]
            _decode(model, [session for session, _ in turns], answers, going, rows)
            return [answer.finish() for answer in answers]
    except BaseException:
        for answer in answers:
            answer.abandon()
        raise


def padded(count: int, step: int) -> int:
    """Return the next multiple of `step`."""
    return -(-count // step) * step


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
            padded(max(rows, len(caches)), ROW_STEP),
            padded(longest + KEY_STEP, KEY_STEP),
            held.dtype,
            held.device,
        )
        self.growing = frozenset(range(len(caches)))
        self._begin = [cache.lengths[0] for cache in caches]
        for row, cache in enumerate(caches):
            _copy_tokens(cache, 0, self, row, 0, cache.lengths[0])

    def plan(self, count: int, valid: Tensor | None = None) -> Slots:
        """Choose the places of one new token a row.

        A row that does not grow writes past its end, where nobody reads, and stays as it is.
        """
        if count != 1 or valid is not None:
            raise UsageError("stacked sessions decode one token at a time, without padding")
        extent = padded(max(self.lengths) + 1, KEY_STEP)
        self.reserve(extent)
        places = torch.tensor(self.lengths, device=self.keys[0].device)[:, None]
        counts = tuple(int(row in self.growing) for row in range(self.batch))
        return Slots(places, None, extent, None, counts)

    def give_back(self, row: int, cache: KVCache) -> int:
        """Copy what a row gained to the end of its session's cache.

        Returns:
            How many tokens that were.
        """
        begin, end = self._begin[row], self.lengths[row]
        cache.reserve(end)
        _copy_tokens(self, row, cache, 0, begin, end)
        return end - begin


def next_scores(model: Qwen2VL, stack: StackedCache, tokens: Sequence[int]) -> Tensor:
    """Compute one more token of every growing row.

    Args:
        model: The network.
        stack: What came before; it grows.
        tokens: An id a row of the stack; those of rows that do not grow are not read.

    Returns:
        The scores that follow, (rows, vocabulary); of growing rows only they mean something.
    """
    # A token of text has the same position on all three axes.
    positions = torch.tensor(stack.next_positions).expand(3, -1)[..., None]  # (3, rows, 1)
    logits: Tensor = model(
        torch.tensor(tokens)[:, None], position_ids=positions, cache=stack, last_only=True
    )
    return without_placeholders(logits[:, 0], model.config)


def _decode(
    model: Qwen2VL,
    sessions: Sequence[Session],
    answers: Sequence[Decoder],
    going: Sequence[int],
    rows: int,
) -> None:
    """Run passes until every row has ended; then the sessions get what they gained."""
    if not going:
        return
    stack = StackedCache(model.config.text, [session.cache for session in sessions], rows)
    tokens = [0] * stack.batch
    while going:
        stack.growing = frozenset(going)
        for row in going:
            tokens[row] = sessions[row].last_token
        scores = next_scores(model, stack, tokens)
        going = [row for row in going if answers[row].choose(scores[row])]
    for row, session in enumerate(sessions):
        session.computed_elsewhere(stack.give_back(row, session.cache))


def _copy_tokens(
    source: KVCache, from_row: int, target: KVCache, to_row: int, begin: int, end: int
) -> None:
    """Copy the tokens `begin` to `end` of a row to the same places of another cache's row."""
    pairs = zip((*source.keys, *source.values), (*target.keys, *target.values), strict=True)
    for old, new in pairs:
        new[to_row, :, begin:end] = old[from_row, :, begin:end]
    target.positions[to_row, begin:end] = source.positions[from_row, begin:end]
    target.lengths[to_row] = source.lengths[from_row]
    target.next_positions[to_row] = source.next_positions[from_row]


def _common_model(sessions: Sequence[Session]) -> Qwen2VL:
    if not sessions:
        raise UsageError("there is nobody to answer: give at least one session")
    if len({id(session) for session in sessions}) < len(sessions):
        raise UsageError("a session can give one answer at a time, and was given twice")
    if len({id(session.model) for session in sessions}) > 1:
        raise UsageError("sessions are answered together only where they share one model")
    return sessions[0].model
