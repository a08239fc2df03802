"""An answer while it is written: what it may be, how far it is, and what ends it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.inference.constraint import FREE, Constraint
from eyehand.model.inference.sampling import Greedy, Sampler, Sampling, check_best
from eyehand.model.inference.session import Session
from eyehand.model.inference.tokens import TokenBuffer
from eyehand.model.inference.writing import Row, WrittenTokens
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

StopReason = Literal["stop_word", "eos", "length", "complete"]

_GREEDY = Greedy()


@dataclass(frozen=True)
class GenerationConfig:
    """How an answer is sampled.

    Attributes:
        max_new_tokens: Most tokens to sample, at least 1.
        stop: Words that end the answer.
        sampling: How tokens are chosen; its seed starts this answer's own generator.
        constraint: Restricts the choice, for example to a grammar.
        on_token: Receives the text piece by piece as it becomes certain.
    """

    max_new_tokens: int = 512
    stop: Sequence[str] = ()
    sampling: Sampling = _GREEDY
    constraint: Constraint | None = None
    on_token: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise UsageError(f"max_new_tokens must be at least 1, got {self.max_new_tokens}")
        if isinstance(self.stop, str):
            raise UsageError(
                f"stop is a sequence of words, got the text {self.stop!r}: put it in ()"
            )


@dataclass(frozen=True)
class Generation:
    """A finished answer.

    Attributes:
        text: What the model wrote, control tokens kept, without what stopped it.
        token_ids: The same as ids: exactly what was added to the history.
        stop_reason: `stop_word`, `eos` (the model ended its turn), `length`, or `complete` (its
            constraint permits nothing more).
        stop_word: The stop word that was met, if any.
        forced_tokens: How many of the ids the constraint gave: the only ones that could follow.
        vision_s: Seconds in the vision tower. Answers that are computed together wait for one
            another, here and in what follows.
        prefill_s: Seconds for the first scores: the new prompt tokens, without the vision tower.
        decode_s: Seconds for everything after the first scores, until this answer's own end.
    """

    text: str
    token_ids: tuple[int, ...]
    stop_reason: StopReason
    stop_word: str | None = None
    forced_tokens: int = 0
    vision_s: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0


class Decoder:
    """An answer that grows a session's history token by token.

    `begin` once, then `choose` with the newest scores, or `take` with tokens that were written
    ahead, until it returns False, then `finish`; or `abandon` at any time.

    Args:
        session: Whose history is continued.
        config: How.
    """

    def __init__(self, session: Session, config: GenerationConfig) -> None:
        self.session = session
        self._config = config
        self._before = session.num_tokens
        self._answer = TokenBuffer(session.tokenizer, config.stop, config.on_token)
        self._sampler = Sampler(config.sampling)
        self._matcher = (config.constraint or FREE).matcher()
        self._mask: Tensor | None = None
        self._mask_is_known = self._refused = False
        self._forced = 0
        ids, device = session.network.config, session.network.device
        self._ends = {*ids.eos_token_ids, *session.tokenizer.eos_ids}
        # A model cannot write a picture.
        self._never = torch.tensor([ids.image_token_id, ids.video_token_id], device=device)
        self._seen: Tensor | None = None
        if config.sampling.repetition_penalty != 1:
            self._seen = torch.zeros(ids.text.vocab_size, dtype=torch.bool, device=device)
            self._seen[session.token_ids] = True
        self._limit = config.max_new_tokens
        self._reason: StopReason = "length"
        self._vision_s = self._prefill_s = self._began_s = self._ended_s = 0.0

    def begin(self, vision_s: float, prefill_s: float) -> None:
        """Say that the prompt has been read, and how long that took; `decode_s` counts from now."""
        self._limit = min(self._limit, self.session.room)
        self._vision_s, self._prefill_s = vision_s, prefill_s
        self._began_s = self._ended_s = time.perf_counter()

    def choose(self, logits: Tensor) -> bool:
        """Choose the next token and append it to the history, unless it ends the answer.

        Args:
            logits: Scores (vocabulary,) that follow the whole history.

        Returns:
            Whether the answer goes on: the token then waits to be computed.
        """
        self._refused = False
        more = self._append(*self._next(logits.index_fill(-1, self._never, -torch.inf)))
        self._ended_s = time.perf_counter()  # a token is a number here: the device has finished it
        return more

    @property
    def can_be_ahead(self) -> bool:
        """Whether the next token can be chosen by the device: one new token, not refused before."""
        return self.session.num_pending == 1 and not self._refused

    @property
    def is_held(self) -> bool:
        """Whether what may follow the next token is known only after it."""
        return not self._matcher.lasts

    def ahead(self, most: int) -> Row:
        """Return what the device needs to write the next tokens, so many at most."""
        session, left = self.session, min(most, self._limit - len(self._answer.ids))
        draws = self._sampler.foreseen(left)
        return Row(
            session.cache, session.newest, left, self._config.sampling, draws,
            self._permitted(), self._seen,
        )  # fmt: skip

    def take(self, written: WrittenTokens) -> bool:
        """Append tokens that were written ahead, as far as `choose` would have chosen them.

        Returns:
            Whether the answer goes on.
        """
        rule, taken, more = self._permitted(), 0, True
        for token, score in zip(*written, strict=True):
            if self._permitted() is not rule:
                break  # the others were chosen among other tokens
            check_best(score)
            forced = self._accept(token)
            if forced is None:
                self._refused = True
                break
            taken += 1
            more = self._append(token, forced)
            if forced or not more:
                break
        self._sampler.use(taken)
        self.session.computed(taken)
        self._ended_s = time.perf_counter()
        return more

    def finish(self) -> Generation:
        """Settle text and history: what ended the answer is not part of either."""
        network = self.session.network
        began_s = now_s(network)
        kept, rest = self._answer.settle()
        self.session.rewind(self._before + kept)
        self.session.push(*rest)
        return Generation(
            self._answer.text,
            (*self._answer.ids[:kept], *rest),
            self._reason,
            self._answer.stop_word,
            self._forced,
            vision_s=self._vision_s,
            prefill_s=self._prefill_s,
            decode_s=self._ended_s - self._began_s + now_s(network) - began_s,
        )

    def abandon(self) -> None:
        """Make the history what it was before."""
        self.session.rewind(self._before)

    def _append(self, token: int, forced: Sequence[int]) -> bool:
        if token in self._ends:
            self._reason = "eos"
            return False
        for place, one in enumerate((token, *forced)):
            if len(self._answer.ids) == self._limit:
                return False
            if self._seen is not None:
                self._seen[one] = True
            self.session.push(one)
            if self._answer.push(one):
                self._reason = "stop_word"
                return False
            self._forced += place > 0
        if self._matcher.complete:
            self._reason = "complete"
            return False
        return len(self._answer.ids) < self._limit

    def _next(self, logits: Tensor) -> tuple[int, Sequence[int]]:
        """Return the next token, and those that can only follow it."""
        permitted = self._permitted()
        if permitted is not None:
            logits = logits.masked_fill(~permitted.to(logits.device, non_blocking=True), -torch.inf)
        while True:
            token = self._sampler.choose(logits, self._seen)
            forced = self._accept(token)
            if forced is not None:
                return token, forced
            logits = logits.clone()
            logits[token] = -torch.inf

    def _permitted(self) -> Tensor | None:
        """Return what may come next; None is everything."""
        if not self._mask_is_known:
            self._mask, self._mask_is_known = self._matcher.permitted(), True
        return self._mask

    def _accept(self, token: int) -> Sequence[int] | None:
        forced = self._matcher.accept(token)
        self._mask_is_known = forced is None
        return forced


def now_s(network: Qwen2VLNetwork) -> float:
    """Seconds on a monotonic clock, after the device has finished its work."""
    if network.device.type == "cuda":
        torch.cuda.synchronize(network.device)
    return time.perf_counter()
