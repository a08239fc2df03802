"""A tokenizer's files, which a stranger may have written: looked at before they are used.

The library that reads them builds whatever a file asks for: expressions that a short text keeps
busy for ever, replacements that multiply a text, tables of any size. Qwen2's tokenizers are made of
few parts, and nothing else is let through.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken, models, processors

from eyehand.errors import CheckpointError
from eyehand.model.json_object import parse_object, read_bounded
from eyehand.model.shown import shown, shown_text

# How Qwen2 splits text before the merges: contractions, letters with one leading mark, single
# digits, punctuation, line ends, spaces (published in the checkpoints' tokenizer.json).
WORD_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

MAX_BYTES = 24 * 10**6
"""Largest file; Qwen2-VL's has 7 MB, or 11 MB where it is indented."""
MAX_VALUES = 1_500_000
"""Most values in a file; Qwen2-VL's has 0.6 million, most of them merges."""
MAX_ADDED_TOKENS = 10_000
MAX_ADDED_CHARACTERS = 128
LARGEST_ID = 2**24 - 1

_UNUSED = ("dropout", "continuing_subword_prefix", "end_of_word_suffix")

# For programs that render Jinja templates themselves. It behaves like Qwen2-VL's published one.
_CHAT_TEMPLATE = Path(__file__).with_name("chat_template.jinja").read_text("utf-8").rstrip("\n")


def read_single_file(path: Path) -> tokenizers.Tokenizer:
    """Read a `tokenizer.json`.

    Raises:
        CheckpointError: It is unreadable, too large, or made of other parts than Qwen2's are.
    """
    data = _bounded(path)
    _check_parts(path, parse_object(path, data, CheckpointError))
    with library_told(f"cannot read {path}"):
        backend = tokenizers.Tokenizer.from_buffer(data)
        # A file may hold what a trainer had set: texts would be cut, or filled up to any length.
        backend.no_truncation()
        backend.no_padding()
        if backend.post_processor is not None:
            # No more than what marks a text's ends, and could repeat it: the layout of turns is
            # this package's own.
            backend.post_processor = processors.ByteLevel(trim_offsets=False)
    return backend


def read_vocab_and_merges(folder: Path) -> models.BPE:
    """Read `vocab.json` and `merges.txt`.

    Raises:
        CheckpointError: They are unreadable, too large, or do not fit together.
    """
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    _bounded(merges)
    _check_vocabulary(vocabulary, parse_object(vocabulary, _bounded(vocabulary), CheckpointError))
    with library_told(f"cannot read {vocabulary}, merges.txt"):
        return models.BPE.from_file(str(vocabulary), str(merges))


@contextlib.contextmanager
def library_told(doing: str) -> Iterator[None]:
    """Turn what the tokenizers library raises into one line.

    Raises:
        CheckpointError: In place of the bare class, and of a panic, which is no `Exception`.
    """
    try:
        yield
    except MemoryError:
        raise
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise CheckpointError(f"{doing}: {shown_text(str(error))}") from error
        raise


def _bounded(path: Path) -> bytes:
    data = read_bounded(path, CheckpointError, MAX_BYTES)
    # Each value but the first of its kind stands behind one of these; counting them is quick.
    values = sum(data.count(mark) for mark in (b",", b"[", b"{", b"\n"))
    if path.suffix == ".json":
        values -= data.count(b"\n")
    if values > MAX_VALUES:
        raise CheckpointError(f"{path}: expected at most {MAX_VALUES} values, got about {values}")
    return data


def _check_parts(path: Path, parts: Mapping[str, Any]) -> None:
    model = _object(path, "model", parts.get("model"))
    _expect(path, "model", model.get("type", "BPE") == "BPE", "a BPE", model.get("type"))
    for name in _UNUSED:
        _expect(path, f"model.{name}", not model.get(name), "none", model.get(name))
    _check_vocabulary(path, _object(path, "model.vocab", model.get("vocab")))
    _check_added(path, parts.get("added_tokens"))
    for name, permitted in _PERMITTED.items():
        kind = _kind(parts.get(name))
        wanted = " or ".join(str(one) for one in permitted)
        _expect(path, name, kind in permitted, wanted, kind)
    _check_split(path, parts["pre_tokenizer"])


