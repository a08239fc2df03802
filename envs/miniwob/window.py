"""The window in which tasks are shown: kept from one task to the next, for a new one takes time."""

from weakref import WeakKeyDictionary

from playwright.async_api import Error as PlaywrightError

from eyehand.envs.web.browser import Browser
from eyehand.envs.web.tabs import Tabs

# Wider than a task, because dialogs are placed with regard to the window.
VIEWPORT = (500, 210)

LEAVE_TIMEOUT_S = 5.0
# The driver and its client remember what a window has asked for, some 70 KB a task.
MOST_TASKS = 100

_spare: WeakKeyDictionary[Browser, Tabs] = WeakKeyDictionary()
_tasks: WeakKeyDictionary[Tabs, int] = WeakKeyDictionary()
"""How many tasks a window has shown."""


async def open_window(browser: Browser) -> Tabs:
    """Return a window with one tab: the one that was left last, or a new one."""
    kept = _spare.pop(browser, None)
    if kept is not None and _is_sound(kept):
        _tasks[kept] += 1
        return kept
    if kept is not None:
        await kept.close()
    tabs = Tabs(await browser.new_context(VIEWPORT), VIEWPORT, None)
    tabs.dialogs.dismisses = True
    _tasks[tabs] = 1
    await tabs.new_tab()
    return tabs


async def leave_window(browser: Browser, tabs: Tabs) -> None:
    """Give a window back; one is kept for the next task, without the page that it showed.

    The pages are files of the package that keep nothing in the browser: what stays behind is an
    empty tab. A window whose page cannot be left is closed, and so is one that has shown many.
    """
    lasts = _tasks.get(tabs, 0) < MOST_TASKS
    if lasts and await _is_emptied(tabs) and browser not in _spare:
        tabs.news.notes.clear()
        _spare[browser] = tabs
    else:
        await tabs.close()


async def _is_emptied(tabs: Tabs) -> bool:
    """Leave the page; returns whether the window is fit for another one."""
    if not _is_sound(tabs):
        return False
    try:
        await tabs.tabs[0].page.goto("about:blank", timeout=LEAVE_TIMEOUT_S * 1000)
    except PlaywrightError:
        return False
    return _is_sound(tabs)


def _is_sound(tabs: Tabs) -> bool:
    return len(tabs.tabs) == 1 and tabs.tabs[0].open and not tabs.tabs[0].crashed
