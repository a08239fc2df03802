"""The one way to generate: sessions in, their answers out.

Several sessions share the passes of the network (`reading.py`): their pictures are encoded first,
then what is new to them is read, then each pass computes a token of all that still write. A session
by itself does the same with faster passes.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.inference.constraint import FREE, Constraint
from eyehand.model.inference.reading import read
from eyehand.model.inference.sampling import Greedy, Sampler, Sampling
from eyehand.model.inference.session import Session
from eyehand.model.inference.tokens import TokenBuffer
from eyehand.model.inference.visual_cache import Visual
from eyehand.model.memory import memory_told
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


def generate(
    sessions: Sequence[Session],
    config: GenerationConfig | Sequence[GenerationConfig],
    *,
    batch_size: int = 1,
) -> list[Generation]:
    """Lets the model continue one or several histories.

    What ends an answer (a stop word, an end token) is not part of it: afterwards a history is what
    it was before plus `Generation.token_ids`, and the caller appends what follows. Where a stop
    word begins inside a token, that token is replaced by the ids of the text before the stop word.

    An answer is the same for every number of sessions up to float rounding, and up to the last bit
    for all numbers of sessions that are given with one `batch_size` above 1.

    Args:
        sessions: Different sessions of one model; at least one.
        config: How answers are sampled: one for all, or one for each session.
        batch_size: How many sessions are answered together at most in this program. Above 1 an
            answer's bits do not depend on how many are given.

    Returns:
        The answers in the sessions' order.

    Raises:
        UsageError: No session, one given twice, sessions of different models, nothing to continue,
            a full context, or a number of configs or a batch size that cannot be.
        CheckpointError: The model's scores are not numbers.
        NotEnoughMemory: A history does not fit.
        Exception: Whatever a constraint or `on_token` raises. All histories are then what they
            were before the call.
    """
    if batch_size < 1:
        raise UsageError(f"batch_size must be at least 1, got {batch_size}")
    network = _common_network(sessions)
    configs = _one_each(config, len(sessions))
    decoders = [Decoder(*pair) for pair in zip(sessions, configs, strict=True)]
    alone = len(sessions) == batch_size == 1
    try:
        with torch.inference_mode(), memory_told(network.device, "to answer"):
            scores = _read_prompts(sessions, decoders, alone)
            going = [row for row, decoder in enumerate(decoders) if decoder.choose(scores[row])]
            while going:
                pending = [sessions[row].pending() for row in going]
                found = zip(going, read(network, pending, alone=alone), strict=True)
                going = [row for row, newest in found if decoders[row].choose(newest)]
            return [decoder.finish() for decoder in decoders]
    except BaseException:
        for decoder in decoders:
            decoder.abandon()
        raise


class Decoder:
    """An answer that grows a session's history token by token.

    `begin` once, then `choose` with the newest scores until it returns False, then `finish`; or
    `abandon` at any time.

    Args:
        session: Whose history is continued.
        config: How.
    """

    def __init__(self, session: Session, config: GenerationConfig) -> None:
        self._session = session
        self._config = config
        self._before = session.num_tokens
        self._answer = TokenBuffer(session.tokenizer, config.stop, config.on_token)
        self._sampler = Sampler(config.sampling)
        self._matcher = (config.constraint or FREE).matcher()
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
        self._limit = min(self._limit, self._session.room)
        self._vision_s, self._prefill_s = vision_s, prefill_s
        self._began_s = self._ended_s = time.perf_counter()

    def choose(self, logits: Tensor) -> bool:
        """Choose the next token and append it to the history, unless it ends the answer.

        Args:
            logits: Scores (vocabulary,) that follow the whole history.

        Returns:
            Whether the answer goes on: the token then waits to be computed.
        """
        more = self._choose(logits)
        self._ended_s = time.perf_counter()  # a token is a number here: the device has finished it
        return more

    def finish(self) -> Generation:
        """Settle text and history: what ended the answer is not part of either."""
        network = self._session.network
        began_s = _now_s(network)
        kept, rest = self._answer.settle()
        self._session.rewind(self._before + kept)
        self._session.push(*rest)
        return Generation(
            self._answer.text,
            (*self._answer.ids[:kept], *rest),
            self._reason,
            self._answer.stop_word,
            self._forced,
            vision_s=self._vision_s,
            prefill_s=self._prefill_s,
            decode_s=self._ended_s - self._began_s + _now_s(network) - began_s,
        )

    def abandon(self) -> None:
        """Make the history what it was before."""
        self._session.rewind(self._before)

    def _choose(self, logits: Tensor) -> bool:
        token, forced = self._next(logits.index_fill(-1, self._never, -torch.inf))
        if token in self._ends:
            self._reason = "eos"
            return False
        for place, one in enumerate((token, *forced)):
            if len(self._answer.ids) == self._limit:
                return False
            if self._seen is not None:
                self._seen[one] = True
            self._session.push(one)
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
        permitted = self._matcher.permitted()
        if permitted is not None:
            logits = logits.masked_fill(~permitted.to(logits.device, non_blocking=True), -torch.inf)
        while True:
            token = self._sampler.choose(logits, self._seen)
            forced = self._matcher.accept(token)
            if forced is not None:
                return token, forced
            logits = logits.clone()
            logits[token] = -torch.inf


def _read_prompts(
    sessions: Sequence[Session], decoders: Sequence[Decoder], alone: bool
) -> list[Tensor]:
    """Read all that is new; returns the scores of each answer's first token."""
    network = sessions[0].network
    began_s = _now_s(network)
    visuals = _encode(sessions)
    seen_s = _now_s(network)
    pending = [session.pending(new) for session, new in zip(sessions, visuals, strict=True)]
    scores = read(network, pending, alone=alone)
    read_s = _now_s(network)
    for decoder in decoders:
        decoder.begin(seen_s - began_s, read_s - seen_s)
    return scores


def _encode(sessions: Sequence[Session]) -> list[list[Visual]]:
    """Encode the new pictures of all sessions at once, as far as they share a memory of them."""
    visuals = [session.pending_visuals for session in sessions]
    for encoder in {id(session.encoder): session.encoder for session in sessions}.values():
        pairs = zip(sessions, visuals, strict=True)
        encoder.encode([v for session, new in pairs if session.encoder is encoder for v in new])
    return visuals


def _now_s(network: Qwen2VLNetwork) -> float:
    """Seconds on a monotonic clock, after the device has finished its work."""
    if network.device.type == "cuda":
        torch.cuda.synchronize(network.device)
    return time.perf_counter()


def _common_network(sessions: Sequence[Session]) -> Qwen2VLNetwork:
    if not sessions:
        raise UsageError("there is nobody to answer: give at least one session")
    if len({id(session) for session in sessions}) < len(sessions):
        raise UsageError("a session can give one answer at a time, and was given twice")
    if len({id(session.network) for session in sessions}) > 1:
        raise UsageError("sessions are answered together only where they share one model")
    return sessions[0].network


def _one_each(
    config: GenerationConfig | Sequence[GenerationConfig], count: int
) -> Sequence[GenerationConfig]:
    configs = [config] * count if isinstance(config, GenerationConfig) else config
    if len(configs) != count:
        raise UsageError(f"expected one config for all or {count}, one each, got {len(configs)}")
    return configs
