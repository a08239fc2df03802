"""Waiting until a page has settled: bounded, and without a fixed sleep.

A page is quiet when its document is complete, no document, script, style, image or data request
that began with the action is in flight, nothing in any of its frames changed for two animation
frames, and no finite animation or scrolling runs. An endless spinner made of CSS does not count
as change; one made by a script does, and so does polling without a pause: then the wait ends at
its bound, says so, and is short from then on until the page is quiet again.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Frame, JSHandle

from eyehand.envs.web.faults import has_navigated, is_closed
from eyehand.envs.web.tab import Tab, leave_running
from eyehand.envs.web.tabs import Tabs
from eyehand.envs.web.waiting import give_up_waiting, in_flight
from eyehand.envs.web.watch import WATCH

QUIET_FRAMES = 2
MAX_FRAMES_WATCHED = 12
# A script that blocks its page gives no answer to the watcher; it may be late by this much.
ANSWER_MARGIN_S = 0.5
# A frame that gives no answer (an advertisement that loads for ever) holds nobody up for longer.
FRAME_PATIENCE_S = 0.5
# A page that loads another one again and again is waited for as one that keeps changing.
MAX_ARRIVALS = 8
CRASHED = "This tab crashed and its page is gone; reload, go_to and close_tab leave it."


@dataclass(frozen=True)
class SettleBounds:
    """How long to wait for a page.

    Attributes:
        change_s: For changes, animations and data requests.
        load_s: For a document that has come and loads the rest.
        arrive_s: For a document that was asked for, until it comes.
        silent_s: For a page that gives no answer, where that is longer.
        restless_s: For a page that did not become quiet the last time.
        drawn_at_once: Selector of canvases that are known to be drawn on at once or not at all;
            what is on others may change unseen.
        after_s: How long a quiet page is watched after that, for who acts next; nobody waits.
    """

    change_s: float = 2.0
    load_s: float = 10.0
    arrive_s: float = 30.0
    silent_s: float = 0.0
    restless_s: float = 0.3
    drawn_at_once: str = ""
    after_s: float = 60.0

    def for_tab(self, tab: Tab) -> tuple[float, float]:
        """Return the limits for changes and for loading, in seconds, as far as is known yet."""
        if tab.navigating and tab.arrivals <= MAX_ARRIVALS:
            return self.change_s, self.arrive_s
        if tab.restless:
            return min(self.restless_s, self.change_s), min(self.restless_s, self.load_s)
        return self.change_s, self.load_s

    def bound_s(self, tab: Tab, state: str, waits_for: str) -> float:
        """Return how long the wait may take in all, in seconds.

        Args:
            tab: The tab.
            state: What it does, as `_watch` says.
            waits_for: What is waited for, as `Tabs.in_flight` says.
        """
        if waits_for in ("page", "tab") and tab.arrivals <= MAX_ARRIVALS:
            return self.arrive_s
        if waits_for == "download":
            return self.load_s
        if waits_for == "file":
            return self.change_s
        change_s, load_s = self.for_tab(tab)
        if tab.arrivals > MAX_ARRIVALS:
            return change_s
        if state == "silent":
            return max(load_s, self.silent_s)
        return load_s if state in ("loading", "gone") else change_s


@dataclass(frozen=True)
class Settled:
    """What a wait came to.

    Attributes:
        reason: Why the page is not quiet, as a sentence; empty where it is, or where a dialog is
            open.
        untouched: Nothing changed from `on_watch` to the end: a picture that was asked for then
            shows the settled page.
        quiet: The page is quiet.
        drawable: The page has canvases, for which `untouched` does not speak.
    """

    reason: str = ""
    untouched: bool = False
    quiet: bool = False
    drawable: bool = False


async def settle(
    tabs: Tabs, since_s: float, limits: SettleBounds, on_watch: Callable[[], None] | None = None
) -> Settled:
    """Wait until the shown tab is quiet, following new tabs, up to a bound.

    Args:
        tabs: The tabs; a dialog or a download ends or prolongs the wait.
        since_s: Loop time at which the action began; older requests are not waited for.
        limits: The bounds.
        on_watch: Called at most once, when the page is being watched and nothing is known that
            would change it: time for a picture that may hold.
    """
    clock = asyncio.get_running_loop().time
    began_s = clock()
    while True:
        tab = await tabs.shown()
        if tabs.dialog is not None:
            return Settled()
        if tab.crashed:
            await tabs.check_alive(tab)
            return Settled(CRASHED)
        change_s, load_s = limits.for_tab(tab)
        left_s = _from_s(tab, began_s) + load_s - clock()
        bounds_s = min(change_s, max(left_s, 0.05)), max(left_s, 0.05)
        looking = None if in_flight(tabs, since_s) else on_watch
        on_watch, traffic = None, tab.traffic
        state, untouched, drawable = await _watch(tabs, tab, bounds_s, limits, looking)
        if tabs.dialog is not None:
            return Settled()
        if tabs.current is not tab:
            continue  # another tab is shown now, which gets its own time
        waits_for = in_flight(tabs, since_s)
        if state == "quiet" and not waits_for:
            tab.restless, tab.arrivals = False, 0
            untouched = untouched and tab.traffic == traffic
            return Settled(untouched=untouched, quiet=True, drawable=drawable)
        # What the action asked for is often known only now: the bound is of what goes on now.
        bound_s = limits.bound_s(tab, state, waits_for)
        end_s = _from_s(tab, began_s) + bound_s
        if clock() >= min(end_s, began_s + limits.arrive_s + limits.load_s):
            tab.restless = True
            tab.silent = state == "silent" and not waits_for
            await give_up_waiting(tabs, tab)
            return Settled(_reason(tab, state, waits_for, clock() - began_s))
        if state == "quiet":
            await tabs.news.wait(end_s - clock())


def _from_s(tab: Tab, began_s: float) -> float:
    """Return when what is waited for began: a document that came late gets its own time."""
    return began_s if tab.arrivals > MAX_ARRIVALS else max(began_s, tab.arrived_s)


async def _watch(
    tabs: Tabs,
    tab: Tab,
    bounds_s: tuple[float, float],
    limits: SettleBounds,
    on_watch: Callable[[], None] | None,
) -> tuple[str, bool, bool]:
    """Watch every frame of a tab until each is quiet.

    Returns:
        "quiet", "changing", "moving", "loading", "silent" or "gone", whether nothing changed
        since `on_watch` was called, and whether canvases may have nevertheless.
    """
    change_s, load_s = bounds_s
    # Once it has come, a document has the time of one that loads, however long it took to come.
    bounds_ms = (change_s * 1000, min(load_s, limits.load_s) * 1000)
    arguments: list[float | str] = [
        *(QUIET_FRAMES, *bounds_ms),
        *(limits.drawn_at_once, limits.after_s * 1000),
    ]
    tab.watch, tab.changed = tab.watch + 1, False
    frames = tab.page.frames[:MAX_FRAMES_WATCHED]
    # With further frames, some might not be watched yet when the first one is.
    alone = on_watch if len(frames) == 1 else None
    main, *others = (
        asyncio.ensure_future(_watch_frame(tabs, tab, f, arguments, alone)) for f in frames
    )
    try:
        end_s = asyncio.get_running_loop().time() + load_s + ANSWER_MARGIN_S
        while not await tabs.news.race(main, end_s - asyncio.get_running_loop().time()):
            if tabs.dialog is not None or not tab.open or tabs.current is not tab:
                return "gone", False, False
            if tab.crashed or asyncio.get_running_loop().time() >= end_s:
                return "silent", False, False
        state, title, touched, drawable = main.result()
        if state == "gone":
            await tabs.check_alive(tab)
            return "gone", False, False
        tab.title, tab.silent = title, False
        if others:
            await asyncio.wait(others, timeout=min(change_s, FRAME_PATIENCE_S))
        states = (state, *(work.result()[0] for work in others if work.done()))
        worst = next((s for s in states if s not in ("quiet", "gone")), "quiet")
        return worst, alone is not None and not touched, drawable
    finally:
        for work in (main, *others):
            leave_running(work, cancel=True)


async def _watch_frame(
    tabs: Tabs,
    tab: Tab,
    frame: Frame,
    arguments: list[float | str],
    on_watch: Callable[[], None] | None,
) -> tuple[str, str, bool, bool]:
    try:
        watcher = await frame.evaluate_handle(WATCH, arguments)
        if on_watch is not None:
            on_watch()
        state, title, touched, drawable, clicks = await watcher.evaluate("watcher => watcher.state")
        goes_on = state == "quiet" and arguments[-1]
        after = _watch_on(tabs, tab, tab.watch, watcher) if goes_on else watcher.dispose()
        leave_running(asyncio.ensure_future(after))
    except PlaywrightError as error:
        # A page that navigates takes the watcher with it; a closed one is the caller's matter.
        if has_navigated(error) or is_closed(error):
            return "gone", "", True, True
        raise
    tabs.downloads.ask(str(clicks[0]), float(clicks[1]), tabs.actions)
    return str(state), str(title), bool(touched), bool(drawable)


async def _watch_on(tabs: Tabs, tab: Tab, number: int, watcher: JSHandle) -> None:
    """Note when a page that was quiet changes by itself; nobody waits for this."""
    if await watcher.evaluate("watcher => watcher.changed") and tab.watch == number:
        tab.changed = True
        tabs.news.tell()
    await watcher.dispose()


def _reason(tab: Tab, state: str, waits_for: str, waited_s: float) -> str:
    """Return one sentence on what the page still does."""
    after = f"after {waited_s:.1f} s"
    if tab.arrivals > MAX_ARRIVALS:
        return f"The page opens itself or another one again and again; it was stopped {after}."
    if waits_for == "page":
        return f"The next page has not arrived {after}; its loading was stopped."
    if state == "silent":
        return f"The page gives no answer {after}: a script of it is busy, or it is very large."
    if waits_for == "tab":
        return f"A new tab was announced and has not opened {after}."
    if waits_for == "download":
        return f"A download is still running {after}; it is kept when it ends."
    if waits_for == "file":
        return f"A download was asked for and has not begun {after}; it is kept when it comes."
    if state in ("loading", "gone"):
        return f"The page is still loading {after}."
    if waits_for == "data":
        return f"The page still loads data {after}."
    return f"The page keeps changing by itself {after}."
