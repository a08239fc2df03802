"""Tab: one page of an episode and what is known about it; and its dialogs in words."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import CDPSession, FileChooser, Page, Request
from playwright.async_api import Error as PlaywrightError

from eyehand.envs.web.painting import Painting

# Addresses that another program opens: no window comes of them.
OTHER_PROGRAM = re.compile(
    r"(?!(https?|about|blob|data|file|javascript|chrome[\w-]*):)[a-z][\w+.-]*:", re.I
)

_DOCUMENTS = [{"urlPattern": "http*", "resourceType": "Document"}]


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
        refused: Windows that it opened by itself, to be closed as they come.
        blocked: It tried to open a window without a click of its user, and that has been told.
        silent: It gave no answer when it was last watched: a script of it is busy.
        arrivals: Documents that came since it was last quiet.
        arrived_s: Loop time at which the latest document came.
        alerts: Dialogs that its document opened, those that ask whether to leave left out.
        set_aside: It was left while a dialog of it was open, which waits until it is shown again.
        failure: Why a page did not come, as the browser says it.
        changed: It changed by itself after its picture had been taken.
        watch: Counts how often it was watched; what an older watch tells is out of date.
        chooser: A file picker that it opened.
        requests: What it waits for, with the loop time at which each began.
        permits_window: Asked whether a window may open now.
        is_refused: Asked whether a document may not be loaded; None where every one may.
        on_arrival: Told the address of each document that came.
        on_outside: Told the address of a window that is no page.
        on_news: Told what the page said of itself that a step may wait for, as a note or "".
        traffic: How many requests began or ended so far.
        painting: What the browser tells of its screen; None where nobody listens.
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
    refused: int = 0
    blocked: bool = False
    arrived_s: float = 0.0
    silent: bool = False
    arrivals: int = 0
    alerts: int = 0
    set_aside: bool = False
    failure: str = ""
    changed: bool = False
    watch: int = 0
    chooser: FileChooser | None = None
    permits_window: Callable[[], bool] | None = None
    on_news: Callable[[str], None] | None = None
    on_arrival: Callable[[str], None] | None = None
    on_outside: Callable[[str], None] | None = None
    is_refused: Callable[[str], Awaitable[bool]] | None = None
    requests: dict[Request, float] = field(default_factory=dict)
    traffic: int = 0
    painting: Painting | None = None
    fitting: "asyncio.Future[None] | None" = None
    _session: CDPSession | None = None
    _opening: "asyncio.Task[CDPSession] | None" = None
    _drawn: tuple[int, int, float] | None = None

    async def session(self) -> CDPSession:
        """Return the session of Chromium's protocol that belongs to the page."""
        if self._session is None:
            if self._opening is None or self._opening.done():
                self._opening = asyncio.ensure_future(self._open_session())
                leave_running(self._opening)
            # Two who ask at once get the same one, and one that gives up takes it from nobody.
            self._session = await asyncio.shield(self._opening)
        return self._session

    async def _open_session(self) -> CDPSession:
        session = await self.page.context.new_cdp_session(self.page)
        session.on("Page.windowOpen", self._announce)
        session.on("Page.frameNavigated", self._arrive)
        enabling: list[Awaitable[Any]] = [session.send("Page.enable")]
        if self.is_refused is not None:
            session.on("Fetch.requestPaused", lambda event: self._ask_for(session, event))
            enabling.append(session.send("Fetch.enable", {"patterns": _DOCUMENTS}))
        if self.painting is not None:
            enabling.append(self.painting.follow(session))
        await asyncio.gather(*enabling)
        return session

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
        """A window is asked for. Without a click of its user the browser opens none."""
        if OTHER_PROGRAM.match(url := event.get("url", "")):
            if self.on_outside is not None:
                self.on_outside(url)
            return
        opens = bool(event.get("userGesture", True))
        if opens and (self.permits_window is None or self.permits_window()):
            self.announced += 1
            return
        self.refused += opens
        told, self.blocked = self.blocked, True
        if not told and self.on_news is not None:
            self.on_news("The browser blocked a window that the page tried to open by itself.")

    def _ask_for(self, session: CDPSession, event: dict[str, Any]) -> None:
        leave_running(asyncio.ensure_future(self._let_through(session, event)))

    async def _let_through(self, session: CDPSession, event: dict[str, Any]) -> None:
        """Load a document, or have the page stay where it may not be loaded."""
        named: dict[str, Any] = {"requestId": event["requestId"]}
        refused = True
        try:
            refused = self.is_refused is None or await self.is_refused(event["request"]["url"])
        finally:
            if refused:
                await session.send("Fetch.failRequest", {**named, "errorReason": "Aborted"})
            else:
                await session.send("Fetch.continueRequest", named)

    def _arrive(self, event: dict[str, Any]) -> None:
        """Another document came; a new address for the same one makes no event."""
        if "parentId" in event["frame"]:
            return
        if self.on_arrival is not None:
            self.on_arrival(event["frame"]["url"])
        self.navigating = self.restless = self.silent = self.blocked = False
        self.arrivals += 1
        if self.painting is not None:
            self.painting.begin_document()
        self.title = ""
        self.arrived_s = asyncio.get_running_loop().time()
        self.alerts = 0
        if self.on_news is not None:
            self.on_news("")

    @property
    def stuck(self) -> bool:
        """Whether the page can only be closed: it crashed, is busy, or waits for an answer."""
        return self.crashed or self.silent or self.set_aside

    @property
    def looping(self) -> bool:
        """Whether its document opened dialogs again, so that it may be left without an answer."""
        return self.alerts > 1

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
