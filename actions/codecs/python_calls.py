"""Reads calls that are written like Python's, and runs nothing: `click(start_box='(3,4)')`.

Models leave quotes of a text unescaped. A quote ends a text where an argument or the call may
end behind it.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from eyehand.actions.codecs.arguments import read_arguments
from eyehand.actions.codecs.reading import encodable
from eyehand.errors import Unparsable

MAX_LENGTH = 50_000
"""Longest call that is read, in characters: 10,000 characters of text, each escaped, and a call."""
MOST_CALLS = 20
"""So many calls of one answer are read; only the first is performed."""

_MOST_ARGUMENTS = 20

_NAME = re.compile(r"\s*([A-Za-z_][\w.]{0,99})[ \t]*[(（]")
_KEYWORD = re.compile(r"\s*([A-Za-z_]\w{0,99})\s{0,9}=\s{0,9}")
_STOP = re.compile(r"\s*[)）]")
_NEXT = re.compile(r"\s*[,，]\s*")
# Behind the quote that ends a text: the next argument, or the end of the call and of its line.
_SURE_END = re.compile(
    r"\s{0,9}(?:[,，]\s{0,9}[A-Za-z_]\w{0,99}\s{0,9}=|[)）]\s{0,9}(?:\n|\Z|<|✿))"
)
_LIKELY_END = re.compile(r"\s{0,9}[,，)）\]]")
_PLAIN = re.compile(r"[^,，()（）\[\]{}'\"\n]{1,200}")
# A backslash before anything else stands for itself, as in a Windows path.
_ESCAPE = re.compile(r"\\(['\"\\nrt])|(?:\\u[0-9a-fA-F]{4})+")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_CLOSERS = {"[": "]", "(": ")", "{": "}", "（": "）"}
_QUOTES = {"'": "'", '"': '"', "‘": "’", "“": "”"}


@dataclass(frozen=True)
class PythonCall:
    """A call as it was read.

    Attributes:
        name: Its name, which may have dots.
        positional: Values without a name.
        named: Values by name.
        end: Where it ends in the text.
    """

    name: str
    positional: list[Any] = field(default_factory=list)
    named: dict[str, Any] = field(default_factory=dict)
    end: int = 0


def read_call(text: str, start: int = 0) -> PythonCall:
    """Read the call at `start`.

    Args:
        text: What the model wrote.
        start: Where the call begins; blanks may stand before it.

    Raises:
        Unparsable: no call begins there, it is cut off, or a value in it cannot be read.
    """
    if len(text) - start > MAX_LENGTH:
        raise Unparsable(f"the call is longer than {MAX_LENGTH:,} characters")
    opening = _NAME.match(text, start)
    if opening is None:
        raise Unparsable("there is no call such as click(...)")
    positional: list[Any] = []
    named: dict[str, Any] = {}
    at = opening.end()
    while not (stop := _STOP.match(text, at)):
        if len(positional) + len(named) == _MOST_ARGUMENTS:
            raise Unparsable(f"the call has more than {_MOST_ARGUMENTS} arguments")
        keyword = _KEYWORD.match(text, at)
        value, at = _value(text, keyword.end() if keyword else at)
        if keyword is None:
            positional.append(value)
        elif keyword[1] in named and named[keyword[1]] != value:
            raise Unparsable(f"the argument {keyword[1]!r} is given twice")
        else:
            named[keyword[1]] = value
        if comma := _NEXT.match(text, at):
            at = comma.end()
        elif not _STOP.match(text, at):
            raise Unparsable("the call is cut off, or a comma is missing between its arguments")
    return PythonCall(opening[1], positional, named, stop.end())


def quoted(text: str) -> str:
    """Write a text between single quotes, as the calls have it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + "'"


def _value(text: str, at: int) -> tuple[Any, int]:
    """Read one value and return it with where it ends."""
    while at < len(text) and text[at].isspace():
        at += 1
    first = text[at : at + 1]
    if first in _QUOTES and first:
        return _text(text, at)
    if first in _CLOSERS and first:
        return _nested(text, at)
    plain = _PLAIN.match(text, at)
    if plain is None:
        raise Unparsable("the call is cut off before its closing bracket")
    return _word(plain[0].strip()), plain.end()


def _text(text: str, at: int) -> tuple[str, int]:
    """Read a text between quotes that may hold unescaped ones of its own kind."""
    closer, likely = _QUOTES[text[at]], 0
    place = at + 1
    while place < len(text):
        if text[place] == "\\":
            place += 2
            continue
        if text[place] == closer:
            if _SURE_END.match(text, place + 1):
                return _unescaped(text[at + 1 : place]), place + 1
            if not likely and _LIKELY_END.match(text, place + 1):
                likely = place
        place += 1
    if likely:
        return _unescaped(text[at + 1 : likely]), likely + 1
    raise Unparsable("a text in the call is not closed by a quotation mark")


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_meant, text)


def _meant(escape: re.Match[str]) -> str:
    if letter := escape[1]:
        return _ESCAPED.get(letter, letter)
    return encodable(json.loads(f'"{escape[0]}"'))


def _nested(text: str, at: int) -> tuple[Any, int]:
    """Read a list, a tuple or a mapping: one value of JSON or Python, never run."""
    depth, quote, place = 0, "", at
    while place < len(text):
        letter = text[place]
        if quote:
            place += letter == "\\"
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in _CLOSERS:
            depth += 1
        elif letter in ")]}）":
            depth -= 1
            if depth == 0:
                inner = text[at : place + 1]
                return read_arguments(f'{{"v": {inner}}}').value["v"], place + 1
        place += 1
    raise Unparsable("a bracket in the call is not closed")


def _word(word: str) -> Any:
    """Read a number, a truth value or None; anything else is a text without its quotes."""
    known = {"None": None, "null": None, "True": True, "true": True, "False": False, "false": False}
    if word in known:
        return known[word]
    if re.fullmatch(r"[-+]?\d{1,15}", word):
        return int(word)
    if re.fullmatch(r"[-+]?(?:\d{1,15}\.\d{0,15}|\.\d{1,15})", word):
        return float(word)
    return word
