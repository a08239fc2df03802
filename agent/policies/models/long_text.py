"""Texts that are larger than a model's context: cut, and said to be cut."""

from collections.abc import Sequence
from dataclasses import dataclass

from eyehand.model.inputs.tokenizer import Tokenizer

LONGEST_TOKEN = 32
"""Characters of a text are looked at up to so many a token: no more than these could be kept."""
_FOR_THE_NOTE = 64
"""Tokens kept free for the note, and for what the joint with other texts may cost."""


@dataclass(frozen=True)
class Cut:
    """A text as the model reads it.

    Attributes:
        text: The text, or its beginning with a note.
        characters: How many characters were left out.
    """

    text: str
    characters: int = 0


def fit(texts: Sequence[str], tokenizer: Tokenizer, most_tokens: int) -> list[Cut]:
    """Cut the longest of several texts until together they take no more than so many tokens.

    Args:
        texts: From outside, of any length.
        tokenizer: Of the model that reads them.
        most_tokens: For all of them; at least 0.

    Returns:
        The texts in their order.
    """
    read = [tokenizer.encode_text(text[: most_tokens * LONGEST_TOKEN]) for text in texts]
    whole = [len(text) <= most_tokens * LONGEST_TOKEN for text in texts]
    share = _share([len(ids) for ids in read], most_tokens)
    return [
        Cut(text) if complete and len(ids) <= share else _beginning(text, ids, share, tokenizer)
        for text, ids, complete in zip(texts, read, whole, strict=True)
    ]


def _share(lengths: Sequence[int], most: int) -> int:
    """Return the bound for each text at which all together take at most `most`."""
    left = most
    for place, length in enumerate(sorted(lengths)):
        share = left // (len(lengths) - place)
        if length > share:
            return share
        left -= length
    return most


def _beginning(text: str, ids: Sequence[int], share: int, tokenizer: Tokenizer) -> Cut:
    kept = tokenizer.decode(ids[: max(0, share - _FOR_THE_NOTE)]).rstrip("�")
    left_out = len(text) - len(kept)
    note = f"[cut: {left_out} of {len(text)} characters are left out]"
    return Cut(f"{kept}\n{note}" if kept else note, left_out)
