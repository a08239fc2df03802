"""Tabs: the pages of one episode, and what happens to them while nobody asks.

Everything here runs on the browser's thread. Chromium's events (a new tab, a dialog, a request)
arrive between the awaits and are kept until a step asks.
"""

import asyncio
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Dialog, Download, FileChooser, Page, Request
from playwright.async_api import Error as PlaywrightError

from eyehand.envs.web.downloads import Downloads
from eyehand.envs.web.private import HOW_TO_ALLOW, is_private
from eyehand.envs.web.tab import (
    OTHER_PROGRAM,
    Tab,
    describe_dialog,
    leave_running,
    quietly,
    stop_loading,
)
from eyehand.errors import ActionHadNoEffect, BrowserCrashed, EnvironmentFault

AWAITED_KINDS = ("document", "stylesheet", "script", "image", "font", "xhr", "fetch")
FIT_TIMEOUT_S = 5.0
# How long a click or a key permits a window, as in Chromium.
ACTIVATION_S = 5.0
# A frame's document that has not come by then (an advertisement) is no download that was asked for.
FRAME_PATIENCE_S = 3.0
MAX_TABS = 20
"""How many windows may be open at a time."""
TOO_MANY = f"{MAX_TABS} tabs are open, which is the most: a further window was closed."
MAX_OUTSIDE = 1000
LONGEST_OUTSIDE = 100
"""Characters that are told of an address which is no page's."""


