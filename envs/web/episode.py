"""One episode on the browser's thread: open, act, settle, look."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from playwright.async_api import Error as PlaywrightError

from eyehand.actions import Action, web
from eyehand.envs.env import EpisodeOptions, Observation, Pixels, ScreenGeometry
from eyehand.envs.steps import View
from eyehand.envs.web.browser import Browser
from eyehand.envs.web.capture import capture
from eyehand.envs.web.early_look import EarlyLook
from eyehand.envs.web.faults import has_navigated, is_closed
from eyehand.envs.web.history import Unreachable, open_address
from eyehand.envs.web.perform import perform
from eyehand.envs.web.scene import Scene
from eyehand.envs.web.settle import Limits, Settled, settle
from eyehand.envs.web.tab import Tab, describe_dialog, leave_running
from eyehand.envs.web.tabs import Tabs
from eyehand.envs.web.telling import tell_file_picker, tell_outcome, tell_page
from eyehand.envs.web.uploads import PICKER_SCRIPT
from eyehand.errors import ActionHadNoEffect, CaptureFailed, StartUnreachable

CAPTURE_TIMEOUT_S = 5.0
SILENT_CAPTURE_TIMEOUT_S = 1.5
CLOSE_TIMEOUT_S = 5.0
HELD_TIMEOUT_S = 2.0
WITH_DIALOG = (web.AnswerDialog, web.Wait)


@dataclass(frozen=True)
class Settings:
    """What does not change between the episodes of an environment.

    Attributes:
        viewport: Width and height of the page in CSS pixels.
        pixel_ratio: Device pixels in a CSS pixel.
        limits: How long to wait for a page.
        permitted: Names of the permitted actions.
    """

    viewport: tuple[int, int]
    pixel_ratio: float
    limits: Limits
    permitted: tuple[str, ...]


class WebEpisode:
    """One context of the browser, from the start page to the end.

    Args:
        browser: A running browser.
        settings: The environment's settings.
        options: The episode's folder and files.
    """

    def __init__(self, browser: Browser, settings: Settings, options: EpisodeOptions) -> None:
        self._browser = browser
        self._settings = settings
        self._options = options
        self._tabs: Tabs | None = None
        self._held: asyncio.Future[Any] | None = None
        self._seen: tuple[str, object] = ("", None)
        self.last: Observation | None = None

    @property
    def tabs(self) -> Tabs:
        """The episode's tabs."""
        if self._tabs is None:
            raise ActionHadNoEffect("the episode has not been opened")
        return self._tabs

    async def open(self, url: str) -> View:
        """Open the start page and look at it.

        Raises:
            StartUnreachable: the page does not open.
            CaptureFailed: the page gives no picture.
        """
        began_s = time.perf_counter()
        settings = self._settings
        context = await self._browser.new_context(settings.viewport, settings.pixel_ratio)
        if web.UploadFile.name in settings.permitted:
            await context.add_init_script(PICKER_SCRIPT)
        self._tabs = Tabs(context, settings.viewport, self._options.folder, settings.pixel_ratio)
        self._tabs.dismiss_dialogs = web.AnswerDialog.name not in settings.permitted
        tab = await self._tabs.new_tab()
        await tab.session()
        since_s = asyncio.get_running_loop().time()
        work = asyncio.ensure_future(open_address(tab.page, url, settings.limits.load_s))
        try:
            if not await self._attended(work, settings.limits.load_s + HELD_TIMEOUT_S):
                leave_running(work)
            elif (error := work.exception()) is not None:
                raise error
        except Unreachable as error:
            raise StartUnreachable(f"{url} could not be opened: {error.reason}") from error
        view = await self.look(since_s, time.perf_counter() - began_s)
        view.effect = f"opened {url} {view.effect}".rstrip()
        return view

    async def step(self, action: Action) -> View:
        """Perform an action of the vocabulary and look at what became of it.

        Raises:
            ModelFeedback: the action was refused; nothing changed.
        """
        scene = await self.prepare(action)
        if scene is None:
            return await self.look_again()
        # An address gets its own time; what waits for it must be a little more patient.
        waited_s = action.seconds if isinstance(action, web.Wait) else 0.0
        timeout_s = self._settings.limits.load_s + HELD_TIMEOUT_S + waited_s
        finish_s = 0.0 if waited_s else HELD_TIMEOUT_S
        await self._act(perform(action, scene), scene, timeout_s, finish_s)
        if isinstance(action, web.AnswerDialog) and self._held is not None:
            # What the dialog interrupted goes on now; another dialog may interrupt it again.
            await self._attended(self._held, HELD_TIMEOUT_S)
            self._held = None
        return await self.conclude(scene, scene.effect, action)

    async def conclude(self, scene: Scene, effect: str, action: Action) -> View:
        """Look at what became of an action.

        Args:
            scene: What `prepare` returned.
            effect: What the action did.
            action: The action.
        """
        scene.effect = effect
        act_s = asyncio.get_running_loop().time() - scene.began_s
        return await self.look(scene.began_s, act_s, scene, action)

    async def prepare(self, action: Action) -> Scene | None:
        """Prepare an action; None where the screen is no longer the one that the model saw.

        Raises:
            StaleScreen: a point belongs to another screen.
            ActionHadNoEffect: a dialog is open, and the action does not answer it.
        """
        tab = await self.tabs.shown()
        dialog = self.tabs.dialog
        if self.last is None or self._seen != (tab.screen, dialog):
            return None
        if dialog is not None and not isinstance(action, WITH_DIALOG):
            raise ActionHadNoEffect(
                f"a dialog is open: {describe_dialog(dialog)}; answer it with answer_dialog first"
            )
        geometry = self.last.geometry
        for point in action.points().values():
            geometry.to_device(point)
        limits, options = self._settings.limits, self._options
        permitted = self._settings.permitted
        began_s = asyncio.get_running_loop().time()
        return Scene(self.tabs, tab, geometry, began_s, permitted, options.uploads, limits.load_s)

    async def on_page(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Run `function(page, *args)` on the shown page; None where a dialog interrupts it."""
        tab = await self.tabs.shown()
        result = function(tab.page, *args)
        if not asyncio.iscoroutine(result) and not asyncio.isfuture(result):
            return result
        work = asyncio.ensure_future(result)
        if not await self._attended(work, None):
            self._hold(work)
            return None
        return work.result()

    async def look(
        self,
        since_s: float,
        act_s: float,
        scene: Scene | None = None,
        action: Action | None = None,
    ) -> View:
        """Let the page settle, capture it, and say what became of the action.

        Args:
            since_s: Loop time at which the action began.
            act_s: Seconds that it took.
            scene: What the action said about itself; None without one.
            action: The action; None without one.
        """
        settling_s = time.perf_counter()
        early = EarlyLook(self._capture)
        settled = await settle(self.tabs, since_s, self._settings.limits, early.begin)
        if scene is not None and scene.afterwards is not None and self.tabs.dialog is None:
            await self._measure(scene)
        capturing_s = time.perf_counter()
        tab = await self.tabs.shown()
        pixels, uncaptured = await self._pixels(tab, early, settled)
        captured_s = time.perf_counter()
        notes = [*self.tabs.notes, settled.reason or uncaptured, *(scene.hints if scene else ())]
        self.tabs.notes.clear()
        notes.append(self._asked_for_file(tab, scene, action))
        told = " ".join(filter(None, notes))
        same = self.last is not None and np.array_equal(self.last.pixels, pixels)
        feedback = tell_outcome(scene, action, settled.reason, same) if scene else ""
        text = tell_page(self.tabs, told)
        observation = Observation(pixels, self._geometry(tab, pixels), text, feedback)
        self.last, self._seen = observation, (tab.screen, self.tabs.dialog)
        effect = " ".join(filter(None, (scene.effect if scene else "", told)))
        timings_s = {
            "act": act_s,
            "settle": capturing_s - settling_s,
            "capture": captured_s - capturing_s,
        }
        return View(observation, effect, scene.failed if scene else False, timings_s)

    async def close(self) -> None:
        """Close the context; a browser that died has none to close."""
        if self._held is not None:
            leave_running(self._held, cancel=True)
        if self._tabs is None:
            return
        try:
            await asyncio.wait_for(self._tabs.close(), CLOSE_TIMEOUT_S)
        except (PlaywrightError, TimeoutError):
            return

    # --- acting ---------------------------------------------------------------------------

    async def _act(self, performing: Any, scene: Scene, timeout_s: float, finish_s: float) -> None:
        work: asyncio.Future[None] = asyncio.ensure_future(performing)
        if not await self._attended(work, timeout_s, finish_s):
            self._hold(work)
            if self.tabs.dialog is None:
                scene.failed = True
                scene.feedback = "The page gave no answer; the action may not have happened."
            return
        error = work.exception()
        if error is None:
            return
        if not isinstance(error, PlaywrightError):
            raise error
        if is_closed(error):
            await self.tabs.check_alive(scene.tab)
        elif not has_navigated(error):
            raise error
        if not scene.effect:
            scene.failed = True
            scene.feedback = "The page went away before the action could happen."

    async def _attended(
        self, work: "asyncio.Future[Any]", timeout_s: float | None, finish_s: float = 0.0
    ) -> bool:
        """Wait for work until it ends, a new dialog opens or `timeout_s` is over.

        Where the waiting is given up, keys and buttons that are being pressed get `finish_s`
        more: what comes next must not mix with them.
        """
        clock = asyncio.get_running_loop().time
        end_s = clock() + timeout_s if timeout_s is not None else float("inf")
        before = self.tabs.dialog
        try:
            while not work.done() and clock() < end_s:
                if self.tabs.dialog not in (before, None):
                    break
                await self.tabs.race(work, None if timeout_s is None else end_s - clock())
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

    def _hold(self, work: "asyncio.Future[Any]") -> None:
        leave_running(work)
        self._held = work

    async def look_again(self) -> View:
        """Look instead of acting: the screen is no longer the one that the model saw."""
        view = await self.look(asyncio.get_running_loop().time(), 0.0)
        feedback = (
            "The screen changed by itself before the action, which was not performed; look again."
        )
        now = view.observation
        self.last = Observation(now.pixels, now.geometry, now.text, feedback)
        return View(self.last, "not performed: the screen had changed", True, view.timings_s)

    # --- looking --------------------------------------------------------------------------

    async def _measure(self, scene: Scene) -> None:
        if scene.afterwards is None:
            return
        work = asyncio.ensure_future(scene.afterwards())
        if not await self._attended(work, HELD_TIMEOUT_S):
            leave_running(work, cancel=True)
        elif isinstance(error := work.exception(), PlaywrightError):
            return  # the page that was scrolled is gone
        elif error is not None:
            raise error

    def _asked_for_file(self, tab: Tab, scene: Scene | None, action: Action | None) -> str:
        chooser, tab.chooser = tab.chooser, None
        # Chromium announces the picker a moment after the click that opens it.
        under = scene.under if scene is not None else None
        clicked = isinstance(action, web.Click) and under is not None and under.kind == "file"
        permitted = web.UploadFile.name in self._settings.permitted
        if not permitted or not (chooser or clicked):
            return ""
        return tell_file_picker(tuple(self._options.uploads))

    async def _capture(self) -> Pixels:
        return await capture(await (await self.tabs.shown()).session())

    async def _pixels(self, tab: Tab, early: EarlyLook, settled: Settled) -> tuple[Pixels, str]:
        """Return the tab's picture; where there is none, what was seen last, and say so."""
        if self.tabs.dialog is not None:
            return self._seen_pixels(tab), ""
        # A page that just gave no answer will hardly give a picture.
        timeout_s = SILENT_CAPTURE_TIMEOUT_S if tab.restless else CAPTURE_TIMEOUT_S
        work = asyncio.ensure_future(early.picture(settled))
        if await self._attended(work, timeout_s):
            return work.result(), ""
        leave_running(work, cancel=True)
        if self.tabs.dialog is not None:
            return self._seen_pixels(tab), ""
        if self.last is None:
            raise CaptureFailed(f"the page gave no picture in {timeout_s:g} s")
        return self._seen_pixels(tab), "The page gives no picture; an older one is shown."

    def _seen_pixels(self, tab: Tab) -> Pixels:
        """Return the tab's screen as it was seen last, or a white one."""
        if self.last is not None and self.last.geometry.screen == tab.screen:
            return self.last.pixels.copy()
        width, height = (round(n * self._settings.pixel_ratio) for n in tab.size)
        return np.full((height, width, 3), 255, dtype=np.uint8)

    def _geometry(self, tab: Tab, pixels: Pixels) -> ScreenGeometry:
        height, width = pixels.shape[:2]
        return ScreenGeometry(tab.screen, width, height, float(tab.size[0]), float(tab.size[1]))
