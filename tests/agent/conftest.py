"""What tests of the agent share: a page read as a browser reads it."""

from collections.abc import Callable
from html.parser import HTMLParser

import pytest


class Tags(HTMLParser):
    """Reads a page as a browser does: its elements, addresses, handlers and words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture
def read_page() -> Callable[[str], Tags]:
    """Reads the text of a page: `read_page(text).words`."""
    return Tags
