"""Makes a dialect's marks harmless in text from outside.

A page's title or an alert stands in the middle of the model's own turn. What looks like the end of
a result there, or like the next call, must not be one. The characters that make a mark are replaced
by others that look alike, so that the words can still be read.
"""

import re
import unicodedata
from collections.abc import Iterable

_WORDS = re.compile("FUNCTION|ARGS|RESULT|RETURN")
_FLOWER_WORDS = re.compile("function|args|result|return", re.IGNORECASE)
_LOOKALIKES = {"✿": "❀", "*": "∗"}
_CONTROL = re.compile(r"<\|[^<>|\s]{1,60}\|>")


def without_keywords(text: str) -> str:
    """Return the text without marked keywords such as ✿RETURN✿ or *FUNCTION*.

    Marks with blanks between, doubled ones and those on one side only count too.
    """
    clean = _normal(text)
    changed = list(clean)
    for pattern, marks in ((_WORDS, "✿*"), (_FLOWER_WORDS, "✿")):
        for word in pattern.finditer(clean):
            for place in (*_before(clean, word.start(), marks), *_after(clean, word.end(), marks)):
                changed[place] = _LOOKALIKES[clean[place]]
    found = "".join(changed)
    return text if found == clean else found


def without_tags(text: str) -> str:
    """Return the text without tags such as <tool_call> or </tool_response>, however spaced."""
    return without_markup(text, ("tool_call", "tool_response", "tools"))


def _normal(text: str) -> str:
    """Return the text as the tokenizer will read it: nothing may become a mark only there."""
    return unicodedata.normalize("NFC", text)


def _before(text: str, end: int, marks: str) -> Iterable[int]:
    """Yield the places of the marks that stand before `end`, with nothing but blanks between."""
    return _marks(text, range(end - 1, -1, -1), marks)


def _after(text: str, start: int, marks: str) -> Iterable[int]:
    return _marks(text, range(start, len(text)), marks)


def _marks(text: str, places: range, marks: str) -> Iterable[int]:
    for place in places:
        if text[place] in marks:
            yield place
        elif text[place] not in " \t":
            return


def without_control_tokens(text: str, kept: Iterable[str] = ()) -> str:
    """Return the text in which nothing can be read as a control token, such as `<|im_end|>`.

    Args:
        text: What a page, a device, a person or a model wrote.
        kept: Tokens that stay.
    """
    allowed = frozenset(kept)
    return _CONTROL.sub(lambda m: m[0] if m[0] in allowed else f"‹{m[0][1:]}", text)


def without_words(text: str, words: Iterable[str]) -> str:
    """Return the text in which no word of a dialect stands before a colon, as `Action:` does.

    Args:
        text: What a page, a device or a person says.
        words: The dialect's words; any case is found.
    """
    return _replaced(rf"(?i)\b({_any(words)})(\s{{0,9}})[:：]", r"\1\2∶", text)


def without_quoted_names(text: str, names: Iterable[str]) -> str:
    """Return the text in which no quoted name stands before a colon, as in `'action': `.

    Args:
        text: What a page, a device or a person says.
        names: The names of a dialect's objects.
    """
    return _replaced(rf"(['\"])({_any(names)})(['\"]\s{{0,9}})[:：]", r"\1\2\3∶", text)


def without_markup(text: str, names: Iterable[str]) -> str:
    """Return the text without tags of these names, opening or closing, however spaced.

    Args:
        text: What a page, a device or a person says.
        names: The tags' names.
    """
    return _replaced(rf"(?i)<(?=[\s/]*(?:{_any(names)})\b)", "‹", text)


def _any(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, words))


def _replaced(pattern: str, by: str, text: str) -> str:
    """Return the text with what a pattern finds replaced; itself where nothing is found."""
    clean = _normal(text)
    found = re.sub(pattern, by, clean)
    return text if found == clean else found
