"""What a page looks like after an action: settled, captured, and told in words."""

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from playwright.async_api import Error as PlaywrightError

from eyehand.actions import Action, web
from eyehand.envs.env import EpisodeOptions, Observation, Pixels, ScreenGeometry, StepResult
from eyehand.envs.web.action_context import ActionContext
from eyehand.envs.web.faults import has_navigated, is_closed
from eyehand.envs.web.network_words import in_plain_words
from eyehand.envs.web.observation_text import tell_file_picker, tell_outcome, tell_page
from eyehand.envs.web.pictures import Pictures
from eyehand.envs.web.settle import MAX_ARRIVALS, SettleBounds, Settled, settle
from eyehand.envs.web.speculative_capture import SpeculativeCapture
from eyehand.envs.web.tab import Tab, leave_running, quietly, stop_loading
from eyehand.envs.web.tabs import Tabs
from eyehand.envs.web.waiting import in_flight
from eyehand.errors import CaptureFailed

CAPTURE_TIMEOUT_S = 5.0
SILENT_CAPTURE_TIMEOUT_S = 1.5
MEASURE_TIMEOUT_S = 2.0
# How long a field that suggests something is given to do so, once the page is quiet.
SUGGEST_S = 0.5
# A page that is replaced while its picture is taken is looked at so many times.
MAX_LOOKS = 8
# From then on it is stopped before each look.
LOOKS_BEFORE_STOP = 2
# How long until it is asked whether the page was replaced.
REPLACED_S = 0.5
# How long such a page may take to settle.
AGAIN_S = 3.0
NO_PICTURE = "The page gives no picture; an older one is shown."


@dataclass(frozen=True)
class ObserverSettings:
    """What does not change between the episodes of an environment.

    Attributes:
        viewport: Width and height of the page in CSS pixels.
        pixel_ratio: Device pixels in a CSS pixel.
        limits: How long to wait for a page.
        permitted: Names of the permitted actions.
        allow_private: Documents of this machine and its network may be opened, whatever the start.
    """

    viewport: tuple[int, int]
    pixel_ratio: float
    limits: SettleBounds
    permitted: tuple[str, ...]
    allow_private: bool = False


