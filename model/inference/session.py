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
from eyehand.model.inference.answering import GREEDY, Decoder, GenerationConfig
from eyehand.model.inference.answering import Constraint as Constraint
from eyehand.model.inference.cache import KVCache
from eyehand.model.inference.generation import (
    STOP_WORDS,
    Generation,
    check_tokenizer,
    without_placeholders,
)
from eyehand.model.inference.sampling import Sampling
from eyehand.model.inference.visual_cache import (
    Visual,
    VisualEncoder,
    join_embeds,
    placeholder_starts,
)
from eyehand.model.inputs.chat import Prompt
from eyehand.model.inputs.image import Picture, UInt8Array
from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.inputs.video import preprocess_video
from eyehand.model.memory import check_room, memory_told, reading_bytes
from eyehand.model.qwen2vl.model import Qwen2VL
from eyehand.model.qwen2vl.mrope import position_ids

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
        model: The network.
        tokenizer: Of the same checkpoint.
        encoder: The vision tower with its memory; `encoder.hits` counts pictures that did not
            have to be encoded.
        settings: How the model sees pictures.
        cache: Keys and values of the computed part of the history, a single row.

    `encode_pending`, `read_pending`, `push`, `cut` and `computed_elsewhere` are for what drives
    an answer (`answering.py`, `together.py`); a conversation needs none of them.
    """

    def __init__(
        self,
        model: Qwen2VL,
        tokenizer: Tokenizer,
        *,
        encoder: VisualEncoder | None = None,
        settings: ImageSettings | None = None,
        reserved_tokens: int = RESERVED_TOKENS,
    ) -> None:
        """Starts an empty conversation.

        Args:
            model: The network, in evaluation mode.
            tokenizer: Of the same checkpoint.
            encoder: Share one between sessions of the same model to share its memory.
            settings: How the model sees pictures; None: the published limits and colours.
            reserved_tokens: Cache memory to start with; it grows when needed.

        Raises:
            CheckpointError: The tokenizer and the model disagree about control tokens.
            UsageError: The settings' patches are not the model's.
        """
        check_tokenizer(model.config, tokenizer)
        self.model = model
        self.tokenizer = tokenizer
        self.encoder = encoder if encoder is not None else VisualEncoder(model)
        vision = model.config.vision
        self.settings = settings if settings is not None else ImageSettings.of_model(vision)
        self.settings.check_fits(vision)
        self.cache = model.new_cache(1, reserved_tokens)
        self._ids: list[int] = []
        self._visuals: list[_Placed] = []
        self._computed = 0  # tokens of the history that have been through the network
        self._evicted: set[int] = set()  # indices into _visuals

    @property
    def token_ids(self) -> list[int]:
        """A copy of the whole history: everything appended and generated."""
        return list(self._ids)

    @property
    def num_tokens(self) -> int:
        """Length of the history."""
        return len(self._ids)

    @property
    def last_token(self) -> int:
        """The newest id of the history, which must not be empty."""
        return self._ids[-1]

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
        return self.cache.lengths[0]

    @property
    def room(self) -> int:
        """Tokens that can still be sampled: the last one needs no position of its own."""
        limit = self.model.config.text.max_position_embeddings
        return limit - self.cache.next_positions[0] + 1

    def append_text(self, text: str) -> None:
        """Appends text from outside; control tokens in it stay plain characters."""
        self._ids += self.tokenizer.encode_text(text)

    def append_template(self, template: str | Sequence[int]) -> None:
        """Appends what the program itself wrote: a string with control tokens, or ids.

        Raises:
            UsageError: It holds a placeholder of a picture or a video, or an unknown id.
        """
        if isinstance(template, str):
            template = self.tokenizer.encode_template(template)
        self._append(template, [])

    def append_image(self, image: Picture) -> int:
        """Appends a picture between its two marks.

        Args:
            image: uint8 (H, W, 3 or 4) or a Pillow image.

        Returns:
            Its number, for `cost_of` and `evict`.

        Raises:
            UsageError: It is no picture, or of an impossible size.
        """
        with memory_told(torch.device("cpu"), "for a picture"):
            return self._append_visual(self.encoder.read_image(image, self.settings))

    def append_video(self, frames: UInt8Array, *, fps: float | None = None) -> int:
        """Appends a video between its two marks; its frames are at most as large as a picture.

        Returns its number. The arguments are those of `preprocess_video`.
        """
        with memory_told(torch.device("cpu"), "for a video"):
            seen = preprocess_video(frames, self.settings, fps=fps)
            return self._append_visual(self.encoder.read(seen))

    def cost_of(self, number: int) -> tuple[int, int]:
        """Returns the placeholder tokens and the positions of a picture or video, by its number.

        Raises:
            UsageError: There is no such picture.
        """
        visual = self._placed(number).visual
        return visual.num_tokens, visual.num_positions

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
            CheckpointError: The model's scores are not numbers.
            NotEnoughMemory: The history does not fit.
            Exception: Whatever `constraint` or `on_token` raise; the history is then what it
                was before the call.
        """
        answering = Decoder(
            self, GenerationConfig(max_new_tokens, stop, sampling, constraint, on_token)
        )
        try:
            with torch.inference_mode(), memory_told(self.model.device, "to answer"):
                logits = answering.read()
                while answering.choose(logits):
                    logits = self.read_pending()
                return answering.finish()
        except BaseException:
            answering.abandon()
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
        self.cut(mark.length)

    def fork(self) -> "Session":
        """Returns an independent copy that shares the model and the encoder."""
        other = Session(
            self.model, self.tokenizer, encoder=self.encoder, settings=self.settings,
            reserved_tokens=self.cache.capacity,
        )  # fmt: skip
        _copy_cache(self.cache, other.cache)
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
        placed = self._placed(number)
        if placed.stop > self._computed:
            raise UsageError(f"picture {number} has not been read yet: generate first")
        if number not in self._evicted:
            with torch.inference_mode():
                self.cache.evict(0, self._rows(placed.start), self._rows(placed.stop))
            self._evicted.add(number)

    def encode_pending(self) -> list[Visual]:
        """Runs the vision tower over the pictures that no pass has read yet; returns them."""
        visuals = [p.visual for p in self._visuals if p.start >= self._computed]
        self.encoder.encode(visuals)
        return visuals

    def read_pending(self, visuals: Sequence[Visual] = ()) -> Tensor:
        """Runs the network over what is new.

        Args:
            visuals: What `encode_pending` returned, where something was appended since.

        Returns:
            The last token's scores (vocabulary,).

        Raises:
            UsageError: There is nothing to continue, or the context is full.
        """
        if not self.num_pending:
            self._compute_last_again()
        ids = torch.tensor(self._ids[self._computed :])
        grids = [visual.grid for visual in visuals]
        config = self.model.config
        positions, following = position_ids(ids, grids, config, self.cache.next_positions[0])
        if following > config.text.max_position_embeddings:
            raise UsageError(
                f"the context is full: {following} positions are needed, the model has "
                f"{config.text.max_position_embeddings}; start anew or show smaller pictures"
            )
        itemsize = self.model.dtype.itemsize
        check_room(reading_bytes(config, len(ids), itemsize), self.model.device, "to read")
        logits: Tensor = self.model(
            ids[None],
            position_ids=positions[:, None],  # (3, 1, L)
            image_embeds=join_embeds(visuals, is_video=False),
            video_embeds=join_embeds(visuals, is_video=True),
            cache=self.cache,
            last_only=True,
        )
        self._computed = len(self._ids)
        for visual in visuals:
            visual.embeds = None  # the encoder remembers it; the history need not
        return without_placeholders(logits[0, -1], config)

    def push(self, *ids: int) -> None:
        """Appends what the model wrote."""
        self._ids += ids

    def computed_elsewhere(self, count: int) -> None:
        """Notes that the cache now holds `count` more tokens of the history."""
        self._computed += count

    def cut(self, length: int) -> None:
        """Forgets everything after the first `length` tokens."""
        if self._computed > length:
            self.cache.rewind(self._rows(length))
            self._computed = length
        del self._ids[length:]
        self._visuals = [placed for placed in self._visuals if placed.stop <= length]
        self._evicted = {number for number in self._evicted if number < len(self._visuals)}

    def _placed(self, number: int) -> _Placed:
        if not 0 <= number < len(self._visuals):
            raise UsageError(f"no picture {number}: the history has {len(self._visuals)}")
        return self._visuals[number]

    def _append_visual(self, visual: Visual) -> int:
        special = self.tokenizer.special_id
        config = self.model.config
        pad = config.video_token_id if visual.is_video else config.image_token_id
        pads = [pad] * visual.num_tokens
        ids = [special("<|vision_start|>"), *pads, special("<|vision_end|>")]
        self._append(ids, [visual])
        return len(self._visuals) - 1

    def _append(self, ids: Sequence[int], visuals: Sequence[Visual]) -> None:
        starts = placeholder_starts(ids, visuals, self.model.config)
        begin = len(self._ids)
        self._ids += ids
        self._visuals += [
            _Placed(begin + start, visual) for start, visual in zip(starts, visuals, strict=True)
        ]

    def _compute_last_again(self) -> None:
        """Makes the last token pending: its scores were not kept, and are asked for again."""
        if not self._ids:
            raise UsageError("there is nothing to continue: append text or a picture first")
        self._computed -= 1
        self.cache.rewind(self._rows(self._computed))

    def _rows(self, length: int) -> int:
        """How many rows of the cache hold the first `length` tokens of the history."""
        gone = (self._visuals[number] for number in self._evicted)
        return length - sum(p.visual.num_tokens for p in gone if p.stop <= length)


def _copy_cache(source: KVCache, target: KVCache) -> None:
    length = source.lengths[0]
    pairs = zip((*source.keys, *source.values), (*target.keys, *target.values), strict=True)
    with torch.inference_mode():
        for old, new in pairs:
            new[:, :, :length] = old[:, :, :length]
    target.positions.copy_(source.positions)
    target.lengths = list(source.lengths)
    target.next_positions = list(source.next_positions)
