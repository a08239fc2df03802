"""The tokens of an answer while it grows: its text, its stop words, what may already be shown.

Stop words are found in bytes, because a token may hold part of a character and a stop word may
begin and end inside tokens.
"""

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from eyehand.model.inputs.tokenizer import Tokenizer


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
