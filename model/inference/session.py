"""A conversation that only grows: one KV cache, exact at the level of tokens.

What was read or written once is never tokenised or computed again. Appending is cheap; all that
is new goes through the network in one pass when an answer is asked for. The last sampled token
has no keys and values yet, so it opens the next pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.inference.visual_cache import Visual, VisualEncoder, join_embeds
from eyehand.model.inputs.image import Picture, UInt8Array
from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.inputs.video import preprocess_video
from eyehand.model.memory import check_room, memory_told, reading_bytes
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.qwen2vl.mrope import position_ids

RESERVED_TOKENS = 4096
"""Cache memory to start with; it doubles when it is full."""


@dataclass
class _Placed:
    start: int  # index of the first placeholder in the history
    visual: Visual
    evicted: bool = False

    @property
    def stop(self) -> int:
        return self.start + self.visual.num_tokens


class Session:
    """One conversation with a model.

    `eyehand.model.inference.decode.generate` lets the model continue it. `fork`, `rewind` and
    `evict` change what it holds without computing anything again.

    Attributes:
        network: The network.
        tokenizer: Of the same checkpoint.
        encoder: The vision tower with its memory; `encoder.hits` counts pictures that did not
            have to be encoded.
        settings: How the model sees pictures.
        cache: Keys and values of the computed part of the history, a single row.

    `encode_pending`, `read_pending` and `push` are for what drives an answer (`decode.py`); a
    conversation needs none of them.
    """

    def __init__(
        self,
        network: Qwen2VLNetwork,
        tokenizer: Tokenizer,
        *,
        encoder: VisualEncoder | None = None,
        settings: ImageSettings | None = None,
        reserved_tokens: int = RESERVED_TOKENS,
    ) -> None:
        """Starts an empty conversation.

        Args:
            network: In evaluation mode.
            tokenizer: Of the same checkpoint.
            encoder: Share one between sessions of the same model to share its memory.
            settings: How the model sees pictures; None: the published limits and colours.
            reserved_tokens: Cache memory to start with; it grows when needed.

        Raises:
            CheckpointError: The tokenizer and the model disagree about control tokens.
            UsageError: The settings' patches are not the model's.
        """
        tokenizer.check_fits(network.config)
        self.network = network
        self.tokenizer = tokenizer
        self.encoder = encoder if encoder is not None else VisualEncoder(network)
        vision = network.config.vision
        self.settings = settings if settings is not None else ImageSettings.of_model(vision)
        self.settings.check_fits(vision)
        self.cache = network.new_cache(1, reserved_tokens)
        self._ids: list[int] = []
        self._visuals: list[_Placed] = []

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
        limit = self.network.config.text.max_position_embeddings
        return limit - self.cache.next_positions[0] + 1

    def append_text(self, text: str) -> None:
        """Appends text from outside; control tokens in it stay plain characters."""
        self._ids += self.tokenizer.encode_text(text)

    def append_template(self, template: str | Sequence[int]) -> None:
        """Appends what the program itself wrote: a string with control tokens, or ids.

        Raises:
            UsageError: It holds a placeholder of a picture or a video, or an unknown id.
        """
        ids = self.tokenizer.encode_template(template) if isinstance(template, str) else template
        most, config = self.network.config.text.vocab_size, self.network.config
        for id_ in ids:
            if not 0 <= id_ < most:
                raise UsageError(f"id {id_}: the model knows 0 to {most - 1}")
            if id_ in (config.image_token_id, config.video_token_id):
                raise UsageError("a placeholder without its picture or video: append that instead")
        self._ids += ids

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
            return self._append_visual(self.encoder.read_video(seen))

    def cost_of(self, number: int) -> tuple[int, int]:
        """Returns the placeholder tokens and the positions of a picture or video, by its number.

        Raises:
            UsageError: There is no such picture.
        """
        visual = self._placed(number).visual
        return visual.num_tokens, visual.num_positions

    def rewind(self, length: int) -> None:
        """Forgets everything after the first `length` tokens; nothing is computed again.

        Args:
            length: What `num_tokens` was at the place to go back to.

        Raises:
            UsageError: The history is shorter than that, or the place lies inside a picture.
        """
        if not 0 <= length <= len(self._ids):
            raise UsageError(f"no token {length} to go back to: the history has {len(self._ids)}")
        if any(placed.start < length <= placed.stop for placed in self._visuals):
            raise UsageError(f"token {length} lies inside a picture or video")
        # Also where nothing is cut off: a pass that was interrupted may have left a trace.
        self.cache.rewind(self._rows(min(length, self._computed)))
        del self._ids[length:]
        self._visuals = [placed for placed in self._visuals if placed.stop < length]

    def fork(self) -> "Session":
        """Returns an independent copy that shares the model and the encoder."""
        other = Session(
            self.network, self.tokenizer, encoder=self.encoder, settings=self.settings,
            reserved_tokens=self.cache.capacity,
        )  # fmt: skip
        other.cache.copy_row(0, self.cache, 0)
        other._ids = list(self._ids)
        # Copies: reading a picture in one conversation takes its embeddings from the entry.
        other._visuals = [replace(p, visual=replace(p.visual)) for p in self._visuals]
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
        if not placed.evicted:
            self.cache.evict(0, self._rows(placed.start), self._rows(placed.stop))
            placed.evicted = True

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
        config = self.network.config
        positions, following = position_ids(ids, grids, config, self.cache.next_positions[0])
        if following > config.text.max_position_embeddings:
            raise UsageError(
                f"the context is full: {following} positions are needed, the model has "
                f"{config.text.max_position_embeddings}; start anew or show smaller pictures"
            )
        itemsize = self.network.dtype.itemsize
        check_room(reading_bytes(config, len(ids), itemsize), self.network.device, "to read")
        logits: Tensor = self.network(
            ids[None],
            position_ids=positions[:, None],  # (3, 1, L)
            image_embeds=join_embeds(visuals, is_video=False),
            video_embeds=join_embeds(visuals, is_video=True),
            cache=self.cache,
            last_only=True,
        )
        for visual in visuals:
            visual.embeds = None  # the encoder remembers it; the history need not
        return logits[0, -1]

    def push(self, *ids: int) -> None:
        """Appends what the model wrote."""
        self._ids += ids

    @property
    def _computed(self) -> int:
        """Tokens of the history that have been through the network."""
        return self.cache.lengths[0] + sum(p.visual.num_tokens for p in self._visuals if p.evicted)

    def _placed(self, number: int) -> _Placed:
        if not 0 <= number < len(self._visuals):
            raise UsageError(f"no picture {number}: the history has {len(self._visuals)}")
        return self._visuals[number]

    def _append_visual(self, visual: Visual) -> int:
        special = self.tokenizer.special_id
        config = self.network.config
        pad = config.video_token_id if visual.is_video else config.image_token_id
        pads = [pad] * visual.num_tokens
        self._visuals.append(_Placed(len(self._ids) + 1, visual))
        self._ids += [special("<|vision_start|>"), *pads, special("<|vision_end|>")]
        return len(self._visuals) - 1

    def _compute_last_again(self) -> None:
        """Makes the last token pending: its scores were not kept, and are asked for again."""
        if not self._ids:
            raise UsageError("there is nothing to continue: append text or a picture first")
        self.cache.rewind(self._rows(self._computed - 1))

    def _rows(self, length: int) -> int:
        """How many rows of the cache hold the first `length` tokens of the history."""
        gone = (p.visual.num_tokens for p in self._visuals if p.evicted and p.stop <= length)
        return length - sum(gone)
