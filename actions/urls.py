"""What an address and a file name may be, before anything opens them."""

import re
from urllib.parse import urlsplit

# Browsers drop tabs and newlines and read backslashes as slashes, so an address that holds one
# would not open what it seems to name.
_NOT_IN_URL = re.compile(r"[\s\x00-\x1f\x7f-\x9f\\<>\"`{}|^\u200b-\u200f\u2028-\u202f\ufeff]")
_HOST = re.compile(r"[^%/?#@:\[\]()!$&'*+,;=]+", re.ASCII)


def check_url(url: str) -> str:
    """Return the address when it is an absolute http or https one.

    Raises:
        ValueError: another scheme, no host, a wrong port, or characters that no address holds.
    """
    found = _NOT_IN_URL.search(url)
    if found:
        raise ValueError(f"an address cannot hold {found[0]!r}; write it percent-encoded")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError(f"not an address: {error}") from None
    if parts.scheme not in ("http", "https") or not url[len(parts.scheme) :].startswith("://"):
        raise ValueError("expected an address that begins with http:// or https://")
    is_address_literal = "[" in parts.netloc
    if not host.strip(".") or not (is_address_literal or _HOST.fullmatch(host)):
        raise ValueError("the address names no host: expected one such as https://example.org/")
    if port == 0:
        raise ValueError("port 0 cannot be opened")
    return url


def check_file_name(name: str) -> str:
    """Return the name when it is a bare file name, without folders.

    Raises:
        ValueError: the name holds a path separator, a control character, or is "." or "..".
    """
    if name in (".", "..") or re.search(r"[/\\\x00-\x1f\x7f]", name):
        raise ValueError("expected the bare name of a file that was given, without folders")
    return name
