"""What a stranger's file says, as part of one line: cut, and without control characters."""

import reprlib
from collections.abc import Iterable

_MOST_NAMES = 20
_MOST_CHARACTERS = 200


def shown(value: object) -> str:
    """Return a value as Python writes it, cut where it is long or deep."""
    return _BRIEF.repr(value)


def shown_text(text: str) -> str:
    """Return a text as one line of at most some 200 characters, control characters escaped."""
    cut = text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


def shown_names(names: Iterable[str]) -> str:
    """Return names with commas between them; of many the first ones, and how many follow."""
    every = list(names)
    first = ", ".join(shown_text(name) for name in every[:_MOST_NAMES])
    rest = len(every) - _MOST_NAMES
    return f"{first} and {rest} more" if rest > 0 else first


_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = _BRIEF.maxlong = 80
_BRIEF.maxlist = _BRIEF.maxtuple = _BRIEF.maxdict = 6
_BRIEF.maxlevel = 3
