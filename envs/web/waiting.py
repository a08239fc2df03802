"""What the pages of an episode are still loading, and giving up to wait for it."""

import asyncio

from playwright.async_api import Frame

from eyehand.envs.web.downloads import CLICKS
from eyehand.envs.web.tab import Tab, leave_running, quietly, stop_loading
from eyehand.envs.web.tabs import Tabs

# A frame's document that has not come by then (an advertisement) is no download that was asked for.
FRAME_PATIENCE_S = 3.0
# A busy page is asked at the end for what was clicked in it; it has so long to answer.
ANSWER_S = 3.0


def in_flight(tabs: Tabs, since_s: float) -> str:
    """Return what is waited for: "page", "tab", "download", "file", "data", or "".

    A "file" was asked for, and its server has not begun to send it.

    Args:
        tabs: The tabs.
        since_s: Loop time; requests that began before are not waited for.
    """
    tab = tabs.current
    if tab is not None and tab.navigating:
        return "page"
    if tabs.guard.checking or any(t.announced > 0 for t in tabs.tabs):
        return "tab"
    if tabs.downloads.awaited:
        return "download"
    if tabs.downloads.expected(since_s):
        return "file"
    if tab is not None and any(start >= since_s for start in tab.requests.values()):
        return "data"
    return ""


async def give_up_waiting(tabs: Tabs, tab: Tab) -> None:
    """Stop a navigation that does not arrive, and forget windows that did not come.

    While a navigation waits for its server, Chromium answers no question about the page that
    is still shown: without stopping it, the next step would hang.
    """
    for opener in tabs.tabs:
        opener.announced = 0
    tabs.downloads.give_up_waiting()
    if tab.navigating and tab.open:
        await quietly(lambda: stop_loading(tab))


async def finish_downloads(tabs: Tabs, timeout_s: float, *, ask: bool = True) -> None:
    """Wait for what was asked for and may become a download, and for those that run.

    Args:
        tabs: The tabs.
        timeout_s: The longest wait.
        ask: Ask the pages first: the watch of the last step may have been given up.
    """
    if ask:
        await _ask_for_clicks(tabs)
    if not awaits_files(tabs):
        return
    clock = asyncio.get_running_loop().time
    end_s = clock() + timeout_s
    while awaits_files(tabs) and not tabs.downloads.pending and clock() < end_s:
        await tabs.news.wait(min(end_s - clock(), FRAME_PATIENCE_S))
    await tabs.downloads.finish(end_s - clock())


async def _ask_for_clicks(tabs: Tabs) -> None:
    """Learn which downloads the pages have asked for; one that waits for an answer tells none."""
    if tabs.dialog is not None:
        return
    answering = [t for t in tabs.tabs if t.open and not (t.crashed or t.set_aside)]
    asking = [asyncio.ensure_future(_clicks(f)) for t in answering for f in t.page.frames]
    if not asking:
        return
    answered, late = await asyncio.wait(asking, timeout=ANSWER_S)
    for work in late:
        leave_running(work, cancel=True)
    for work in answered:
        if work.exception() is None:
            tabs.downloads.ask(*work.result(), tabs.actions)


async def _clicks(frame: Frame) -> tuple[str, float]:
    document, count = await frame.evaluate(CLICKS)
    return str(document), float(count)


def awaits_files(tabs: Tabs) -> bool:
    """Return whether a download is pending, or a document, which may prove to be one."""
    since_s = asyncio.get_running_loop().time() - FRAME_PATIENCE_S
    return tabs.downloads.pending or any(_may_be_file(tab, since_s) for tab in tabs.tabs)


def _may_be_file(tab: Tab, since_s: float) -> bool:
    documents = (at_s for r, at_s in tab.requests.items() if r.resource_type == "document")
    return bool(tab.navigating or tab.announced or any(at_s > since_s for at_s in documents))
