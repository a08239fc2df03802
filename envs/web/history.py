"""Addresses: opening them, going back and forward, loading again."""

import asyncio
from typing import Any

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, Response
from playwright.async_api import TimeoutError as PlaywrightTimeout

from eyehand.envs.web.action_context import ActionContext
from eyehand.envs.web.faults import first_line, is_closed
from eyehand.envs.web.network_words import in_plain_words
from eyehand.envs.web.private import HOW_TO_ALLOW, is_private
from eyehand.envs.web.tab import Tab, leave_running, quietly
from eyehand.errors import ActionHadNoEffect, InvalidArgument

WEB_SCHEMES = ("http://", "https://")
EMPTY_PAGE = "about:blank"
# What Playwright says of an address that another one took the place of, or that is a file.
INTERRUPTED = "interrupted by another navigation"
# How often an address is opened that the page gets in the way of: one that loads itself for ever.
MOST_TRIES = 6
DOWNLOAD = "Download is starting"
# A page that is busy no longer answers at once.
ANSWER_TIMEOUT_S = 1.0


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

    Where the page that is left opens another one at that moment, the address is opened again: it
    was asked for later. Chromium itself refuses redirects from the web to `file:` and scripts that
    try to go there.

    Raises:
        Unreachable: there is no such host, no answer within `load_s`, a refused redirect, or a
            download.
    """
    clock = asyncio.get_running_loop().time
    end_s = clock() + load_s
    for _ in range(MOST_TRIES):
        left_ms = max(1.0, (end_s - clock()) * 1000)  # 0 would be no limit
        try:
            return await page.goto(url, wait_until="commit", timeout=left_ms)
        except PlaywrightTimeout:
            await quietly(lambda: _stop_loading(page))
            raise Unreachable(f"no answer in {load_s:g} s", shown=False) from None
        except PlaywrightError as error:
            if is_closed(error):
                raise
            if INTERRUPTED not in str(error):
                raise _unreachable(error) from error
    return None  # what the page itself opens is looked at next


def _unreachable(error: PlaywrightError) -> Unreachable:
    text = first_line(error)
    reason = text.removeprefix("Page.goto: ").split(" at http")[0]
    shown = "ERR_ABORTED" not in text and DOWNLOAD not in text
    return Unreachable(in_plain_words(reason), shown)


async def _stop_loading(page: Page) -> None:
    session = await page.context.new_cdp_session(page)
    await session.send("Page.stopLoading")
    await session.detach()


async def go_to(context: ActionContext, url: str) -> None:
    """Open an address that the model chose.

    Raises:
        InvalidArgument: it is neither http nor https.
        ActionHadNoEffect: it is private or did not open, and the page is as it was.
    """
    if not url.lower().startswith(WEB_SCHEMES):
        raise InvalidArgument(f"go_to takes http:// and https:// only; got {url[:60]!r}")
    if context.tabs.guard.refuses_private and await is_private(url):
        raise ActionHadNoEffect(f"{url[:200]} is a private address, {HOW_TO_ALLOW}")
    await _leave_stuck(context)
    context.effect = f"opened {url}"
    try:
        response = await open_address(context.tab.page, url, context.load_s)
    except Unreachable as error:
        if DOWNLOAD in error.reason:
            context.effect = f"opened {url}, which is a download; the page stays"
            return
        context.effect = f"could not open {url}: {error.reason}"
        if "ERR_ABORTED" in error.reason:
            context.feedback = "The address is no page to show; perhaps it is a download."
            return
        if not error.shown:
            raise ActionHadNoEffect(f"{url} could not be opened: {error.reason}") from error
        context.failed = True
        context.feedback = f"{url} could not be opened: {error.reason}"
        return
    if response is not None and response.status >= 400:
        context.effect += f" (HTTP {response.status})"


async def _leave_stuck(context: ActionContext) -> bool:
    """Give a tab whose page is stuck an empty page; returns whether it was."""
    tab = context.tab
    if not tab.stuck:
        return False
    if not tab.crashed and not tab.set_aside and await _answers(tab):
        tab.silent = False
        return False
    context.tab = await context.tabs.replace(tab)
    context.hints.append("The page gave no answer and was closed; the tab's history went with it.")
    return True


async def _answers(tab: Tab) -> bool:
    asking = asyncio.ensure_future(tab.page.evaluate("0"))
    leave_running(asking)
    await asyncio.wait({asking}, timeout=ANSWER_TIMEOUT_S)
    return asking.done() and asking.exception() is None


async def move(context: ActionContext, step: int) -> None:
    """Go back (-1) or forward (+1) in the tab's history.

    Raises:
        ActionHadNoEffect: there is no such page.
    """
    index, entries = await _entries(context.tab, step)
    there = 0 <= index < len(entries)
    # Before the start page lies only the empty page with which every tab begins.
    if not there or (index == 0 and entries[0]["url"] == EMPTY_PAGE):
        direction = "back" if step < 0 else "forward"
        raise ActionHadNoEffect(f"there is no page to go {direction} to")
    url = entries[index]["url"]
    context.effect = f"went {'back' if step < 0 else 'forward'} to {url[:200]}"
    if await _leave_stuck(context):
        return await _open_again(context, url)
    travel = context.tab.page.go_back if step < 0 else context.tab.page.go_forward
    await _bounded(context, travel(wait_until="commit", timeout=context.load_s * 1000))


async def reload(context: ActionContext) -> None:
    """Load the page again."""
    context.effect = "loaded the page again"
    url = context.tab.page.url
    if await _leave_stuck(context):
        return await _open_again(context, url)
    page = context.tab.page
    await _bounded(context, page.reload(wait_until="commit", timeout=context.load_s * 1000))


async def _entries(tab: Tab, step: int) -> tuple[int, list[dict[str, Any]]]:
    """Return the place to go to and the tab's history; a page that crashed has none left."""
    if tab.crashed:
        return -1, []
    session = await tab.session()
    known = await session.send("Page.getNavigationHistory")
    return known["currentIndex"] + step, known["entries"]


async def _open_again(context: ActionContext, url: str) -> None:
    """Open an address that the tab showed before, in its new page."""
    if url.lower().startswith(WEB_SCHEMES):
        page = context.tab.page
        await _bounded(context, page.goto(url, wait_until="commit", timeout=context.load_s * 1000))


async def _bounded(context: ActionContext, travel: object) -> None:
    """Await a navigation; one that does not arrive is told, and the page stays."""
    try:
        await travel  # type: ignore[misc]
    except PlaywrightTimeout:
        context.failed = True
        context.feedback = f"The page gave no answer in {context.load_s:g} s."
    except PlaywrightError as error:
        if INTERRUPTED in str(error):
            return
        if is_closed(error) or "net::" not in str(error):
            raise
        reason = first_line(error).partition(": ")[2][:200].split(" at http")[0]
        context.failed = True
        context.feedback = f"The page could not be opened: {in_plain_words(reason)}"
