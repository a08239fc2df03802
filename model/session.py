"""A conversation that only grows: one KV cache, exact at the level of tokens.

What was read or written once is never tokenised or computed again. Appending is cheap; all that
is new goes through the network in one pass when an answer is asked for. The last sampled token
has no keys and values yet, so it opens the next pass.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.cache import KVCache
from eyehand.model.chat import Prompt
from eyehand.model.generation import (
    STOP_WORDS,
    Continuation,
    Generation,
    StopReason,
    check_tokenizer,
    end_ids,
    now_s,
    without_placeholders,
)
from eyehand.model.image import MAX_PIXELS, MIN_PIXELS, Picture, UInt8Array
from eyehand.model.mrope import position_ids
from eyehand.model.qwen2vl import Qwen2VL
from eyehand.model.sampling import Greedy, Sampler, Sampling
from eyehand.model.tokenizer import Tokenizer
from eyehand.model.video import preprocess_video
from eyehand.model.visual_cache import Visual, VisualEncoder, join_embeds, placeholder_starts

Constraint = Callable[[Sequence[int]], Tensor | None]
"""From the ids of the answer so far to the permitted next ids, bool (vocabulary,); None: all."""

GREEDY = Greedy()
RESERVED_TOKENS = 4096
"""Cache memory to start with; it doubles when it is full."""


@dataclass(frozen=True)
class Mark:
    """A place in a session's history to come back to."""

    length: int


@dataclass
class _Placed:
    start: int  # index of the first placeholder in the history
    visual: Visual

    @property
    def stop(self) -> int:
        return self.start + self.visual.num_tokens


