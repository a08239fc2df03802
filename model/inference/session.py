"""A conversation: one KV cache, exact at the level of tokens.

What was read or written once is never tokenised or computed again. Appending is cheap; all that
is new goes through the network in one pass when an answer is asked for. The last sampled token
has no keys and values yet, so it opens the next pass. Old pictures and turns can be dropped; what
should go when is said in `bounded_history.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.inference.reading import Pending, read
from eyehand.model.inference.slots import Slot
from eyehand.model.inference.visual_cache import Visual, VisualEncoder
from eyehand.model.inputs.image import Picture, UInt8Array
from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.inputs.video import preprocess_video
from eyehand.model.memory import memory_told
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.qwen2vl.mrope import position_ids

RESERVED_TOKENS = 4096
"""Cache memory to start with; it doubles when it is full."""


@dataclass
class _Placed:
    start: int  # index of the first placeholder in the history
    visual: Visual

    @property
    def stop(self) -> int:
        return self.start + self.visual.num_tokens


class Session:
    """One conversation with a model.

    `eyehand.model.inference.decode.generate` lets the model continue it. `fork`, `rewind`,
    `evict` and `drop_turns` change what it holds without computing anything again.

    Attributes:
        network: The network.
        tokenizer: Of the same checkpoint.
        encoder: The vision tower with its memory; `encoder.hits` counts pictures that did not
            have to be encoded.
        settings: How the model sees pictures.
        cache: Keys and values of the computed part of the history. Their memory goes to the next
            conversation when this one is forgotten.

    `encode_pending`, `pending`, `read_pending`, `push` and `computed` are for what drives an answer
    (`decode.py`); a conversation needs none of them.
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
        self.cache = Slot(network, reserved_tokens)
        self._ids: list[int] = []
        self._visuals: dict[int, _Placed] = {}
        self._numbered = 0
        self._turns: list[int] = []

    @property
    def token_ids(self) -> list[int]:
        """A copy of the history: everything appended and generated that was not dropped."""
        return list(self._ids)

    @property
    def num_tokens(self) -> int:
        """Length of the history."""
        return len(self._ids)

    @property
    def num_positions(self) -> int:
        """Position of the token that would follow the history (M-RoPE)."""
        visuals = self.pending_visuals
        fewer = sum(visual.num_tokens - visual.num_positions for visual in visuals)
        return self.cache.next_position + self.num_pending - fewer

    @property
    def num_pending(self) -> int:
        """Tokens that the next answer has to compute first."""
        return len(self._ids) - self.cached_tokens

    @property
    def num_visuals(self) -> int:
        """Pictures and videos in the history."""
        return len(self._visuals)

    @property
    def pending_visuals(self) -> list[Visual]:
        """Pictures and videos that no pass has read yet."""
        return [p.visual for p in self._visuals.values() if p.start >= self.cached_tokens]

    @property
    def read_visuals(self) -> dict[int, int]:
        """Number to tokens of the pictures and videos that have been read, oldest first."""
        read = ((n, p) for n, p in self._visuals.items() if p.stop <= self.cached_tokens)
        return {number: placed.visual.num_tokens for number, placed in read}

    @property
    def read_turns(self) -> list[int]:
        """Where turns begin that have been read or follow one, oldest first.

        What stands before the first one is pinned.
        """
        return [turn for turn in self._turns if turn <= self.cached_tokens]

    @property
    def cached_tokens(self) -> int:
        """Tokens whose keys and values are held."""
        return self.cache.length

    @property
    def newest(self) -> int:
        """The last token of the history."""
        return self._ids[-1]

    @property
    def room(self) -> int:
        """Tokens that can still be sampled: the last one needs no position of its own."""
        limit = self.network.config.text.max_position_embeddings
        return limit - self.cache.next_position + 1

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
        if number not in self._visuals:
            raise UsageError(f"no picture {number} in the history")
        visual = self._visuals[number].visual
        return visual.num_tokens, visual.num_positions

    def begin_turn(self) -> None:
        """Says that a turn begins at the end of the history."""
        if self._turns[-1:] != [len(self._ids)]:
            self._turns.append(len(self._ids))

    def rewind(self, length: int) -> None:
        """Forgets everything after the first `length` tokens; nothing is computed again.

        Args:
            length: What `num_tokens` was at the place to go back to.

        Raises:
            UsageError: The history is shorter than that, or the place lies inside a picture.
        """
        if not 0 <= length <= len(self._ids):
            raise UsageError(f"no token {length} to go back to: the history has {len(self._ids)}")
        if any(placed.start < length <= placed.stop for placed in self._visuals.values()):
            raise UsageError(f"token {length} lies inside a picture or video")
        # Also where nothing is cut off: a pass that was interrupted may have left a trace.
        self.cache.rewind(min(length, self.cached_tokens))
        del self._ids[length:]
        self._visuals = {n: placed for n, placed in self._visuals.items() if placed.stop < length}
        self._turns = [turn for turn in self._turns if turn <= length]

    def fork(self, reserved_tokens: int | None = None) -> "Session":
        """Returns an independent copy that shares the model and the encoder.

        Args:
            reserved_tokens: Cache memory of the copy; None is as much as there is here.
        """
        other = Session(
            self.network, self.tokenizer, encoder=self.encoder, settings=self.settings,
            reserved_tokens=reserved_tokens or self.cache.capacity,
        )  # fmt: skip
        other.cache.bound = self.cache.bound
        other.cache.copy(self.cache)
        other._ids, other._turns = list(self._ids), list(self._turns)
        # Copies: reading a picture in one conversation takes its embeddings from the entry.
        copies = {n: replace(p, visual=replace(p.visual)) for n, p in self._visuals.items()}
        other._visuals, other._numbered = copies, self._numbered
        return other

    def evict(self, *numbers: int) -> None:
        """Drops pictures' placeholders, keys and values; their marks and all positions stay.

        The result is exactly that of a network whose later tokens may not look at the pictures.
        It is not the same as a history without them: what was read while one was visible keeps
        what it learned from it.

        Args:
            numbers: What `append_image` or `append_video` returned. Evicting again is harmless.

        Raises:
            UsageError: There is no such picture, or no answer has been generated since.
        """
        spans = []
        for number in numbers:
            placed = self._visuals.get(number)
            if not 0 <= number < self._numbered:
                raise UsageError(f"no picture {number}: {self._numbered} were appended")
            if placed is not None and placed.stop > self.cached_tokens:
                raise UsageError(f"picture {number} has not been read yet: generate first")
            spans += [] if placed is None else [(placed.start, placed.stop)]
        self._drop(*sorted(set(spans)))

    def drop_turns(self, count: int) -> None:
        """Drops the oldest turns with all that is in them; positions stay.

        Raises:
            UsageError: There are not so many, or the last of them has not been read yet.
        """
        if not 0 <= count < len(self.read_turns):
            raise UsageError(f"cannot drop {count} turns: not so many have ended and been read")
        self._drop((self._turns[0], self._turns[count]))

    def gap(self, dropped: int = 0) -> int:
        """Returns the positions between the pinned beginning and what follows it.

        Args:
            dropped: How many further turns to think of as dropped.
        """
        pinned, after = ([*self._turns, 0][place] for place in (0, dropped))
        if not 0 < pinned <= after <= self.cached_tokens:
            return 0
        positions, following = self.cache.positions, self.cache.next_position
        if after < self.cached_tokens:
            following = int(positions[after])
        return following - int(positions[pinned - 1]) - 1

    def close_gap(self) -> None:
        """Rotates what follows the pinned beginning back to it, so that positions become free."""
        if gap := self.gap():
            self.cache.move_back(self._turns[0], gap)

    def encode_pending(self) -> list[Visual]:
        """Runs the vision tower over the pictures that no pass has read yet; returns them."""
        visuals = self.pending_visuals
        self.encoder.encode(visuals)
        return visuals

    def pending(self, visuals: Sequence[Visual] = ()) -> Pending:
        """Returns what is new to the network.

        Args:
            visuals: What `encode_pending` returned, where something was appended since.

        Raises:
            UsageError: There is nothing to continue, or the context is full.
        """
        if not self.num_pending:
            self._compute_last_again()
        ids = self._ids[self.cached_tokens :]
        config, begin = self.network.config, self.cache.next_position
        if len(ids) == 1:  # a token of text has the same position on all three axes
            positions, following = torch.full((3, 1), begin), begin + 1
        else:
            grids = [visual.grid for visual in visuals]
            positions, following = position_ids(torch.tensor(ids), grids, config, begin)
        if following > config.text.max_position_embeddings:
            raise UsageError(
                f"the context is full: {following} positions are needed, the model has "
                f"{config.text.max_position_embeddings}; start anew or show smaller pictures"
            )
        return Pending(self.cache, ids, positions, visuals)

    def read_pending(self, visuals: Sequence[Visual] = ()) -> Tensor:
        """Runs the network over what is new; returns the last token's scores (vocabulary,).

        The arguments and errors are those of `pending`.
        """
        return read(self.network, [self.pending(visuals)], alone=True)[0]

    def push(self, *ids: int) -> None:
        """Appends what the model wrote."""
        self._ids += ids

    def computed(self, count: int) -> None:
        """Says that the keys and values of so many pending tokens of text have been stored."""
        if count:
            begin = self.cache.next_position
            self.cache.extend(torch.arange(begin, begin + count))

    def _drop(self, *spans: tuple[int, int]) -> None:
        """Drops computed tokens, given as (start, stop) in order."""
        self.cache.evict(*spans)
        for start, stop in reversed(spans):
            del self._ids[start:stop]
        gone = {n for n, p in self._visuals.items() if any(a <= p.start < b for a, b in spans)}
        self._visuals = {
            number: replace(placed, start=_moved(placed.start, spans))
            for number, placed in self._visuals.items()
            if number not in gone
        }
        self._turns = list(dict.fromkeys(_moved(turn, spans) for turn in self._turns))

    def _append_visual(self, visual: Visual) -> int:
        special = self.tokenizer.special_id
        config = self.network.config
        pad = config.video_token_id if visual.is_video else config.image_token_id
        pads = [pad] * visual.num_tokens
        self._visuals[self._numbered] = _Placed(len(self._ids) + 1, visual)
        self._ids += [special("<|vision_start|>"), *pads, special("<|vision_end|>")]
        self._numbered += 1
        return self._numbered - 1

    def _compute_last_again(self) -> None:
        """Makes the last token pending: its scores were not kept, and are asked for again."""
        if not self._ids:
            raise UsageError("there is nothing to continue: append text or a picture first")
        self.cache.rewind(self.cached_tokens - 1)


def _moved(place: int, spans: Sequence[tuple[int, int]]) -> int:
    """Returns where a place lies after tokens were dropped before it."""
    return place - sum(min(stop, place) - start for start, stop in spans if start < place)
