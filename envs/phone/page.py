"""The page in Chromium that the simulated phone's screen is."""

import mimetypes
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, CDPSession, Page, Route

from eyehand.envs.env import Pixels
from eyehand.envs.phone.geometry import Size
from eyehand.envs.phone.touch import TouchGesture
from eyehand.envs.web.browser import Browser
from eyehand.envs.web.capture import capture

WEB = Path(__file__).parent / "web"
ORIGIN = "http://phone.invalid"  # RFC 2606: no such name can exist, nothing leaves the machine
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}


class PhonePage:
    """One tab of one browser, at the phone's size. Await its methods inside `Browser.call`.

    The page has one CSS pixel per device pixel; what a density makes larger or smaller is the
    size of a dp in it. So every coordinate is a device pixel, exactly, also where a density is
    no whole multiple of 160.
    """

    def __init__(self, context: BrowserContext, page: Page, session: CDPSession) -> None:
        self._context = context
        self._page = page
        self._session = session
        self.crashed = False
        page.on("crash", self._note_crash)
        page.on("close", self._note_crash)

    @classmethod
    async def open(cls, browser: Browser, size: Size) -> "PhonePage":
        """Load the phone's page in a context of its own."""
        context = await browser.new_context(viewport=size, downloads=False)
        await context.route("**/*", _serve)
        page = await context.new_page()
        session = await context.new_cdp_session(page)
        await session.send(
            "Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 1}
        )
        await page.goto(f"{ORIGIN}/index.html")
        return cls(context, page, session)

    async def call(self, name: str, *arguments: Any) -> Any:
        """Call a function of the page's `window.eyehand` and return what it returns."""
        return await self._page.evaluate(
            "([name, values]) => window.eyehand[name](...values)", [name, list(arguments)]
        )

    async def resize(self, size: Size) -> None:
        """Give the page another size in device pixels."""
        await self._page.set_viewport_size({"width": size[0], "height": size[1]})

    async def capture(self) -> Pixels:
        """Return what the page shows, RGB uint8 (H, W, 3)."""
        return await capture(self._session)

    async def touch(self, gesture: TouchGesture) -> None:
        """Touch the page as a finger does."""
        for event in gesture.events():
            await self._session.send("Input.dispatchTouchEvent", event)

    def _note_crash(self, _: Page) -> None:
        self.crashed = True

    async def close(self) -> None:
        """Close the tab and its context."""
        await self._context.close()


async def _serve(route: Route) -> None:
    """Answer from the package's own files; nothing is fetched from anywhere else."""
    address = route.request.url
    path = (WEB / address.removeprefix(f"{ORIGIN}/")).resolve()
    if not address.startswith(f"{ORIGIN}/") or WEB.resolve() not in path.parents:
        await route.abort()
        return
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "text/plain"
    await route.fulfill(
        body=path.read_text(encoding="utf-8"), content_type=f"{kind}; charset=utf-8"
    )