class Tabs:
    """The tabs of one context: which one is shown, dialogs, downloads, requests in flight.

    Attributes:
        tabs: The open tabs, in order.
        dialogs: The dialogs that wait for an answer, the oldest first.
        notes: Sentences on what happened, for the next observation.
        dismiss_dialogs: Dialogs are closed as they open.
        blocks_windows: A page may open one window for each `note_input`, and none by itself.
        tells_crashes: A tab that crashed is shown as such, instead of being a fault.
        refuses_private: No document is loaded from this machine or its network.
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
        self.dialogs: list[Dialog] = []
        self.notes: list[str] = []
        self.dismiss_dialogs = False
        self.tells_crashes = False
        self.blocks_windows = False
        self.actions = 0
        self._input_at_s: float | None = None
        self.refuses_private = False
        self._outside: list[str] = []
        self._private: list[str] = []
        self._checking: set[asyncio.Task[None]] = set()
        self._opening = 0
        self.downloads = Downloads(folder, self.tell_news)
        self._current: Tab | None = None
        self._count = 0
        self._news = asyncio.Event()
        self._interrupt = asyncio.Event()
        context.on("page", self._on_page)
        context.on("dialog", self._on_dialog)

    @property
    def dialog(self) -> Dialog | None:
        """The oldest dialog that waits for an answer; those of tabs set aside wait longer."""
        return next((d for d in self.dialogs if not self._is_set_aside(d)), None)

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
                self.notes.append("The last tab was closed; an empty one is shown.")
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
        while not await self.race(tab.fitting, end_s - clock()):
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
        self._wake(interrupt=True)

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
        self.dialogs = [dialog for dialog in self.dialogs if dialog.page is not tab.page]
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
                await self.wait_for_news(timeout_s)
        if tab.open and tab.closing:
            await tab.page.close()

    def take_outside(self) -> str:
        """Say what the pages asked to open that is no page, since this was asked last."""
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

    def note_input(self) -> None:
        """Permit one window, as a browser does for a moment after its user clicked or typed."""
        self._input_at_s = asyncio.get_running_loop().time()

    def set_aside(self) -> None:
        """Let open dialogs wait until their tabs are shown again."""
        for tab in self.tabs:
            tab.set_aside = tab.set_aside or any(d.page is tab.page for d in self.dialogs)

    def tab_of(self, dialog: Dialog) -> Tab | None:
        """Return the tab that a dialog belongs to; None where it has gone."""
        return next((tab for tab in self.tabs if tab.page is dialog.page), None)

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

    def in_flight(self, since_s: float) -> str:
        """Return what is waited for: "page", "tab", "download", "file", "data", or "".

        A "file" was asked for, and its server has not begun to send it.

        Args:
            since_s: Loop time; requests that began before are not waited for.
        """
        tab = self._current
        if tab is not None and tab.navigating:
            return "page"
        if self._checking or any(t.announced > 0 for t in self.tabs):
            return "tab"
        if self.downloads.awaited:
            return "download"
        if self.downloads.expected(since_s):
            return "file"
        if tab is not None and any(start >= since_s for start in tab.requests.values()):
            return "data"
        return ""

    async def give_up_waiting(self, tab: Tab) -> None:
        """Stop a navigation that does not arrive, and forget windows that did not come.

        While a navigation waits for its server, Chromium answers no question about the page that
        is still shown: without stopping it, the next step would hang.
        """
        for opener in self.tabs:
            opener.announced = 0
        self.downloads.give_up_waiting()
        if tab.navigating and tab.open:
            await quietly(lambda: stop_loading(tab))

    async def race(self, work: "asyncio.Future[Any]", timeout_s: float | None) -> bool:
        """Wait for `work`, a dialog or a change of the shown tab; return whether work ended."""
        self._interrupt.clear()
        interrupted = asyncio.ensure_future(self._interrupt.wait())
        try:
            await asyncio.wait(
                {work, interrupted}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            interrupted.cancel()
        return work.done()

    async def wait_for_news(self, timeout_s: float) -> None:
        """Wait until a request, a tab, a dialog or a download makes news, or for `timeout_s`."""
        self._news.clear()
        waiting = asyncio.ensure_future(self._news.wait())
        await asyncio.wait({waiting}, timeout=max(timeout_s, 0.0))
        waiting.cancel()

    async def answer_dialog(self, accept: bool, text: str | None) -> Dialog | None:
        """Answer the oldest dialog and return it; None where there is none."""
        dialog = self.dialog
        if dialog is None:
            return None
        self.dialogs.remove(dialog)
        if accept:
            await dialog.accept(dialog.default_value if text is None else text)
        else:
            await dialog.dismiss()
            tab = self.tab_of(dialog)
            if tab is not None:
                tab.closing = False  # a page that was asked whether it may be left stays
        self._wake()
        return dialog

    async def finish_downloads(self, timeout_s: float) -> None:
        """Wait for what was asked for and may become a download, and for those that run."""
        clock = asyncio.get_running_loop().time
        end_s = clock() + timeout_s
        while self.awaits_files and not self.downloads.pending and clock() < end_s:
            await self.wait_for_news(min(end_s - clock(), FRAME_PATIENCE_S))
        await self.downloads.finish(end_s - clock())

    @property
    def awaits_files(self) -> bool:
        """Whether a download is pending, or a document, which may prove to be one."""
        since_s = asyncio.get_running_loop().time() - FRAME_PATIENCE_S
        documents = (
            tab.navigating
            or tab.announced
            or any(
                at_s > since_s and r.resource_type == "document" for r, at_s in tab.requests.items()
            )
            for tab in self.tabs
        )
        return self.downloads.pending or any(documents)

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
            if TOO_MANY not in self.notes:
                self.notes.append(TOO_MANY)
            self._arrive_announced()
            leave_running(asyncio.ensure_future(quietly(page.close)))
            return
        tab = self._adopt(page)
        self._guard(tab)
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
            on_news=self.tell_news,
            on_outside=self._note_outside,
            is_refused=self._is_refused if self.refuses_private else None,
            permits_window=self._permits_window,
        )
        if self.refuses_private:
            tab.on_arrival = lambda url: self._guard(tab, url)
        self._count += 1
        self.tabs.append(tab)
        if self._current is None:
            self._current = tab
        page.on("close", lambda _: self._on_close(tab))
        page.on("crash", lambda _: self._on_crash(tab))
        page.on("request", lambda request: self._on_request(tab, request))
        page.on("requestfinished", lambda request: self._on_answer(tab, request))
        page.on("requestfailed", lambda request: self._on_failure(tab, request))
        page.on("download", lambda download: self._on_download(tab, download))
        page.on("filechooser", lambda chooser: self._on_chooser(tab, chooser))
        return tab

    def _on_close(self, tab: Tab) -> None:
        tab.open = False
        if tab in self.tabs:
            self.tabs.remove(tab)
        if tab is self._current:
            opener = next((t for t in self.tabs if t.page is tab.opener), None)
            self._current = opener or (self.tabs[-1] if self.tabs else None)
            if not tab.closing:
                self.notes.append("The page closed itself.")
        # A closed page cannot have a dialog any more.
        self.dialogs = [dialog for dialog in self.dialogs if dialog.page is not tab.page]
        self._wake(interrupt=True)

    def _on_crash(self, tab: Tab) -> None:
        tab.crashed = True
        self._wake(interrupt=True)

    def _on_dialog(self, dialog: Dialog) -> None:
        if self.dismiss_dialogs:
            self.notes.append(f"A dialog opened and was closed: {describe_dialog(dialog)}.")
            answer = dialog.accept if dialog.type in ("alert", "beforeunload") else dialog.dismiss
            leave_running(asyncio.ensure_future(quietly(answer)))
            return
        tab = self.tab_of(dialog)
        if tab is not None and tab.closing and dialog.type != "beforeunload":
            return  # it dies with its page
        if tab is not None and dialog.type != "beforeunload":
            tab.alerts += 1
        self.dialogs.append(dialog)
        self._wake(interrupt=True)

    async def _is_refused(self, url: str) -> bool:
        refused = self.refuses_private and await is_private(url)
        if refused:
            self._private = [*self._private[: MAX_OUTSIDE - 1], url]
            self._wake()
        return refused

    def _guard(self, tab: Tab, url: str | None = None) -> None:
        """Close a window that went somewhere private before anybody could be asked."""
        if self.refuses_private:
            checking = asyncio.ensure_future(self._close_private(tab, url))
            self._checking.add(checking)
            checking.add_done_callback(self._checking.discard)
            leave_running(checking)

    async def _close_private(self, tab: Tab, url: str | None) -> None:
        if url is None:
            await quietly(tab.session)  # what it loads from now on is asked for before
        if await self._is_refused(url or tab.page.url):
            tab.closing = True
            await quietly(tab.page.close)
        self._wake()

    def _note_outside(self, url: str) -> None:
        if len(self._outside) < MAX_OUTSIDE:
            self._outside.append(url)
        self._wake()

    def _on_request(self, tab: Tab, request: Request) -> None:
        if OTHER_PROGRAM.match(request.url):
            return self._note_outside(request.url)  # it never leaves the browser, and never arrives
        if request.resource_type in AWAITED_KINDS:
            tab.requests[request] = asyncio.get_running_loop().time()
            tab.traffic += 1
        if request.is_navigation_request() and request.frame == tab.page.main_frame:
            tab.navigating = True
        self._wake()

    def _on_answer(self, tab: Tab, request: Request) -> None:
        if tab.requests.pop(request, None) is not None:
            tab.traffic += 1
        if request.is_navigation_request() and request.frame == tab.page.main_frame:
            tab.navigating = False
        self._wake()

    def _on_failure(self, tab: Tab, request: Request) -> None:
        """A page that did not come; one that was given up is no failure."""
        failure = request.failure or ""
        asked = request.is_navigation_request() and request.frame == tab.page.main_frame
        if asked and "ERR_ABORTED" not in failure:
            tab.failure = failure
        self._on_answer(tab, request)

    def _on_chooser(self, tab: Tab, chooser: FileChooser) -> None:
        tab.chooser = chooser
        self._wake()

    def _on_download(self, tab: Tab, download: Download) -> None:
        tab.navigating = False
        self.downloads.begin(download, self.actions)
        self._wake()

    def tell_news(self, sentence: str = "") -> None:
        """Wake who waits for news, and keep a sentence for the next observation."""
        if sentence:
            self.notes.append(sentence)
        self._wake()

    def _is_set_aside(self, dialog: Dialog) -> bool:
        tab = self.tab_of(dialog)
        return tab is not None and tab.set_aside

    def _wake(self, interrupt: bool = False) -> None:
        self._news.set()
        if interrupt:
            self._interrupt.set()
