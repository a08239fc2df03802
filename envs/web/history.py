"""Addresses: opening them, going back and forward, loading again."""

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, Response
from playwright.async_api import TimeoutError as PlaywrightTimeout

from eyehand.envs.web.faults import first_line, is_closed
from eyehand.envs.web.scene import Scene
from eyehand.errors import ActionHadNoEffect, InvalidArgument

WEB_SCHEMES = ("http://", "https://")
EMPTY_PAGE = "about:blank"


class Unreachable(Exception):
    """An address could not be opened.

    Args:
        reason: Why, for people.
        shown: Whether the browser shows its error page now.
    """

    def __init__(self, reason: str, shown: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.shown = shown


async def open_address(page: Page, url: str, load_s: float) -> Response | None:
    """Open an address and return once its first bytes have come.

    Chromium itself refuses redirects from the web to `file:` and scripts that try to go there.

    Raises:
        Unreachable: there is no such host, no answer within `load_s`, or a refused redirect.
    """
    try:
        return await page.goto(url, wait_until="commit", timeout=load_s * 1000)
    except PlaywrightTimeout:
        session = await page.context.new_cdp_session(page)
        await session.send("Page.stopLoading")
        await session.detach()
        raise Unreachable(f"no answer in {load_s:g} s", shown=False) from None
    except PlaywrightError as error:
        text = first_line(error)
        if is_closed(error) or "interrupted by another navigation" in text:
            raise
        reason = text.removeprefix("Page.goto: ").split(" at http")[0]
        raise Unreachable(reason, shown="ERR_ABORTED" not in text) from error


async def go_to(scene: Scene, url: str) -> None:
    """Open an address that the model chose.

    Raises:
        InvalidArgument: it is neither http nor https.
        ActionHadNoEffect: it did not open, and the page is as it was.
    """
    if not url.lower().startswith(WEB_SCHEMES):
        raise InvalidArgument(f"go_to takes http:// and https:// only; got {url[:60]!r}")
    scene.effect = f"opened {url}"
    try:
        response = await open_address(scene.tab.page, url, scene.load_s)
    except Unreachable as error:
        scene.effect = f"could not open {url}: {error.reason}"
        if "ERR_ABORTED" in error.reason:
            scene.feedback = "The address is no page to show; perhaps it is a download."
            return
        if not error.shown:
            raise ActionHadNoEffect(f"{url} could not be opened: {error.reason}") from error
        scene.failed = True
        scene.feedback = f"{url} could not be opened: {error.reason}"
        return
    except PlaywrightError as error:
        if "interrupted by another navigation" not in str(error):
            raise
        response = None
    if response is not None and response.status >= 400:
        scene.effect += f" (HTTP {response.status})"


async def move(scene: Scene, step: int) -> None:
    """Go back (-1) or forward (+1) in the tab's history.

    Raises:
        ActionHadNoEffect: there is no such page.
    """
    session = await scene.tab.session()
    known = await session.send("Page.getNavigationHistory")
    index, entries = known["currentIndex"] + step, known["entries"]
    there = 0 <= index < len(entries)
    # Before the start page lies only the empty page with which every tab begins.
    if not there or (index == 0 and entries[0]["url"] == EMPTY_PAGE):
        direction = "back" if step < 0 else "forward"
        raise ActionHadNoEffect(f"there is no page to go {direction} to")
    scene.effect = f"went {'back' if step < 0 else 'forward'} to {entries[index]['url'][:200]}"
    travel = scene.tab.page.go_back if step < 0 else scene.tab.page.go_forward
    await _bounded(scene, travel(wait_until="commit", timeout=scene.load_s * 1000))


async def reload(scene: Scene) -> None:
    """Load the page again."""
    scene.effect = "loaded the page again"
    page = scene.tab.page
    await _bounded(scene, page.reload(wait_until="commit", timeout=scene.load_s * 1000))


async def _bounded(scene: Scene, travel: object) -> None:
    """Await a navigation; one that does not arrive is told, and the page stays."""
    try:
        await travel  # type: ignore[misc]
    except PlaywrightTimeout:
        scene.failed = True
        scene.feedback = f"The page gave no answer in {scene.load_s:g} s."
    except PlaywrightError as error:
        if is_closed(error) or "net::" not in str(error):
            raise
        scene.failed = True
        scene.feedback = f"The page could not be opened: {first_line(error)[:200]}"
