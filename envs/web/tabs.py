"""Tabs: the pages of one episode, and what happens to them while nobody asks.

Everything here runs on the browser's thread. Chromium's events (a new tab, a dialog, a request)
arrive between the awaits and are kept until a step asks.
"""

import asyncio
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Dialog, Download, FileChooser, Frame, Page, Request
from playwright.async_api import Error as PlaywrightError

from eyehand.envs.web.downloads import keep_download
from eyehand.envs.web.tab import Tab, describe_dialog, leave_running, quietly, stop_loading
from eyehand.errors import BrowserCrashed, EnvironmentFault

AWAITED_KINDS = ("document", "stylesheet", "script", "image", "font", "xhr", "fetch")
FIT_TIMEOUT_S = 5.0


class Tabs:
    """The tabs of one context: which one is shown, dialogs, downloads, requests in flight.

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
        self._current: Tab | None = None
        self._count = 0
        self._downloads: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._interrupt = asyncio.Event()
        context.on("page", self._on_page)
        context.on("dialog", self._on_dialog)

    @property
    def dialog(self) -> Dialog | None:
        """The dialog that waits for an answer, the oldest first."""
        return self.dialogs[0] if self.dialogs else None

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
            page = await self.context.new_page()
            self._adopt(page)
            if len(self.tabs) == 1 and self._count > 1:
                self.notes.append("The last tab was closed; an empty one is shown.")
        tab = self._current
        if tab is None or tab.crashed:
            raise BrowserCrashed("the page's renderer crashed")
        if tab.fits(self.viewport, self.pixel_ratio):
            return tab
        if tab.fitting is None or tab.fitting.done():
            tab.fitting = asyncio.ensure_future(tab.fit(self.viewport, self.pixel_ratio))
            leave_running(tab.fitting)
        if await self.race(tab.fitting, FIT_TIMEOUT_S):
            tab.fitting.result()
        elif self._current is not tab:
            return await self.shown()
        elif self.dialog is None:
            raise EnvironmentFault(f"a tab gave no answer in {FIT_TIMEOUT_S:g} s")
        return tab

    def show(self, tab: Tab) -> None:
        """Show a tab."""
        self._current = tab
        self._wake(interrupt=True)

    async def new_tab(self) -> Tab:
        """Open an empty tab and show it."""
        tab = self._adopt(await self.context.new_page())
        self.show(tab)
        return tab

    async def check_alive(self, tab: Tab) -> None:
        """Tell a page that closed itself from a browser that died.

        Raises:
            BrowserCrashed: the tab's renderer, or the whole browser, died.
        """
        if tab.crashed:
            raise BrowserCrashed("the page's renderer crashed")
        try:
            await self.context.cookies()
        except PlaywrightError as error:
            raise BrowserCrashed("the browser process died") from error

    def in_flight(self, since_s: float) -> str:
        """Return what is waited for: "page", "tab", "download", "data" or "" for nothing.

        Args:
            since_s: Loop time; requests that began before are not waited for.
        """
        tab = self._current
        if tab is not None and tab.navigating:
            return "page"
        if any(t.announced > 0 for t in self.tabs):
            return "tab"
        if self._downloads:
            return "download"
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
        if not self.dialogs:
            return None
        dialog = self.dialogs.pop(0)
        if accept:
            await dialog.accept(dialog.default_value if text is None else text)
        else:
            await dialog.dismiss()
        return dialog

    async def close(self) -> None:
        """Close every tab and forget cookies and storage."""
        for download in self._downloads:
            download.cancel()
        await self.context.close()

    # --- events ---------------------------------------------------------------------------

    def _on_page(self, page: Page) -> None:
        tab = self._adopt(page)
        self.show(tab)
        for opener in self.tabs:
            if opener.announced > 0 and opener is not tab:
                opener.announced -= 1
                tab.opener = opener.page
                break

    def _adopt(self, page: Page) -> Tab:
        """Make a Tab of a page, once, and listen to it."""
        known = next((tab for tab in self.tabs if tab.page is page), None)
        if known is not None:
            return known
        tab = Tab(page, self._count)
        self._count += 1
        self.tabs.append(tab)
        if self._current is None:
            self._current = tab
        page.on("close", lambda _: self._on_close(tab))
        page.on("crash", lambda _: self._on_crash(tab))
        page.on("request", lambda request: self._on_request(tab, request))
        page.on("requestfinished", lambda request: self._on_answer(tab, request))
        page.on("requestfailed", lambda request: self._on_answer(tab, request))
        page.on("framenavigated", lambda frame: self._on_navigated(tab, frame))
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
        self.dialogs.append(dialog)
        self._wake(interrupt=True)

    def _on_request(self, tab: Tab, request: Request) -> None:
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

    def _on_navigated(self, tab: Tab, frame: Frame) -> None:
        if frame == tab.page.main_frame:
            tab.navigating = False
            tab.restless = False
            self._wake()

    def _on_chooser(self, tab: Tab, chooser: FileChooser) -> None:
        tab.chooser = chooser
        self._wake()

    def _on_download(self, tab: Tab, download: Download) -> None:
        tab.navigating = False
        task = asyncio.ensure_future(self._keep(download))
        self._downloads.add(task)

    async def _keep(self, download: Download) -> None:
        try:
            self.notes.append(await keep_download(download, self.folder))
        finally:
            task = asyncio.current_task()
            self._downloads.discard(task)
            self._wake()

    def _wake(self, interrupt: bool = False) -> None:
        self._news.set()
        if interrupt:
            self._interrupt.set()
