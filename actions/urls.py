"""What an address and a file name may be, before anything opens them."""

import re
from urllib.parse import urlsplit

# Browsers drop tabs and newlines and read backslashes as slashes, so an address that holds one
# would not open what it seems to name.
_NOT_IN_URL = re.compile(r"[\s\x00-\x1f\x7f-\x9f\\<>\"`{}|^\u200b-\u200f\u2028-\u202f\ufeff]")
MAX_NAME_LENGTH = 255
MAX_FILES = 50
_HOST = re.compile(r"[^%/?#@:\[\]()!$&'*+,;=]+", re.ASCII)


_NAME = r"[\p{L}\p{N}_-]{1,40}(\.[\p{L}\p{N}_-]{1,40}){0,9}"
_H = "[0-9a-fA-F]{1,4}"
_IPV6 = "|".join(
    [f"({_H}:){{7}}{_H}", f"({_H}:){{1,7}}:"]
    + [f"({_H}:){{1,{7 - n}}}(:{_H}){{1,{n}}}" for n in range(1, 7)]
    + [f":(:{_H}){{1,7}}", "::"]
)
_PORT = "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
_REST = r"[^\s\x00-\x1f\x7f-\x9f\\<>\"`{}|^\x{200b}-\x{200f}\x{2028}-\x{202f}\x{feff}]"
WRITTEN_URL = rf'"https?://({_NAME}|\[({_IPV6})\])(:({_PORT}))?([/?#]{_REST}{{0,1500}})?"'
"""An address as JSON: what `check_url` takes, without names and passwords of users."""

_FILE_CHARACTER = r"[^\x00-\x1f\x7f/\\\".]"
_ANY_FILE_CHARACTER = r"[^\x00-\x1f\x7f/\\\"]"
_FILE = (
    rf'"({_FILE_CHARACTER}{_ANY_FILE_CHARACTER}{{0,254}}'
    rf'|\.{_FILE_CHARACTER}{_ANY_FILE_CHARACTER}{{0,253}}|\.\.{_ANY_FILE_CHARACTER}{{1,253}})"'
)
WRITTEN_FILES = rf"{_FILE}|\[{_FILE}(, {_FILE}){{0,49}}\]"
"""A bare name of a file as JSON, or a list of such."""


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
        ValueError: the name is empty or too long, holds a path separator or a control character,
            or is "." or "..".
    """
    if not 1 <= len(name) <= MAX_NAME_LENGTH:
        raise ValueError(f"a file's name has 1 to {MAX_NAME_LENGTH} characters")
    if name in (".", "..") or re.search(r"[/\\\x00-\x1f\x7f]", name):
        raise ValueError("expected the bare name of a file that was given, without folders")
    return name


def check_file_names(names: str | list[str]) -> str | list[str]:
    """Return one bare name of a file, or some, as they are.

    Raises:
        ValueError: there is none, or too many, or one of them is no bare name.
    """
    several = [names] if isinstance(names, str) else names
    if not 1 <= len(several) <= MAX_FILES:
        raise ValueError(f"expected 1 to {MAX_FILES} files")
    for name in several:
        check_file_name(name)
    return names
