"""Text from outside, as a terminal and a spreadsheet may be given it.

A page, an app, a model, a file's name or a record may hold control sequences, on which a terminal
acts, and marks that turn the order of letters around. None of them is ever printed.
"""

import re

_ACTED_ON = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb]"
)
_ACTED_ON_IN_LINES = re.compile(_ACTED_ON.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
_FORMULA = re.compile("\\s*[-=+@\u2212\uff0b\uff0d\uff1d\uff20]")


def printable(text: str, limit: int | None = None) -> str:
    r"""Return a text as one line without control characters, cut to a bound.

    Args:
        text: From anywhere.
        limit: Most characters; None keeps them all.

    Example:
        >>> printable("a\x1b[2Jb")
        'a [2Jb'
    """
    if limit is not None and len(text) > limit:
        return _ACTED_ON.sub(" ", text[:limit]) + "..."
    return _ACTED_ON.sub(" ", text)


def printable_lines(text: str) -> str:
    """Return a text of several lines without other control characters."""
    return _ACTED_ON_IN_LINES.sub(" ", text)


def spreadsheet_cell(value: object) -> object:
    """Return a value for a CSV file: a text in one line that no spreadsheet takes for a formula.

    Example:
        >>> spreadsheet_cell("=1+1"), spreadsheet_cell(-1)
        ("'=1+1", -1)
    """
    if not isinstance(value, str):
        return value
    shown = printable(value)
    return f"'{shown}" if _FORMULA.match(shown) else shown
