"""AddressGuard: addresses that no page may open, and those that are outside the browser."""

import asyncio

from eyehand.envs.web.news import News
from eyehand.envs.web.private import HOW_TO_ALLOW, is_private
from eyehand.envs.web.tab import Tab, leave_running, quietly

MAX_OUTSIDE = 1000
LONGEST_OUTSIDE = 100
"""Characters that are told of an address which is no page's."""


class AddressGuard:
    """Refuses private addresses where that is wanted, and remembers what the pages asked for.

    Attributes:
        refuses_private: No document is loaded from this machine or its network.

    Args:
        news: Is told of every refusal.
    """

    def __init__(self, news: News) -> None:
        self.refuses_private = False
        self._news = news
        self._outside: list[str] = []
        self._private: list[str] = []
        self._checking: set[asyncio.Task[None]] = set()

    @property
    def checking(self) -> bool:
        """Whether a window is looked at that went somewhere before anybody could be asked."""
        return bool(self._checking)

    async def is_refused(self, url: str) -> bool:
        """Return whether a document may not be loaded, and remember it for `take`."""
        refused = self.refuses_private and await is_private(url)
        if refused:
            self._private = [*self._private[: MAX_OUTSIDE - 1], url]
            self._news.wake()
        return refused

    def check(self, tab: Tab, url: str | None = None) -> None:
        """Close a window that went somewhere private before anybody could be asked."""
        if self.refuses_private:
            checking = asyncio.ensure_future(self._close_private(tab, url))
            self._checking.add(checking)
            checking.add_done_callback(self._checking.discard)
            leave_running(checking)

    async def _close_private(self, tab: Tab, url: str | None) -> None:
        if url is None:
            await quietly(tab.session)  # what it loads from now on is asked for before
        if await self.is_refused(url or tab.page.url):
            tab.closing = True
            await quietly(tab.page.close)
        self._news.wake()

    def note_outside(self, url: str) -> None:
        """Remember an address that another program would open."""
        if len(self._outside) < MAX_OUTSIDE:
            self._outside.append(url)
        self._news.wake()

    def take(self) -> str:
        """Say what the pages asked to open and did not get, since this was asked last."""
        (asked, self._outside), (private, self._private) = (self._outside, []), (self._private, [])
        if private:
            shown = private[0][:LONGEST_OUTSIDE]
            return f"The page asked to open {shown}, a private address, {HOW_TO_ALLOW}."
        if not asked:
            return ""
        first, more = asked[0][:LONGEST_OUTSIDE], len(asked) - 1
        others = f" (and {more} more times)" if more else ""
        return (
            f"The page asked to open {first}{others}, which is outside the browser: "
            "nothing was opened."
        )
