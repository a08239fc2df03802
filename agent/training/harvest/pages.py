"""Which pages are meant by folders, files and addresses."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOG = logging.getLogger(__name__)

SUFFIXES = (".html", ".htm", ".xhtml")
"""How the names of pages in a folder end."""
EXPECTED = "expected folders of HTML files, HTML files, or http://, https:// or file:// addresses"

_SCHEMES = ("http", "https", "file")


@dataclass(frozen=True)
class NamedPage:
    """A page to look at.

    Attributes:
        url: Its address.
        name: A short name: its file's, or host and path.
    """

    url: str
    name: str


def find_pages(named: Collection[str]) -> tuple[list[NamedPage], list[str]]:
    """Return the pages that are meant, each once, and those names that mean none.

    Args:
        named: Folders, files and addresses; a folder's own folders are looked into.
    """
    pages: dict[str, NamedPage] = {}
    missing: list[str] = []
    for name in named:
        found = _pages_of(name)
        if not found:
            _LOG.warning("%s: no page there; %s", name, EXPECTED)
            missing.append(name)
        pages.update({page.url: page for page in found})
    return list(pages.values()), missing


def _pages_of(name: str) -> list[NamedPage]:
    address = urlsplit(name)
    if address.scheme.lower() in _SCHEMES:
        is_file = address.scheme.lower() == "file"
        shown = Path(unquote(address.path)).name if is_file else f"{address.netloc}{address.path}"
        return [NamedPage(name, shown.rstrip("/"))]
    path = Path(name).expanduser()
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        return [_page_of(file, path) for file in files if file.is_file()]
    return [_page_of(path, path.parent)] if path.is_file() else []


def _page_of(file: Path, folder: Path) -> NamedPage:
    return NamedPage(file.resolve().as_uri(), file.relative_to(folder).as_posix())
