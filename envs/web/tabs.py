"""Tabs: the pages of one episode, and what happens to them while nobody asks.

Everything here runs on the browser's thread. Chromium's events (a new tab, a dialog, a request)
arrive between the awaits and are kept until a step asks.
"""

import asyncio
from pathlib import Path

from playwright.async_api import BrowserContext, Dialog, Download, Page
from playwright.async_api import Error as PlaywrightError

from eyehand.envs.web.address_guard import AddressGuard
from eyehand.envs.web.dialogs import Dialogs
from eyehand.envs.web.downloads import Downloads
from eyehand.envs.web.news import News
from eyehand.envs.web.painting import Painting
from eyehand.envs.web.tab import Tab, leave_running, quietly
from eyehand.envs.web.tab_requests import RequestListener
from eyehand.errors import ActionHadNoEffect, BrowserCrashed, EnvironmentFault

FIT_TIMEOUT_S = 5.0
# How long a click or a key permits a window, as in Chromium.
ACTIVATION_S = 5.0
MAX_TABS = 20
"""How many windows may be open at a time."""
TOO_MANY = f"{MAX_TABS} tabs are open, which is the most: a further window was closed."


class Tabs:
    """The tabs of one context: which one is shown, dialogs, downloads, requests in flight.

    Attributes:
        tabs: The open tabs, in order.
        news: Wakes who waits, and keeps sentences for the next observation.
        dialogs: The dialogs that wait for an answer.
        guard: Which addresses may be opened.
        blocks_windows: A page may open one window for each `note_input`, and none by itself.
        follows_painting: The browser is asked to tell of each tab's screen.
        tells_crashes: A tab that crashed is shown as such, instead of being a fault.
        actions: How many actions were begun.
        downloads: What is downloaded.

    Args:
        context: The context, without pages.
        viewport: Width and height that every tab gets, in CSS pixels.
        folder: Where downloads go; None keeps none.
        pixel_ratio: Device pixels in a CSS pixel.
    """

    def __init__(
        self,
        context: BrowserContext,
        viewport: tuple[int, int],
        folder: Path | None,
        pixel_ratio: float = 1.0,
    ) -> None:
        self.context = context
        self.viewport = viewport
        self.folder = folder
        self.pixel_ratio = pixel_ratio
        self.tabs: list[Tab] = []
        self.news = News()
        self.dialogs = Dialogs(self.tabs, self.news)
        self.guard = AddressGuard(self.news)
        self.tells_crashes = False
        self.blocks_windows = False
        self.follows_painting = False
        self.actions = 0
        self._input_at_s: float | None = None
        self._opening = 0
        self.downloads = Downloads(folder, self.news.tell)
        self._current: Tab | None = None
        self._count = 0
        context.on("page", self._on_page)
        context.on("dialog", self.dialogs.add)

    @property
    def dialog(self) -> Dialog | None:
        """The oldest dialog that waits for an answer; those of tabs set aside wait longer."""
        return self.dialogs.oldest

    @property
    def current(self) -> Tab | None:
        """The tab that is shown; None while there is none."""
        return self._current

    async def shown(self) -> Tab:
        """Return the shown tab; where every tab was closed, open an empty one.

        A tab that opened with a dialog is returned as it is: it answers nothing before that.

        Raises:
            BrowserCrashed: the tab's renderer died.
            EnvironmentFault: it gives no answer.
        """
        if self._current is None:
            self._adopt(await self._new_page())
            if len(self.tabs) == 1 and self._count > 1:
                self.news.notes.append("The last tab was closed; an empty one is shown.")
        tab = self._current
        if tab is None or (tab.crashed and not self.tells_crashes):
            raise BrowserCrashed("the page's renderer crashed")
        if tab.crashed or tab.fits(self.viewport, self.pixel_ratio):
            return tab
        if tab.fitting is None or tab.fitting.done():
            tab.fitting = asyncio.ensure_future(tab.fit(self.viewport, self.pixel_ratio))
            leave_running(tab.fitting)
        clock = asyncio.get_running_loop().time
        end_s = clock() + FIT_TIMEOUT_S
        while not await self.news.race(tab.fitting, end_s - clock()):
            if self._current is not tab:
                return await self.shown()
            if tab.crashed or self.dialog is not None:
                return tab
            if clock() >= end_s:
                raise EnvironmentFault(f"a tab gave no answer in {FIT_TIMEOUT_S:g} s")
        tab.fitting.result()
        return tab

    def show(self, tab: Tab) -> None:
        """Show a tab; dialogs of it that were left open are asked again."""
        tab.set_aside = False
        self._current = tab
        self.news.wake(interrupt=True)

    async def _new_page(self) -> Page:
        """Open a page of our own, which no bound of the pages' windows closes."""
        self._opening += 1
        try:
            return await self.context.new_page()
        finally:
            self._opening -= 1

    async def new_tab(self) -> Tab:
        """Open an empty tab and show it.

        Raises:
            ActionHadNoEffect: there are MAX_TABS.
        """
        if len(self.tabs) >= MAX_TABS:
            raise ActionHadNoEffect(f"{MAX_TABS} tabs are open, which is the most: close one")
        tab = self._adopt(await self._new_page())
        self.show(tab)
        return tab

    async def replace(self, tab: Tab) -> Tab:
        """Put an empty page in the place of one that gives no answer, close that, and show it.

        The tab's history goes with the page. A page that is busy for ever, or opens dialogs for
        ever, would block every other way of leaving it; closing it the browser does by itself.
        """
        tab.closing = True
        self.dialogs.forget(tab.page)
        fresh = self._adopt(await self._new_page())
        self.tabs.remove(fresh)
        self.tabs.insert(self.tabs.index(tab) if tab in self.tabs else len(self.tabs), fresh)
        self.show(fresh)
        leave_running(asyncio.ensure_future(quietly(tab.page.close)))
        return await self.shown()

    async def close_tab(self, tab: Tab, timeout_s: float) -> None:
        """Close a tab as a person does: a page that has something unsaved may ask first.

        Args:
            tab: The tab. One that gives no answer is closed without being asked.
            timeout_s: After so many seconds without an answer or a question it is closed too.
        """
        clock = asyncio.get_running_loop().time
        end_s = clock() + timeout_s
        tab.closing = True
        if not tab.stuck:
            await tab.page.close(run_before_unload=True)
            while tab.open and tab.closing and (clock() < end_s or self.dialog is not None):
                await self.news.wait(timeout_s)
        if tab.open and tab.closing:
            await tab.page.close()

    def note_input(self) -> None:
        """Permit one window, as a browser does for a moment after its user clicked or typed."""
        self._input_at_s = asyncio.get_running_loop().time()

    async def check_alive(self, tab: Tab) -> None:
        """Tell a page that closed itself from a browser that died.

        Raises:
            BrowserCrashed: the whole browser died, or the tab's renderer and it is not told.
        """
        if tab.crashed and not self.tells_crashes:
            raise BrowserCrashed("the page's renderer crashed")
        try:
            await self.context.cookies()
        except PlaywrightError as error:
            raise BrowserCrashed("the browser process died") from error

    async def close(self) -> None:
        """Close every tab and forget cookies and storage."""
        await self.context.close()

    # --- events ---------------------------------------------------------------------------

    def _permits_window(self) -> bool:
        """Return whether a page may open a window now; what it opens by itself is blocked.

        Chromium's own blocker takes every script that is run from outside for a user's click, so it
        holds as long only as nobody looks at the page.
        """
        if not self.blocks_windows:
            return True
        at_s, self._input_at_s = self._input_at_s, None
        return at_s is not None and asyncio.get_running_loop().time() - at_s < ACTIVATION_S

    def _on_page(self, page: Page) -> None:
        opener = next((tab for tab in self.tabs if tab.refused > 0), None)
        if opener is not None and not any(tab.announced > 0 for tab in self.tabs):
            opener.refused -= 1
            leave_running(asyncio.ensure_future(quietly(page.close)))
            return
        if len(self.tabs) >= MAX_TABS and not self._opening:
            if TOO_MANY not in self.news.notes:
                self.news.notes.append(TOO_MANY)
            self._arrive_announced()
            leave_running(asyncio.ensure_future(quietly(page.close)))
            return
        tab = self._adopt(page)
        self.guard.check(tab)
        self.show(tab)
        opener = self._arrive_announced(tab)
        tab.opener = opener.page if opener is not None else None

    def _arrive_announced(self, tab: Tab | None = None) -> Tab | None:
        """Expect one announced window less; returns the tab that announced it."""
        opener = next((t for t in self.tabs if t.announced > 0 and t is not tab), None)
        if opener is not None:
            opener.announced -= 1
        return opener

    def _adopt(self, page: Page) -> Tab:
        """Make a Tab of a page, once, and listen to it."""
        known = next((tab for tab in self.tabs if tab.page is page), None)
        if known is not None:
            return known
        tab = Tab(
            page,
            self._count,
            on_news=self.news.tell,
            on_outside=self.guard.note_outside,
            is_refused=self.guard.is_refused if self.guard.refuses_private else None,
            permits_window=self._permits_window,
            painting=Painting() if self.follows_painting else None,
        )
        if self.guard.refuses_private:
            tab.on_arrival = lambda url: self.guard.check(tab, url)
        self._count += 1
        self.tabs.append(tab)
        if self._current is None:
            self._current = tab
        page.on("close", lambda _: self._on_close(tab))
        page.on("crash", lambda _: self._on_crash(tab))
        page.on("download", lambda download: self._on_download(tab, download))
        RequestListener(tab, self.guard, self.news)
        return tab

    def _on_close(self, tab: Tab) -> None:
        tab.open = False
        if tab in self.tabs:
            self.tabs.remove(tab)
        if tab is self._current:
            opener = next((t for t in self.tabs if t.page is tab.opener), None)
            self._current = opener or (self.tabs[-1] if self.tabs else None)
            if not tab.closing:
                self.news.notes.append("The page closed itself.")
        # A closed page cannot have a dialog any more.
        self.dialogs.forget(tab.page)
        self.news.wake(interrupt=True)

    def _on_crash(self, tab: Tab) -> None:
        tab.crashed = True
        self.news.wake(interrupt=True)

    def _on_download(self, tab: Tab, download: Download) -> None:
        tab.navigating = False
        self.downloads.begin(download, self.actions)
        self.news.wake()
