"""Tab: one page of an episode and what is known about it; and its dialogs in words."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import CDPSession, Dialog, FileChooser, Page, Request
from playwright.async_api import Error as PlaywrightError


@dataclass(eq=False)
class Tab:
    """One page and what is known about it.

    Attributes:
        page: Playwright's page.
        number: Counts the tabs of the episode; never used twice.
        title: The title when it was last looked at.
        restless: It did not become quiet the last time.
        navigating: A document was asked for and has not come.
        crashed: Its renderer died.
        open: It has not been closed.
        closing: It is being closed on purpose.
        opener: The tab that opened it.
        announced: Windows that it opened and that have not come yet.
        chooser: A file picker that it opened.
        requests: What it waits for, with the loop time at which each began.
        traffic: How many requests began or ended so far.
        fitting: `fit` at work, or when it last was.
    """

    page: Page
    number: int
    title: str = ""
    restless: bool = False
    navigating: bool = False
    crashed: bool = False
    open: bool = True
    closing: bool = False
    opener: Page | None = None
    announced: int = 0
    chooser: FileChooser | None = None
    requests: dict[Request, float] = field(default_factory=dict)
    traffic: int = 0
    fitting: "asyncio.Future[None] | None" = None
    _session: CDPSession | None = None
    _drawn: tuple[int, int, float] | None = None

    async def session(self) -> CDPSession:
        """Return the session of Chromium's protocol that belongs to the page."""
        if self._session is None:
            self._session = await self.page.context.new_cdp_session(self.page)
            self._session.on("Page.windowOpen", self._announce)
            await self._session.send("Page.enable")
        return self._session

    def fits(self, viewport: tuple[int, int], pixel_ratio: float) -> bool:
        """Return whether the page is drawn as `fit` draws it."""
        return self._session is not None and self._drawn == (*viewport, pixel_ratio)

    async def fit(self, viewport: tuple[int, int], pixel_ratio: float) -> None:
        """Draw the page in a viewport, from now on.

        The session that takes the pictures has to ask for the ratio: after a picture, Chromium
        goes back to what that session asked for, and forgets the ratio of the context.

        Args:
            viewport: Width and height in CSS pixels.
            pixel_ratio: Device pixels in a CSS pixel.
        """
        width, height = viewport
        if self.size != viewport:
            await self.page.set_viewport_size({"width": width, "height": height})
        session = await self.session()
        if pixel_ratio != 1.0:
            metrics = {"width": width, "height": height, "deviceScaleFactor": pixel_ratio}
            await session.send("Emulation.setDeviceMetricsOverride", {**metrics, "mobile": False})
        self._drawn = (width, height, pixel_ratio)

    def _announce(self, event: dict[str, Any]) -> None:
        self.announced += 1

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the viewport in CSS pixels."""
        size = self.page.viewport_size
        return (size["width"], size["height"]) if size else (0, 0)

    @property
    def screen(self) -> str:
        """Name of the screen that the tab shows."""
        return f"tab {self.number}, {self.size[0]}x{self.size[1]}"


async def stop_loading(tab: Tab) -> None:
    """Stop what a tab loads."""
    await (await tab.session()).send("Page.stopLoading")
    tab.navigating = False


def describe_dialog(dialog: Dialog) -> str:
    """Return a dialog's kind and text, such as `confirm "Delete?"`."""
    if dialog.type == "beforeunload":
        return 'beforeunload "Leave this page? Changes may be lost."'
    shown = f'{dialog.type} "{dialog.message[:500]}"'
    return f'{shown}, now "{dialog.default_value[:100]}"' if dialog.default_value else shown


async def quietly(function: Callable[[], Awaitable[Any]]) -> None:
    """Await `function()` where its failure means that the page is gone, which others report."""
    try:
        await function()
    except PlaywrightError:
        return


def leave_running(work: "asyncio.Future[Any]", cancel: bool = False) -> None:
    """Let work end by itself; what it raises then concerns nobody."""
    work.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    if cancel:
        work.cancel()
