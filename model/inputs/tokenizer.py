"""Text to token ids and back, without letting text forge control tokens.

Byte-level BPE with Qwen2's rules: Unicode NFC, a split into words in which digits stand alone,
then merges of bytes. A string such as "<|im_end|>" has two readings. In a template it is one
control token; in text that a person or a web page wrote it must stay the ten characters that it
is, or the page could end the user's turn and speak as the system. `encode_text` gives the second
reading and `encode_template` the first.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, trainers

from eyehand.errors import CheckpointError, UsageError
from eyehand.model.inputs.tokenizer_files import (
    WORD_PATTERN,
    library_told,
    read_single_file,
    read_vocab_and_merges,
    write_folder,
)
from eyehand.model.qwen2vl.config import Qwen2VLConfig

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
"""Qwen2-VL's control tokens in the order of their ids."""

END_OF_TEXT = "<|endoftext|>"
END_OF_TURN = "<|im_end|>"


def _byte_symbols() -> dict[str, int]:
    """Which byte each symbol of a byte-level vocabulary stands for.

    Printable bytes stand for themselves; the others were numbered from U+0100 upwards (GPT-2's
    scheme, which every byte-level BPE follows).
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    symbols = {chr(byte): byte for byte in printable}
    return symbols | {chr(256 + index): byte for index, byte in enumerate(others)}


_BYTE_OF_SYMBOL = _byte_symbols()
_SYMBOL_OF_BYTE = {byte: symbol for symbol, byte in _BYTE_OF_SYMBOL.items()}


class Tokenizer:
    """A Qwen2-VL tokenizer.

    Ids of control tokens come from the folder: a checkpoint with another vocabulary works
    unchanged.
    """

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        """Wraps a tokenizer whose added tokens include Qwen2-VL's control tokens.

        Args:
            backend: The `tokenizers` object as it was loaded or trained; owned from now on.

        Raises:
            CheckpointError: A control token is missing.
        """
        self._backend = backend
        # From here on the object reads control tokens as plain text; `encode_template` splits
        # them off itself. Flipping the switch per call would be shared state between threads.
        self._backend.encode_special_tokens = True
        added = backend.get_added_tokens_decoder()
        self._special_ids = {token.content: id_ for id_, token in added.items() if token.special}
        missing = [token for token in SPECIAL_TOKENS if token not in self._special_ids]
        if missing:
            raise CheckpointError(
                f"not a Qwen2-VL tokenizer: it lacks the control tokens {', '.join(missing)}"
            )
        longest_first = sorted(self._special_ids, key=len, reverse=True)
        self._special = re.compile(f"({'|'.join(map(re.escape, longest_first))})")

    @classmethod
    def from_folder(cls, folder: str | Path) -> "Tokenizer":
        """Loads `tokenizer.json`, or else `vocab.json` and `merges.txt`.

        Args:
            folder: A checkpoint folder in Hugging Face's layout.

        Raises:
            CheckpointError: The files are missing or unreadable.
        """
        folder = Path(folder)
        if (folder / "tokenizer.json").is_file():
            return cls(read_single_file(folder / "tokenizer.json"))
        if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
            return cls(_with_specials(_bare_tokenizer(read_vocab_and_merges(folder))))
        raise CheckpointError(
            f"{folder} holds no tokenizer: expected tokenizer.json, or vocab.json and merges.txt"
        )

    @property
    def vocab_size(self) -> int:
        """Number of ids, control tokens included."""
        return int(self._backend.get_vocab_size(with_added_tokens=True))

    @property
    def vocabulary(self) -> dict[str, int]:
        """Every token's id, control tokens included; bytes are written as `tokenizers` does."""
        tokens: dict[str, int] = self._backend.get_vocab(with_added_tokens=True)
        return tokens

    @property
    def largest_id(self) -> int:
        """The largest id, which is further than their number where some are left out."""
        return max(self.vocabulary.values())

    @property
    def special_ids(self) -> dict[str, int]:
        """Every control token's id."""
        return dict(self._special_ids)

    def special_id(self, token: str) -> int:
        """Returns the id of a control token, such as `<|im_end|>`.

        Raises:
            UsageError: The tokenizer has no such control token.
        """
        try:
            return self._special_ids[token]
        except KeyError:
            known = ", ".join(self._special_ids)
            raise UsageError(f"no control token {token!r}; this tokenizer has {known}") from None

    @property
    def eos_ids(self) -> tuple[int, int]:
        """Ids that end generation: end of turn and end of text."""
        return self.special_id(END_OF_TURN), self.special_id(END_OF_TEXT)

    @property
    def pad_id(self) -> int:
        """Id that fills the unused end of a batch's rows."""
        return self.special_id(END_OF_TEXT)

    def encode_text(self, text: str) -> list[int]:
        """Encodes text from outside; control tokens in it stay plain characters.

        Args:
            text: Any text. Lone surrogates, which have no UTF-8 form, become "?".
        """
        clean = text.encode("utf-8", "replace").decode("utf-8")
        with library_told("the tokenizer cannot read a text"):
            return list(self._backend.encode(clean, add_special_tokens=False).ids)

    def encode_template(self, text: str) -> list[int]:
        """Encodes text that the program itself wrote; control tokens become their ids."""
        ids: list[int] = []
        for piece in self._special.split(text):
            if piece in self._special_ids:
                ids.append(self._special_ids[piece])
            elif piece:
                ids.extend(self.encode_text(piece))
        return ids

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """Returns the text of ids. Control tokens are kept unless told: boxes are made of them.

        Bytes that are not valid UTF-8 become U+FFFD.
        """
        with library_told("the tokenizer cannot write a text"):
            text: str = self._backend.decode(list(ids), skip_special_tokens=skip_special_tokens)
        return text

    def token_bytes(self, token_id: int) -> bytes:
        """Returns the bytes that an id stands for; none for an id without a token.

        A token may hold part of a character. Embedding tables have more rows than there are
        tokens, so that ids without a token exist.
        """
        token = self._backend.id_to_token(token_id)
        if token is None:
            return b""
        values = [_BYTE_OF_SYMBOL.get(symbol) for symbol in token]
        # An added token may hold characters outside the alphabet of bytes: it is literal then.
        known = [value for value in values if value is not None]
        return bytes(known) if len(known) == len(token) else token.encode()

    def encode_bytes(self, data: bytes) -> list[int]:
        """Encodes bytes exactly, also where they are no complete text.

        Whole NFC text is encoded as `encode_text` does, anything else byte by byte.
        """
        ids = self.encode_text(data.decode("utf-8", "replace"))
        if b"".join(map(self.token_bytes, ids)) == data:
            return ids
        found = (self._backend.token_to_id(_SYMBOL_OF_BYTE[byte]) for byte in data)
        return [id_ for id_ in found if id_ is not None]

    def check_fits(self, config: Qwen2VLConfig) -> None:
        """Compares with what a model reads and writes.

        Raises:
            CheckpointError: The tokenizer does not belong to the model.
        """
        expected = {
            "<|image_pad|>": config.image_token_id,
            "<|video_pad|>": config.video_token_id,
            "<|vision_start|>": config.vision_start_token_id,
        }
        for token, id_ in expected.items():
            if self.special_id(token) != id_:
                raise CheckpointError(
                    f"config.json says that {token} is {id_}, the tokenizer says "
                    f"{self.special_id(token)}: they belong to different checkpoints"
                )
        tokens = max(self.vocab_size, self.largest_id + 1)
        if tokens > config.text.vocab_size:
            raise CheckpointError(
                f"the tokenizer has {tokens} tokens, the model only "
                f"{config.text.vocab_size}: they belong to different checkpoints"
            )

    def save(self, folder: str | Path) -> None:
        """Writes `tokenizer.json`, `tokenizer_config.json` and the chat template.

        transformers' AutoTokenizer loads the folder and gives the same ids.

        Args:
            folder: Created when it does not exist.
        """
        write_folder(
            Path(folder), self._backend, self._special_ids, pad=END_OF_TEXT, end=END_OF_TURN
        )


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Learns a byte-level BPE with Qwen2's word rules and Qwen2-VL's control tokens.

    Args:
        texts: What the model will read and write. Consumed once.
        vocab_size: Number of ids, control tokens included; at least 270 (256 bytes and the
            14 control tokens). Fewer result when the texts do not support that many merges.

    Returns:
        The tokenizer; control tokens have the highest ids, as in Qwen2-VL.

    Raises:
        UsageError: `vocab_size` is too small.
    """
    smallest = 256 + len(SPECIAL_TOKENS)
    if vocab_size < smallest:
        raise UsageError(f"vocab_size must be at least {smallest}, got {vocab_size}")
    learned = _bare_tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learned.train_from_iterator(texts, trainer)
    return Tokenizer(_with_specials(learned))


def count_words(texts: Iterable[str]) -> Counter[str]:
    """Return in how many of the texts each word stands, by Qwen2's word rules.

    Args:
        texts: Consumed once.
    """
    bare = _word_rules()
    counts: Counter[str] = Counter()
    for text in texts:
        normal = bare.normalizer.normalize_str(text)
        counts.update({word for word, _ in bare.pre_tokenizer.pre_tokenize_str(normal)})
    return counts


@cache
def _word_rules() -> tokenizers.Tokenizer:
    """Return what splits texts into words; made once, for it is asked document by document."""
    return _bare_tokenizer(models.BPE())


def word_tokenizer(counts: Mapping[str, int], most_words: int, least_count: int = 2) -> Tokenizer:
    """Makes a tokenizer in which frequent words are tokens and all others are spelled.

    A network that matches the letters of a word with letters on a screen is helped by seeing the
    letters; the words of prompts and instructions need not be spelled.

    Args:
        counts: How frequent a word is in what the model will read and write, see `count_words`.
        most_words: So many of the most frequent words become tokens.
        least_count: A word that is seen less often is spelled.

    Returns:
        A byte-level tokenizer with Qwen2's word rules, without merges; control tokens have the
        highest ids, as in Qwen2-VL.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    frequent = sorted(counts, key=lambda word: (-counts[word], word))
    words = [w for w in frequent if len(w) > 1 and counts[w] >= least_count][:most_words]
    vocabulary = {token: index for index, token in enumerate([*alphabet, *words])}
    model = models.BPE(vocabulary, [], ignore_merges=True)
    return Tokenizer(_with_specials(_bare_tokenizer(model)))


def _bare_tokenizer(model: models.BPE) -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _with_specials(tokenizer: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS]
    )
    return tokenizer
