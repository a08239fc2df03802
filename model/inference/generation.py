"""One answer while it is sampled: its text, its stop words, what may already be shown.

Stop words are found in bytes, because a token may hold part of a character and a stop word may
begin and end inside tokens.
"""

import codecs
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from eyehand.errors import CheckpointError
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig

StopReason = Literal["stop_word", "eos", "length"]

STOP_WORDS = ("✿RESULT✿", "✿RETURN✿")
"""Where the visual agent hands over to the environment (arXiv 2409.12191, section 2.2.1)."""


@dataclass(frozen=True)
class Generation:
    """A finished answer.

    Attributes:
        text: What the model wrote, control tokens kept, without what stopped it.
        token_ids: The same as ids: exactly what was added to the history.
        stop_reason: `stop_word`, `eos` (the model ended its turn) or `length`.
        stop_word: The stop word that was met, if any.
        vision_s: Seconds in the vision tower.
        prefill_s: Seconds for the first scores: the new prompt tokens, without the vision tower.
        decode_s: Seconds for everything after the first scores.
    """

    text: str
    token_ids: tuple[int, ...]
    stop_reason: StopReason
    stop_word: str | None = None
    vision_s: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0


@dataclass
class TokenBuffer:
    """The tokens sampled so far.

    Attributes:
        tokenizer: Gives every token's bytes.
        stop: Stop words; empty ones are ignored.
        on_token: Receives text as soon as it is certain: whole characters that cannot become
            part of a stop word. The pieces joined are the answer's text.
    """

    tokenizer: Tokenizer
    stop: Sequence[str] = ()
    on_token: Callable[[str], None] | None = None
    ids: list[int] = field(default_factory=list)
    stop_word: str | None = None
    _ends: list[int] = field(default_factory=list)  # offset of the byte after each token
    _data: bytearray = field(default_factory=bytearray)
    _end: int | None = None  # offset of the stop word
    _shown: int = 0

    def __post_init__(self) -> None:
        self._words = [(word, word.encode()) for word in self.stop if word]
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token_id: int) -> bool:
        """Takes a sampled token.

        Returns:
            Whether a stop word is now complete.
        """
        before = len(self._data)
        self._data += self.tokenizer.token_bytes(token_id)
        self.ids.append(token_id)
        self._ends.append(len(self._data))
        self._find_stop_word(before)
        self._show(self._certain_end())
        return self.stop_word is not None

    def settle(self) -> tuple[int, list[int]]:
        """Ends the answer and shows what was held back.

        The stop word's tokens are dropped. A token in which the stop word begins is dropped
        too, and the bytes before the stop word are encoded anew: the text is exact, the ids
        are then not all sampled ones.

        Returns:
            How many sampled tokens stay, and the ids that follow them.
        """
        end = len(self._data) if self._end is None else self._end
        self._show(end, final=True)
        if self._end is None:
            return len(self.ids), []
        kept = sum(token_end <= end for token_end in self._ends)
        rest = bytes(self._data[self._ends[kept - 1] if kept else 0 : end])
        return kept, self.tokenizer.encode_bytes(rest) if rest else []

    @property
    def text(self) -> str:
        """The text without the stop word; broken bytes as U+FFFD."""
        return bytes(self._data[: self._end]).decode("utf-8", "replace")

    def _find_stop_word(self, before: int) -> None:
        found = [
            (offset, word)
            for word, data in self._words
            if (offset := self._data.find(data, max(0, before - len(data) + 1))) >= 0
        ]
        if found:
            self._end, self.stop_word = min(found)

    def _certain_end(self) -> int:
        if self._end is not None:
            return self._end
        size = len(self._data)
        possible = (
            length
            for _, word in self._words
            for length in range(min(len(word) - 1, size), 0, -1)
            if self._data.endswith(word[:length])
        )
        return size - max(possible, default=0)

    def _show(self, end: int, *, final: bool = False) -> None:
        text = self._decoder.decode(bytes(self._data[self._shown : end]), final)
        self._shown = max(self._shown, end)
        if text and self.on_token is not None:
            self.on_token(text)


def check_tokenizer(config: Qwen2VLConfig, tokenizer: Tokenizer) -> None:
    """Raises CheckpointError when the tokenizer does not belong to the model."""
    expected = {
        "<|image_pad|>": config.image_token_id,
        "<|video_pad|>": config.video_token_id,
        "<|vision_start|>": config.vision_start_token_id,
    }
    for token, id_ in expected.items():
        if tokenizer.special_id(token) != id_:
            raise CheckpointError(
                f"config.json says that {token} is {id_}, the tokenizer says "
                f"{tokenizer.special_id(token)}: they belong to different checkpoints"
            )
    tokens = max(tokenizer.vocab_size, tokenizer.largest_id + 1)
    if tokens > config.text.vocab_size:
        raise CheckpointError(
            f"the tokenizer has {tokens} tokens, the model only "
            f"{config.text.vocab_size}: they belong to different checkpoints"
        )


def end_ids(config: Qwen2VLConfig, tokenizer: Tokenizer) -> frozenset[int]:
    """Returns the ids that end an answer."""
    return frozenset(config.eos_token_ids) | frozenset(tokenizer.eos_ids)


def without_placeholders(logits: Tensor, config: Qwen2VLConfig) -> Tensor:
    """Makes placeholders impossible: a model cannot write a picture.

    Args:
        logits: (..., vocabulary).
        config: Says which ids are placeholders.
    """
    ids = torch.tensor([config.image_token_id, config.video_token_id], device=logits.device)
    return logits.index_fill(-1, ids, -torch.inf)


def now_s(device: torch.device) -> float:
    """Returns seconds on a monotonic clock, after the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
