"""What to say when a name is not known: the closest ones, and what there is."""

from collections.abc import Iterable
from difflib import get_close_matches

from eyehand.errors import UsageError

_LISTED_LIMIT = 30


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Return the error for a name that is not among the known ones.

    Args:
        kind: What is named, such as "card game".
        name: The name that was given.
        known: The names that exist; a long list is cut to its closest ones and its length.

    Example:
        >>> print(unknown_name("card game", "numberline", ["blackjack", "number-line"]))
        no card game is called 'numberline'; did you mean 'number-line'? There are 2: blackjack, \
number-line
    """
    names = sorted(known)
    by_lower = {known_name.lower(): known_name for known_name in names}
    close = [by_lower[match] for match in get_close_matches(name.lower(), by_lower, n=3)]
    hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else "."
    shown = ", ".join(names[:_LISTED_LIMIT]) + (", ..." if len(names) > _LISTED_LIMIT else "")
    return UsageError(f"no {kind} is called {name!r}{hint} There are {len(names)}: {shown}")
