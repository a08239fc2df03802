"""The window in which tasks are shown: kept from one task to the next, for a new one takes time."""

from weakref import WeakKeyDictionary

from eyehand.envs.web.browser import Browser
from eyehand.envs.web.tabs import Tabs

# Wider than a task, because dialogs are placed with regard to the window.
VIEWPORT = (500, 210)

_spare: WeakKeyDictionary[Browser, Tabs] = WeakKeyDictionary()


async def open_window(browser: Browser) -> Tabs:
    """Return a window with one tab: the one that was left last, or a new one."""
    kept = _spare.pop(browser, None)
    if kept is not None and _is_sound(kept):
        return kept
    if kept is not None:
        await kept.close()
    tabs = Tabs(await browser.new_context(VIEWPORT), VIEWPORT, None)
    tabs.dismiss_dialogs = True
    await tabs.new_tab()
    return tabs


async def leave_window(browser: Browser, tabs: Tabs) -> None:
    """Give a window back; one is kept for the next task, without the page that it showed.

    The pages are files of the package that keep nothing in the browser: what stays behind is an
    empty tab.
    """
    if browser not in _spare and _is_sound(tabs):
        _spare[browser] = tabs
        await tabs.tabs[0].page.goto("about:blank")
    else:
        await tabs.close()


def _is_sound(tabs: Tabs) -> bool:
    return len(tabs.tabs) == 1 and tabs.tabs[0].open and not tabs.tabs[0].crashed
