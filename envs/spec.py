"""Reading specs: `SCHEME:NAME`, with options after a question mark, or a page's address."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from eyehand.errors import UsageError

_SITE = re.compile(r"(?:[\w-]+\.)+(?P<end>[^\W\d_]{2,})(?::\d{1,5})?(?:[/?#].*)?")
_THIS_MACHINE = re.compile(r"(?:localhost|\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?(?:[/?#].*)?")
_FILE_ENDS = ("yaml", "yml", "json", "toml", "py", "txt")


def split_spec(spec: str) -> tuple[str, str]:
    """Return the scheme in lower case, and the name; both are empty where there is no colon.

    Example:
        >>> split_spec("Cards:number-line"), split_spec("https://example.org")
        (('cards', 'number-line'), ('web', 'https://example.org'))
    """
    scheme, colon, name = spec.partition(":")
    if scheme.lower() in ("http", "https"):
        return "web", spec
    return (scheme.lower(), name) if colon else ("", "")


def with_options(name: str) -> tuple[str, dict[str, Any]]:
    """Take "?key=value&..." off a name; a value is JSON where it can be read as JSON.

    Raises:
        UsageError: what follows the question mark cannot be read.

    Example:
        >>> with_options("FrozenLake-v1?is_slippery=false")
        ('FrozenLake-v1', {'is_slippery': False})
    """
    bare, mark, query = name.partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(mark))
    except ValueError as error:
        raise UsageError(f"{name!r}: after '?' expected KEY=VALUE&KEY=VALUE; {error}") from None
    return bare, {key: _value(text) for key, text in pairs}


def _value(text: str) -> Any:
    """Read an option's value: JSON where it is JSON (1, true, null), else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def page_meant(spec: str) -> str:
    """Return the address of the page that was meant, for "example.org/a" or "localhost:8000"."""
    if _THIS_MACHINE.fullmatch(spec):
        return f"http://{spec}"
    site = _SITE.fullmatch(spec)
    return f"https://{spec}" if site and site["end"].lower() not in _FILE_ENDS else ""