class PageObserver:
    """Looks at the shown tab of an episode, and remembers what was seen last.

    Attributes:
        last: The last observation; None before the first.
        seen: Screen and dialog that it showed.
        seen_tab: The tab that it showed.

    Args:
        tabs: The episode's tabs.
        settings: The environment's settings.
        options: The episode's folder and files.
    """

    def __init__(self, tabs: Tabs, settings: ObserverSettings, options: EpisodeOptions) -> None:
        self.pictures = Pictures(tabs, settings.pixel_ratio)
        self.last: Observation | None = None
        self.seen: tuple[str, object] = ("", None)
        self.seen_tab: Tab | None = None
        self._tabs = tabs
        self._settings = settings
        self._options = options

    async def look(
        self,
        since_s: float,
        act_s: float,
        context: ActionContext | None = None,
        action: Action | None = None,
    ) -> StepResult:
        """Let the page settle, capture it, and say what became of the action.

        Args:
            since_s: Loop time at which the action began.
            act_s: Seconds that it took.
            context: What the action said about itself; None without one.
            action: The action; None without one.
        """
        settling_s = time.perf_counter()
        opening = self.last is None
        early = SpeculativeCapture(self.pictures.take, self.pictures.painting)
        settled = await settle(self._tabs, since_s, self._limits(opening), early.begin)
        if settled.quiet and context is not None and context.lingers:
            settled = await self._linger(settled, since_s)
        if context is not None and context.afterwards is not None and self._tabs.dialog is None:
            await self._measure(context)
        capturing_s = time.perf_counter()
        tab, pixels, uncaptured = await self._picture(early, settled, since_s)
        captured_s = time.perf_counter()
        self._note_failure(tab, context)
        if outside := self._tabs.guard.take():
            (context.hints if context else self._tabs.news.notes).append(outside)
        notes = [
            *self._tabs.news.notes,
            settled.reason or uncaptured,
            *(context.hints if context else ()),
        ]
        self._tabs.news.notes.clear()
        notes.append(self._asked_for_file(tab, context, action))
        told = " ".join(filter(None, notes))
        same = self.last is not None and np.array_equal(self.last.pixels, pixels)
        feedback = tell_outcome(context, action, settled.reason, same) if context else ""
        text = tell_page(self._tabs, told)
        observation = Observation(pixels, self._geometry(tab, pixels), text, feedback)
        self.last, self.seen = observation, (tab.screen, self._tabs.dialog)
        self.seen_tab = tab
        effect = " ".join(filter(None, (context.said if context else "", told)))
        timings_s = {
            "act": act_s,
            "settle": capturing_s - settling_s,
            "capture": captured_s - capturing_s,
        }
        ended = self._tabs.downloads.take_ended()
        details = {"downloads": ended} if ended else {}
        failed = context.failed if context else False
        return StepResult(observation, effect, failed=failed, timings_s=timings_s, details=details)

    async def _measure(self, context: ActionContext) -> None:
        if context.afterwards is None:
            return
        work = asyncio.ensure_future(context.afterwards())
        if not await attended(self._tabs, work, MEASURE_TIMEOUT_S):
            leave_running(work, cancel=True)
        elif isinstance(error := work.exception(), PlaywrightError):
            return  # the page that was scrolled is gone
        elif error is not None:
            raise error

    def _asked_for_file(
        self, tab: Tab, context: ActionContext | None, action: Action | None
    ) -> str:
        chooser, tab.chooser = tab.chooser, None
        # Chromium announces the picker a moment after the click that opens it.
        under = context.under if context is not None else None
        clicked = isinstance(action, web.Click) and under is not None and under.kind == "file"
        permitted = web.UploadFile.name in self._settings.permitted
        if not permitted or not (chooser or clicked):
            return ""
        return tell_file_picker(tuple(self._options.uploads))

    def _limits(self, opening: bool) -> SettleBounds:
        """Return the limits; a start page may be large, and busy for long until it is laid out."""
        limits = self._settings.limits
        return replace(limits, silent_s=limits.arrive_s) if opening else limits

    async def _linger(self, settled: Settled, since_s: float) -> Settled:
        """Give a field time to suggest something, and the page to settle again where it does."""
        clock = asyncio.get_running_loop().time
        end_s = clock() + SUGGEST_S
        tab = await self._tabs.shown()
        while clock() < end_s and self._tabs.dialog is None and tab is self._tabs.current:
            if tab.changed or in_flight(self._tabs, since_s):
                return await settle(self._tabs, since_s, self._settings.limits)
            await self._tabs.news.wait(end_s - clock())
        return settled

    def _note_failure(self, tab: Tab, context: ActionContext | None) -> None:
        """Say why a page did not open, unless the action says it."""
        failure, tab.failure = tab.failure, ""
        if failure and context is not None and not context.failed:
            context.failed = True
            context.feedback = f"The page could not be opened: {in_plain_words(failure)}"

    async def _picture(
        self, early: SpeculativeCapture, settled: Settled, since_s: float
    ) -> tuple[Tab, Pixels, str]:
        """Return the shown tab, its picture, and what is wrong with it.

        A page that is replaced by another while its picture is taken is looked at again, the last
        times after it was stopped.
        """
        limits = replace(self._settings.limits, load_s=AGAIN_S, arrive_s=AGAIN_S)
        clock = asyncio.get_running_loop().time
        for look in range(MAX_LOOKS):
            tab, looked_s = await self._tabs.shown(), clock()
            try:
                picture = await self._pixels(tab, early, settled)
            except PlaywrightError as error:
                if is_closed(error):
                    await self._tabs.check_alive(tab)
                elif not has_navigated(error):
                    raise
            else:
                replaced = tab.navigating or tab.arrived_s > looked_s
                if picture is not None or not (replaced or tab.arrivals > MAX_ARRIVALS):
                    return tab, *self._or_seen(tab, picture)
            if look < LOOKS_BEFORE_STOP:
                settled = await settle(self._tabs, since_s, limits)
            elif tab.open and not tab.crashed:
                # At once, before the page can begin to load again.
                await quietly(lambda tab=tab: stop_loading(tab))  # type: ignore[misc]
        tab = await self._tabs.shown()
        return tab, *self._or_seen(tab, None)

    def _or_seen(self, tab: Tab, picture: Pixels | None) -> tuple[Pixels, str]:
        """Return the picture; where there is none, what was seen last, and say so."""
        if picture is not None:
            return picture, ""
        if self.last is None:
            raise CaptureFailed("the page gave no picture in time")
        return self.pictures.seen(tab, self.last), NO_PICTURE

    async def _pixels(self, tab: Tab, early: SpeculativeCapture, settled: Settled) -> Pixels | None:
        """Return the tab's picture; None where it gives none in time."""
        if self._tabs.dialog is not None or tab.crashed:
            return self.pictures.seen(tab, self.last)
        # A page that just gave no answer will hardly give a picture. The first one is worth the
        # wait, for there is no other; but not where the page is replaced all the time.
        timeout_s = SILENT_CAPTURE_TIMEOUT_S if tab.restless else CAPTURE_TIMEOUT_S
        if self.last is None and tab.arrivals <= MAX_ARRIVALS:
            timeout_s = max(CAPTURE_TIMEOUT_S, self._settings.limits.arrive_s)
        work = asyncio.ensure_future(early.picture(settled))
        clock = asyncio.get_running_loop().time
        began_s, end_s = clock(), clock() + timeout_s
        # Chromium never answers for a document that is replaced while its picture is taken.
        while clock() < end_s and tab.arrived_s <= began_s and self._tabs.dialog is None:
            if await attended(self._tabs, work, min(REPLACED_S, end_s - clock())):
                return work.result()
        leave_running(work, cancel=True)
        if self._tabs.dialog is not None or tab.crashed:
            return self.pictures.seen(tab, self.last)
        return None

    def _geometry(self, tab: Tab, pixels: Pixels) -> ScreenGeometry:
        height, width = pixels.shape[:2]
        return ScreenGeometry(tab.screen, width, height, float(tab.size[0]), float(tab.size[1]))


async def attended(
    tabs: Tabs, work: "asyncio.Future[Any]", timeout_s: float | None, finish_s: float = 0.0
) -> bool:
    """Wait for work until it ends, a new dialog opens or `timeout_s` is over.

    Where the waiting is given up, keys and buttons that are being pressed get `finish_s` more:
    what comes next must not mix with them.
    """
    clock = asyncio.get_running_loop().time
    end_s = clock() + timeout_s if timeout_s is not None else float("inf")
    before = tabs.dialog
    try:
        while not work.done() and clock() < end_s:
            if tabs.dialog not in (before, None):
                break
            await tabs.news.race(work, None if timeout_s is None else end_s - clock())
    except asyncio.CancelledError:
        try:
            if finish_s:
                await asyncio.wait({work}, timeout=finish_s)
                work.cancel()
                await asyncio.wait({work}, timeout=finish_s)
        finally:
            leave_running(work, cancel=True)
        raise
    return work.done()
