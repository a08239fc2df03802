"""Reads arguments as models write them: JSON, then JSON5, then a Python literal; never `eval`.

Every value that comes out is plain (dict, list, str, int, float, bool, None), bounded in depth
and size, and means one thing only: what can be read in two ways is refused.
"""

import ast
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import json5

from eyehand.actions.codecs.scanning import MAX_DEPTH, normalised
from eyehand.errors import Unparsable

MAX_LENGTH = 200_000
"""Longest text of arguments, in characters; 10,000 characters of text, all escaped, fit thrice."""

_MAX_LENIENT_LENGTH = 4_000
"""Longest text for the two lenient readers: the JSON5 one takes about 20 µs a character."""

_MAX_ITEMS = 10_000
_MAX_INTEGER_BITS = 64
# A fence, its language, quotes or a colon may stand before the value; prose may not.
_PREFIX = re.compile(r"[\s:：`]*(?:(?:json5?|python|py)(?![^\W_]))?[\s:：`]*")
_EMPTY = re.compile(r"(?:null|None|无)?[\s`.。]*\Z")
_STRING = re.compile(r"""(?s)"(?:[^"\\]++|\\.)*+"|'(?:[^'\\]++|\\.)*+'""")
_WORD_AFTER_NUMBER = re.compile(r"\d[\da-fA-F_xXoObBjJ.]*(?:and|else|for|if|in|is|not|or)")


@dataclass(frozen=True)
class ReadValue:
    """A value that was read.

    Attributes:
        value: A dict as a rule, or a list (a bare point).
        open_objects: How many objects the text ended in without closing them: 0 for a whole one.
            Then arguments may be missing at its end.
    """

    value: Any
    open_objects: int = 0


def read_arguments(text: str) -> ReadValue:
    """Read the first value in a text of arguments; what follows it is ignored.

    Args:
        text: What stands after ARGS, or between the tags.

    Returns:
        The value; no text at all is an empty dict.

    Raises:
        Unparsable: no value, one that is cut off, too deep or too large, or one that is ambiguous.
    """
    if len(text) > MAX_LENGTH:
        raise Unparsable(f"the arguments are longer than {MAX_LENGTH:,} characters")
    prefix = _PREFIX.match(text)
    start = prefix.end() if prefix else 0
    if _EMPTY.match(text, start):
        return ReadValue({})
    still_open = 0
    try:
        value, _ = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        plain, still_open = normalised(text, start)
        value = _read_leniently(plain)
    _check_bounds(value)
    return ReadValue(value, still_open)


def _read_leniently(text: str) -> Any:
    """Read normalised text with each reader in turn."""
    readers: tuple[Callable[[str], Any], ...] = (_DECODER.decode, _read_json5, _read_literal)
    for reader in readers[: 3 if len(text) <= _MAX_LENIENT_LENGTH else 1]:
        try:
            return reader(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    raise Unparsable(f"the arguments are not JSON: {_start(text)}")


def _read_json5(text: str) -> Any:
    return json5.loads(
        text, object_pairs_hook=_object, parse_constant=_refuse_constant, strict=False
    )


def _read_literal(text: str) -> Any:
    # Python prints a warning for a number with a word right behind it, and it is none anyway.
    if _WORD_AFTER_NUMBER.search(_STRING.sub("", text)):
        raise ValueError("a number with letters behind it")
    return ast.literal_eval(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its pairs.

    Raises:
        Unparsable: a name comes twice with two values.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found and found[name] != value:
            raise Unparsable(f"the argument {str(name)[:60]!r} is given twice")
        found[name] = value
    return found


def _refuse_constant(constant: str) -> float:
    raise ValueError(f"{constant} is not a number of JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_refuse_constant, strict=False
)


def _check_bounds(value: Any) -> None:
    """Check depth, size and types of a value, without recursion.

    Raises:
        Unparsable: it is deeper, larger or of other types than an action's arguments are.
    """
    waiting: list[tuple[Any, int]] = [(value, 1)]
    seen = 0
    while waiting:
        item, depth = waiting.pop()
        seen += 1
        if depth > MAX_DEPTH or seen > _MAX_ITEMS:
            raise Unparsable("the arguments are nested too deep or hold too many values")
        if isinstance(item, dict):
            if not all(isinstance(name, str) for name in item):
                raise Unparsable("the names of arguments are text")
            waiting.extend((child, depth + 1) for child in item.values())
        elif isinstance(item, list):
            waiting.extend((child, depth + 1) for child in item)
        elif not _is_plain(item):
            kind = "a huge number" if isinstance(item, int) else type(item).__name__
            raise Unparsable(f"the arguments hold something that JSON does not: {kind}")


def _is_plain(item: Any) -> bool:
    if isinstance(item, int) and not isinstance(item, bool):
        return item.bit_length() <= _MAX_INTEGER_BITS
    return item is None or isinstance(item, str | bool | float)


def _start(text: str) -> str:
    return ascii(text[:60]) if not text[:60].isprintable() else repr(text[:60])