_PERMITTED: dict[str, tuple[str | None, ...]] = {
    "normalizer": (None, "NFC"),
    "pre_tokenizer": ("Sequence",),
    "decoder": ("ByteLevel",),
}


def _check_split(path: Path, sequence: Mapping[str, Any]) -> None:
    """Permit Qwen2's split into words, and bytes after it."""
    steps = _list(path, "pre_tokenizer", sequence.get("pretokenizers"))
    kinds = [_kind(step) for step in steps[:3]]
    wanted = ["Split", "ByteLevel"]
    _expect(path, "pre_tokenizer", kinds == wanted, " and ".join(wanted), kinds)
    split = {name: value for name, value in steps[0].items() if name != "type"}
    _expect(path, "pre_tokenizer", split == _SPLIT, f"Qwen2's split {WORD_PATTERN}", split)


_SPLIT = {"pattern": {"Regex": WORD_PATTERN}, "behavior": "Isolated", "invert": False}


def _check_vocabulary(path: Path, vocabulary: Mapping[str, Any]) -> None:
    for token, id_ in vocabulary.items():
        if not _is_id(id_):
            raise CheckpointError(
                f"{path}: {shown(token)}: expected an id from 0 to {LARGEST_ID}, got {shown(id_)}"
            )


def _check_added(path: Path, listed: object) -> None:
    added = _list(path, "added_tokens", listed)
    few = len(added) <= MAX_ADDED_TOKENS
    _expect(path, "added_tokens", few, f"at most {MAX_ADDED_TOKENS}", len(added))
    for token in added:
        content = _object(path, "added_tokens", token).get("content")
        short = isinstance(content, str) and len(content) <= MAX_ADDED_CHARACTERS
        wanted = f"texts of at most {MAX_ADDED_CHARACTERS} characters"
        _expect(path, "added_tokens", short, wanted, content)
        _expect(path, "added_tokens", _is_id(token.get("id")), "ids", token.get("id"))


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_ID


def _kind(part: object) -> object:
    """The type that a part names; None where there is none; else what came."""
    return part.get("type", part) if isinstance(part, dict) else part


def _object(path: Path, name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _unexpected(path, name, "an object", value)
    return value


def _list(path: Path, name: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise _unexpected(path, name, "a list", value)
    return value


def _expect(path: Path, name: str, holds: bool, wanted: str, got: object) -> None:
    if not holds:
        raise _unexpected(path, name, wanted, got)


def _unexpected(path: Path, name: str, wanted: str, got: object) -> CheckpointError:
    return CheckpointError(f"{path}: {name}: expected {wanted}, got {shown(got)}")


def write_folder(
    folder: Path, backend: tokenizers.Tokenizer, specials: Iterable[str], *, pad: str, end: str
) -> None:
    """Write `tokenizer.json`, `tokenizer_config.json` and `chat_template.jinja`.

    Args:
        folder: Created when it does not exist.
        backend: The tokenizer.
        specials: Its control tokens.
        pad: The one that fills up.
        end: The one that ends a turn.
    """
    folder.mkdir(parents=True, exist_ok=True)
    backend.save(str(folder / "tokenizer.json"))
    # transformers' Qwen2Tokenizer builds its own model from vocabulary and merges.
    looks_up_words = getattr(backend.model, "ignore_merges", False)
    added = backend.get_added_tokens_decoder()
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast" if looks_up_words else "Qwen2Tokenizer",
        "added_tokens_decoder": {str(id_): _token_fields(added[id_]) for id_ in sorted(added)},
        "additional_special_tokens": [token for token in specials if token != pad],
        "bos_token": None,
        "eos_token": end,
        "pad_token": pad,
        "unk_token": None,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "errors": "replace",
        "model_max_length": 32768,
        "split_special_tokens": False,
    }
    text = json.dumps(config, indent=2, ensure_ascii=False)
    (folder / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")
    (folder / "chat_template.jinja").write_text(_CHAT_TEMPLATE, encoding="utf-8")


def _token_fields(token: AddedToken) -> dict[str, Any]:
    return {
        "content": token.content,
        "lstrip": token.lstrip,
        "normalized": token.normalized,
        "rstrip": token.rstrip,
        "single_word": token.single_word,
        "special": token.special,
    }