class Session:
    """One conversation with a model.

    Attributes:
        encoder: The vision tower with its memory; `encoder.hits` counts pictures that did not
            have to be encoded.
    """

    def __init__(
        self,
        model: Qwen2VL,
        tokenizer: Tokenizer,
        *,
        encoder: VisualEncoder | None = None,
        min_pixels: int = MIN_PIXELS,
        max_pixels: int = MAX_PIXELS,
        reserved_tokens: int = RESERVED_TOKENS,
    ) -> None:
        """Starts an empty conversation.

        Args:
            model: The network, in evaluation mode.
            tokenizer: Of the same checkpoint.
            encoder: Share one between sessions of the same model to share its memory.
            min_pixels: Smallest area at which the model sees a picture.
            max_pixels: Largest area at which the model sees a picture.
            reserved_tokens: Cache memory to start with; it grows when needed.

        Raises:
            CheckpointError: The tokenizer and the model disagree about control tokens.
        """
        check_tokenizer(model.config, tokenizer)
        self._model = model
        self._tokenizer = tokenizer
        self.encoder = encoder if encoder is not None else VisualEncoder(model)
        self._limits = {"min_pixels": min_pixels, "max_pixels": max_pixels}
        self._cache = model.new_cache(1, reserved_tokens)
        self._ids: list[int] = []
        self._visuals: list[_Placed] = []
        self._computed = 0  # tokens of the history that have been through the network
        self._evicted: set[int] = set()  # indices into _visuals

    @property
    def token_ids(self) -> list[int]:
        """A copy of the whole history: everything appended and generated."""
        return list(self._ids)

    @property
    def num_pending(self) -> int:
        """Tokens that the next answer has to compute first."""
        return len(self._ids) - self._computed

    @property
    def num_visuals(self) -> int:
        """Pictures and videos in the history."""
        return len(self._visuals)

    @property
    def cached_tokens(self) -> int:
        """Tokens whose keys and values are held; evicted pictures do not count."""
        return self._cache.lengths[0]

    def append_text(self, text: str) -> None:
        """Appends text from outside; control tokens in it stay plain characters."""
        self._ids += self._tokenizer.encode_text(text)

    def append_template(self, template: str | Sequence[int]) -> None:
        """Appends what the program itself wrote: a string with control tokens, or ids.

        Raises:
            UsageError: It holds a placeholder of a picture or a video, or an unknown id.
        """
        if isinstance(template, str):
            template = self._tokenizer.encode_template(template)
        self._append(template, [])

    def append_image(self, image: Picture) -> int:
        """Appends a picture between its two marks.

        Args:
            image: uint8 (H, W, 3 or 4) or a Pillow image.

        Returns:
            Its number, for `evict`.

        Raises:
            UsageError: It is no picture, or of an impossible size.
        """
        return self._append_visual(self.encoder.read_image(image, **self._limits))

    def append_video(self, frames: UInt8Array, *, fps: float | None = None) -> int:
        """Appends a video between its two marks; see `eyehand.model.video.preprocess_video`."""
        return self._append_visual(self.encoder.read(preprocess_video(frames, fps=fps)))

    def append_prompt(self, prompt: Prompt) -> None:
        """Appends an encoded chat with its pictures and videos.

        Raises:
            UsageError: Placeholders and visuals do not match.
        """
        self._append(prompt.ids, [self.encoder.read(visual) for visual in prompt.visuals])

    def generate(
        self,
        max_new_tokens: int = 512,
        *,
        stop: Sequence[str] = STOP_WORDS,
        sampling: Sampling = GREEDY,
        constraint: Constraint | None = None,
        on_token: Callable[[str], None] | None = None,
    ) -> Generation:
        """Lets the model continue the history.

        What ends the answer (a stop word, an end token) is not part of it: afterwards the
        history is what it was before plus `Generation.token_ids`, and the caller appends what
        follows. Where a stop word begins inside a token, that token is replaced by the ids of
        the text before the stop word.

        Args:
            max_new_tokens: Most tokens to sample, at least 1.
            stop: Words that end the answer.
            sampling: How tokens are chosen.
            constraint: Restricts the choice, for example to a grammar.
            on_token: Receives the text piece by piece as it becomes certain.

        Returns:
            The answer with its timings.

        Raises:
            UsageError: There is nothing to continue, or the context is full.
            Exception: Whatever `constraint` or `on_token` raise; the history is then what it
                was before the call.
        """
        if max_new_tokens < 1:
            raise UsageError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
        before = len(self._ids)
        try:
            with torch.inference_mode():
                return self._generate(
                    max_new_tokens, Continuation(self._tokenizer, stop, on_token),
                    Sampler(sampling), constraint,
                )  # fmt: skip
        except BaseException:
            self._cut(before)
            raise

    def mark(self) -> Mark:
        """Remembers the end of the history. Valid until the history is cut before it."""
        return Mark(len(self._ids))

    def rewind(self, mark: Mark) -> None:
        """Forgets everything after a mark; nothing is computed again.

        Raises:
            UsageError: The history is shorter than the mark.
        """
        if mark.length > len(self._ids):
            raise UsageError(
                f"the mark stands at token {mark.length}, the history has only {len(self._ids)}"
            )
        self._cut(mark.length)

    def fork(self) -> "Session":
        """Returns an independent copy that shares the model and the encoder."""
        other = Session(
            self._model, self._tokenizer, encoder=self.encoder, **self._limits,
            reserved_tokens=self._cache.capacity,
        )  # fmt: skip
        _copy_cache(self._cache, other._cache)
        other._ids = list(self._ids)
        # Copies: reading a picture in one conversation takes its embeddings from the entry.
        other._visuals = [_Placed(p.start, replace(p.visual)) for p in self._visuals]
        other._computed = self._computed
        other._evicted = set(self._evicted)
        return other

    def evict(self, number: int) -> None:
        """Drops a picture's keys and values; its marks and all positions stay.

        The result is exactly that of a network whose later tokens may not look at the picture.
        It is not the same as a history without the picture: what was read while it was visible
        keeps what it learned from it.

        Args:
            number: What `append_image` or `append_video` returned. Evicting again is harmless.

        Raises:
            UsageError: There is no such picture, or no answer has been generated since.
        """
        if not 0 <= number < len(self._visuals):
            raise UsageError(f"no picture {number}: the history has {len(self._visuals)}")
        placed = self._visuals[number]
        if placed.stop > self._computed:
            raise UsageError(f"picture {number} has not been read yet: generate first")
        if number not in self._evicted:
            with torch.inference_mode():
                self._cache.evict(0, self._rows(placed.start), self._rows(placed.stop))
            self._evicted.add(number)

    def _append_visual(self, visual: Visual) -> int:
        special = self._tokenizer.special_id
        config = self._model.config
        pad = config.video_token_id if visual.is_video else config.image_token_id
        pads = [pad] * visual.num_tokens
        ids = [special("<|vision_start|>"), *pads, special("<|vision_end|>")]
        self._append(ids, [visual])
        return len(self._visuals) - 1

    def _append(self, ids: Sequence[int], visuals: Sequence[Visual]) -> None:
        starts = placeholder_starts(ids, visuals, self._model.config)
        begin = len(self._ids)
        self._ids += ids
        self._visuals += [
            _Placed(begin + start, visual) for start, visual in zip(starts, visuals, strict=True)
        ]

    def _generate(
        self,
        max_new_tokens: int,
        answer: Continuation,
        sampler: Sampler,
        constraint: Constraint | None,
    ) -> Generation:
        before = len(self._ids)
        started = now_s(self._model.device)
        waiting = self._pending_visuals()
        self.encoder.encode(waiting)
        seen = now_s(self._model.device)
        logits = self._read_pending(waiting)
        read = now_s(self._model.device)
        reason = self._decode(logits, max_new_tokens, answer, sampler, constraint)
        kept, rest = answer.settle()
        self._cut(before + kept)
        self._ids += rest
        decoded = now_s(self._model.device)
        return Generation(
            answer.text,
            tuple(self._ids[before:]),
            reason,
            answer.stop_word,
            vision_s=seen - started,
            prefill_s=read - seen,
            decode_s=decoded - read,
        )

    def _decode(
        self,
        logits: Tensor,
        max_new_tokens: int,
        answer: Continuation,
        sampler: Sampler,
        constraint: Constraint | None,
    ) -> StopReason:
        ends = end_ids(self._model.config, self._tokenizer)
        limit = min(max_new_tokens, self._room())
        while len(answer.ids) < limit:
            permitted = None if constraint is None else constraint(answer.ids)
            if permitted is not None:
                logits = logits.masked_fill(~permitted.to(logits.device), -torch.inf)
            token = sampler.choose(logits, self._ids)
            if token in ends:
                return "eos"
            self._ids.append(token)
            if answer.push(token):
                return "stop_word"
            if len(answer.ids) < limit:
                logits = self._read_pending([])
        return "length"

    def _read_pending(self, visuals: Sequence[Visual]) -> Tensor:
        """Runs the network over what is new; returns the last token's scores (vocabulary,)."""
        if not self.num_pending:
            self._compute_last_again()
        ids = torch.tensor(self._ids[self._computed :])
        grids = [visual.grid for visual in visuals]
        config = self._model.config
        positions, following = position_ids(ids, grids, config, self._cache.next_positions[0])
        if following > config.text.max_position_embeddings:
            raise UsageError(
                f"the context is full: {following} positions are needed, the model has "
                f"{config.text.max_position_embeddings}; start anew or show smaller pictures"
            )
        logits: Tensor = self._model(
            ids[None],
            position_ids=positions[:, None],  # (3, 1, L)
            image_embeds=join_embeds(visuals, is_video=False),
            video_embeds=join_embeds(visuals, is_video=True),
            cache=self._cache,
            last_only=True,
        )
        self._computed = len(self._ids)
        for visual in visuals:
            visual.embeds = None  # the encoder remembers it; the history need not
        return without_placeholders(logits[0, -1], config)

    def _compute_last_again(self) -> None:
        """Makes the last token pending: its scores were not kept, and are asked for again."""
        if not self._ids:
            raise UsageError("there is nothing to continue: append text or a picture first")
        self._computed -= 1
        self._cache.rewind(self._rows(self._computed))

    def _pending_visuals(self) -> list[Visual]:
        return [p.visual for p in self._visuals if p.start >= self._computed]

    def _room(self) -> int:
        """Tokens that can still be sampled: the last one needs no position of its own."""
        limit = self._model.config.text.max_position_embeddings
        return limit - self._cache.next_positions[0] + 1

    def _rows(self, length: int) -> int:
        """How many rows of the cache hold the first `length` tokens of the history."""
        gone = (self._visuals[number] for number in self._evicted)
        return length - sum(p.visual.num_tokens for p in gone if p.stop <= length)

    def _cut(self, length: int) -> None:
        if self._computed > length:
            self._cache.rewind(self._rows(length))
            self._computed = length
        del self._ids[length:]
        self._visuals = [placed for placed in self._visuals if placed.stop <= length]
        self._evicted = {number for number in self._evicted if number < len(self._visuals)}


def _copy_cache(source: KVCache, target: KVCache) -> None:
    length = source.lengths[0]
    pairs = zip((*source.keys, *source.values), (*target.keys, *target.values), strict=True)
    with torch.inference_mode():
        for old, new in pairs:
            new[:, :, :length] = old[:, :, :length]
    target.positions.copy_(source.positions)
    target.lengths = list(source.lengths)
    target.next_positions = list(source.next_positions)
