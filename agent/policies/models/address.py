"""A server's address, looked at without loading anything."""

from pathlib import Path
from urllib.parse import urlsplit

from eyehand.errors import UsageError


def checked_url(url: str) -> str:
    """Return a server's address without a slash at its end.

    Raises:
        UsageError: it is no http or https address, or holds a password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"expected a server's address, such as http://localhost:8000/v1: {url!r}")
    if parts.username or parts.password:
        raise UsageError("a key in the address would be written down: put it into an environment "
                         "variable, and name that with --key-env")  # fmt: skip
    return url.rstrip("/")


def is_address(model: str | Path | None) -> bool:
    """Return whether `--model` names a server."""
    return isinstance(model, str) and model.lower().startswith(("http://", "https://"))
