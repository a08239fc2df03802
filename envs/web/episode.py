"""One episode on the browser's thread: open, act, settle, look."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from playwright.async_api import CDPSession
from playwright.async_api import Error as PlaywrightError

from eyehand.actions import Action, web
from eyehand.envs.env import EpisodeOptions, Observation, StepResult
from eyehand.envs.web.action_context import ActionContext
from eyehand.envs.web.browser import Browser
from eyehand.envs.web.dialogs import describe_dialog
from eyehand.envs.web.downloads import COUNT_CLICKS
from eyehand.envs.web.faults import has_navigated, is_closed
from eyehand.envs.web.history import Unreachable, open_address
from eyehand.envs.web.observer import ObserverSettings, PageObserver, attended
from eyehand.envs.web.painting import MARK_OFFSCREEN
from eyehand.envs.web.perform import perform
from eyehand.envs.web.pictures import worth_telling
from eyehand.envs.web.private import is_private
from eyehand.envs.web.tab import Tab, leave_running
from eyehand.envs.web.tabs import Tabs
from eyehand.envs.web.uploads import PICKER_SCRIPT
from eyehand.envs.web.waiting import finish_downloads
from eyehand.errors import ActionHadNoEffect, BrowserCrashed, ModelFeedback, StartUnreachable

CLOSE_TIMEOUT_S = 5.0
HELD_TIMEOUT_S = 2.0
WITH_DIALOG = (web.AnswerDialog, web.Wait)
GO = (web.GoTo, web.Back, web.Forward, web.Reload)
# Looking on permits a page nothing; a custom action may do anything.
NO_INPUT = (*GO, web.Hover, web.Scroll, web.Wait, web.CloseTab, web.NewTab, web.SwitchTab)
# What leaves a page. One that asks again and again must not keep anybody.
LEAVING = (*GO, web.CloseTab, web.NewTab, web.SwitchTab)

# All episodes share the browser's clipboard.
EMPTY_CLIPBOARD = """() => {
  addEventListener('copy', event => {
    event.clipboardData.setData('text/plain', '');
    event.preventDefault();
  }, {once: true});
  document.execCommand('copy');
}"""


class WebEpisode:
    """One context of the browser, from the start page to the end.

    Args:
        browser: A running browser.
        settings: The environment's settings.
        options: The episode's folder and files.
    """

    def __init__(
        self, browser: Browser, settings: ObserverSettings, options: EpisodeOptions
    ) -> None:
        self._browser = browser
        self._settings = settings
        self._options = options
        self._tabs: Tabs | None = None
        self._session: CDPSession | None = None
        self._held: asyncio.Future[Any] | None = None
        self._is_over = False
        self._observer: PageObserver | None = None
        self._refused_as_changed = False

    @property
    def tabs(self) -> Tabs:
        """The episode's tabs."""
        if self._tabs is None:
            raise ActionHadNoEffect("the episode has not been opened")
        return self._tabs

    @property
    def last(self) -> Observation | None:
        """The last observation; None before the first."""
        return self._observer.last if self._observer is not None else None

    async def open(self, url: str) -> StepResult:
        """Open the start page and look at it.

        Raises:
            StartUnreachable: the page does not open.
            CaptureFailed: the page gives no picture.
            BrowserCrashed: the page's renderer died.
        """
        began_s = time.perf_counter()
        settings = self._settings
        context = await self._browser.new_context(settings.viewport, settings.pixel_ratio)
        await context.add_init_script(COUNT_CLICKS)
        await context.add_init_script(MARK_OFFSCREEN)
        if web.UploadFile.name in settings.permitted:
            await context.add_init_script(PICKER_SCRIPT)
        self._tabs = Tabs(context, settings.viewport, self._options.folder, settings.pixel_ratio)
        self._tabs.dialogs.dismisses = web.AnswerDialog.name not in settings.permitted
        self._tabs.tells_crashes = self._tabs.blocks_windows = True
        # At another ratio a picture has the page painted several times, and proves nothing.
        self._tabs.follows_painting = settings.pixel_ratio == 1.0
        self._tabs.guard.refuses_private = not (settings.allow_private or await is_private(url))
        self._observer = PageObserver(self._tabs, settings, self._options)
        tab = await self._tabs.new_tab()
        await self._bound(tab)
        since_s = asyncio.get_running_loop().time()
        work = asyncio.ensure_future(open_address(tab.page, url, settings.limits.arrive_s))
        try:
            if not await attended(self.tabs, work, settings.limits.arrive_s + HELD_TIMEOUT_S):
                leave_running(work)
            elif (error := work.exception()) is not None:
                raise error
        except Unreachable as error:
            raise StartUnreachable(f"{url} could not be opened: {error.reason}") from error
        view = await self._observer.look(since_s, time.perf_counter() - began_s)
        if tab.crashed:
            raise BrowserCrashed("the page's renderer crashed at the start")
        view.effect = f"opened {url} {view.effect}".rstrip()
        return view

    async def _bound(self, tab: Tab) -> None:
        """Bound downloads, and forget what the episode before copied, while the tab is empty."""
        session, browser_session, _ = await asyncio.gather(
            tab.session(), self._browser.new_session(), tab.page.evaluate(EMPTY_CLIPBOARD)
        )
        self._session = browser_session
        target = await session.send("Target.getTargetInfo")
        context_id = target["targetInfo"]["browserContextId"]
        await self.tabs.downloads.bound(browser_session, context_id, self._browser.downloads)

    async def step(self, action: Action) -> StepResult:
        """Perform an action of the vocabulary and look at what became of it.

        Raises:
            ModelFeedback: the action was refused; nothing changed.
        """
        context = await self.prepare(action)
        if context is None:
            return await self.look_again()
        timeout_s, finish_s = self._patience_s(action, context.tab), HELD_TIMEOUT_S
        if isinstance(action, web.Wait):
            finish_s = 0.0
        try:
            await self._act(perform(action, context), context, timeout_s, finish_s)
        except ModelFeedback:
            self._ask_again(context.tab)
            raise
        touched = isinstance(action, web.Click | web.DoubleClick | web.TypeText | web.ReplaceText)
        context.lingers = touched and context.under is not None and context.under.suggests
        if isinstance(action, web.AnswerDialog) and self._held is not None:
            # What the dialog interrupted goes on now; another dialog may interrupt it again.
            await attended(self.tabs, self._held, HELD_TIMEOUT_S)
            self._held = None
        return await self.conclude(context, context.effect, action)

    async def conclude(self, context: ActionContext, effect: str, action: Action) -> StepResult:
        """Look at what became of an action.

        Args:
            context: What `prepare` returned.
            effect: What the action did.
            action: The action.
        """
        context.effect = effect
        act_s = asyncio.get_running_loop().time() - context.began_s
        return await self._seeing().look(context.began_s, act_s, context, action)

    def _patience_s(self, action: Action, tab: Tab) -> float:
        """Return how long an action may take, in seconds."""
        limits = self._settings.limits
        # An address gets its own time; what waits for it must be a little more patient.
        extra_s = HELD_TIMEOUT_S + (action.seconds if isinstance(action, web.Wait) else 0.0)
        if isinstance(action, GO):
            return limits.arrive_s + extra_s
        return extra_s + (limits.change_s if tab.silent else limits.load_s)

    async def prepare(self, action: Action) -> ActionContext | None:
        """Prepare an action; None where the screen is no longer the one that the model saw.

        Raises:
            StaleScreen: a point belongs to another screen.
            ActionHadNoEffect: a dialog is open, and the action does not answer it; or the tab
                has crashed, and the action does not leave it.
        """
        observer = self._seeing()
        tab = await self.tabs.shown()
        self._end_dialogs_of(action)
        dialog = self.tabs.dialog
        if observer.seen != (tab.screen, dialog) and not self._shows_again(dialog):
            self._refused_as_changed = True
            return None
        tab = await self.tabs.shown()
        self._check(action, tab)
        hints: list[str] = []
        if tab.changed and dialog is None and await self._lost(action, hints):
            self._refused_as_changed = True
            return None
        self._refused_as_changed = False
        if not isinstance(action, NO_INPUT):
            self.tabs.note_input()
        # What is watched from now on is what the action changes.
        tab.watch, tab.changed = tab.watch + 1, False
        return self._scene(tab, hints)

    async def _lost(self, action: Action, hints: list[str]) -> bool:
        """Compare what is shown with what the model saw, where the page changed by itself.

        Returns:
            Whether what the action points at is there no longer. It is refused for that once in
            a row: a place that moves all the time can be hit by luck only.
        """
        observer = self._seeing()
        if observer.last is None or (now := await observer.pictures.since(observer.last)) is None:
            return False
        points = list(action.points().values())
        if observer.pictures.lost_at(observer.last.pixels, now, points):
            return not self._refused_as_changed
        if worth_telling(observer.last.pixels, now):
            hints.append("The screen had changed by itself before this action.")
        return False

    def _scene(self, tab: Tab, hints: list[str]) -> ActionContext:
        last = self._seeing().last
        if last is None:
            raise ActionHadNoEffect("the episode has not been opened")
        return ActionContext(
            self.tabs,
            tab,
            last.geometry,
            began_s=asyncio.get_running_loop().time(),
            permitted=self._settings.permitted,
            uploads=self._options.uploads,
            load_s=self._settings.limits.arrive_s,
            hints=hints,
        )

    def _end_dialogs_of(self, action: Action) -> None:
        """Let a page that opened a second dialog be left without an answer."""
        dialog = self.tabs.dialog
        asking = self.tabs.dialogs.tab_of(dialog) if dialog is not None else None
        if asking is None or not asking.looping or not isinstance(action, LEAVING):
            return
        if dialog is not None and dialog.type == "beforeunload":
            return
        screen, seen = self._seeing().seen
        self._seeing().seen = (screen, None if seen is dialog else seen)
        self.tabs.dialogs.set_aside()

    def _ask_again(self, tab: Tab) -> None:
        """Let a page that was to be left, and could not be, ask again."""
        tab.set_aside = False
        self._seeing().seen = (tab.screen, self.tabs.dialog)

    def _shows_again(self, dialog: object) -> bool:
        """Show the tab that the model saw once more, where others open again and again.

        One refusal tells that a tab opened by itself; a second one would say nothing new.
        """
        tab, seen = self._seeing().seen_tab, self._seeing().seen
        if not self._refused_as_changed or dialog is not None or tab is None:
            return False
        if tab not in self.tabs.tabs or seen != (tab.screen, None):
            return False
        self.tabs.show(tab)
        self.tabs.news.notes.append(
            "Other tabs open by themselves; the one that you saw stays shown."
        )
        return True

    def _check(self, action: Action, tab: Tab) -> None:
        """Refuse what an open dialog, or a crashed tab, does not permit.

        Raises:
            StaleScreen: a point belongs to another screen.
            ActionHadNoEffect: with what to do instead.
        """
        dialog = self.tabs.dialog
        if dialog is not None and not isinstance(action, WITH_DIALOG):
            raise ActionHadNoEffect(
                f"a dialog is open: {describe_dialog(dialog)}; answer it with answer_dialog first"
            )
        last = self._seeing().last
        for point in action.points().values():
            if last is not None:
                last.geometry.to_device(point)
        if tab.crashed and not isinstance(action, (*LEAVING, web.Wait)):
            ways = [kind.name for kind in LEAVING if kind.name in self._settings.permitted]
            raise ActionHadNoEffect(f"this tab crashed; use one of {', '.join(ways)}")

    async def on_page(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Run `function(page, *args)` on the shown page; None where a dialog interrupts it."""
        tab = await self.tabs.shown()
        self.tabs.note_input()
        result = function(tab.page, *args)
        if not asyncio.iscoroutine(result) and not asyncio.isfuture(result):
            return result
        work = asyncio.ensure_future(result)
        if not await attended(self.tabs, work, None):
            self._hold(work)
            return None
        return work.result()

    async def finish(self) -> tuple[str, list[dict[str, Any]]]:
        """Wait, within a bound, for downloads that were asked for.

        Returns:
            What became of them, in words and as `Downloads.take_ended` returns it.
        """
        await finish_downloads(self.tabs, self._settings.limits.arrive_s)
        self._is_over = True  # nothing is clicked any more; a page that hangs is not asked again
        told = " ".join(self.tabs.news.notes)
        self.tabs.news.notes.clear()
        return told, self.tabs.downloads.take_ended()

    async def close(self) -> None:
        """Close the context; a browser that died has none to close."""
        if self._held is not None:
            leave_running(self._held, cancel=True)
        if self._tabs is None:
            return
        try:
            limit_s = self._settings.limits.load_s
            await finish_downloads(self._tabs, limit_s, ask=not self._is_over)
            await asyncio.wait_for(self._tabs.close(), CLOSE_TIMEOUT_S)
            if self._session is not None:
                await asyncio.wait_for(self._session.detach(), CLOSE_TIMEOUT_S)
        except (PlaywrightError, TimeoutError):
            return

    # --- acting ---------------------------------------------------------------------------

    async def _act(
        self, performing: Any, context: ActionContext, timeout_s: float, finish_s: float
    ) -> None:
        work: asyncio.Future[None] = asyncio.ensure_future(performing)
        if not await attended(self.tabs, work, timeout_s, finish_s):
            self._hold(work)
            if self.tabs.dialog is None:
                context.failed = True
                context.feedback = "The page gave no answer; the action may not have happened."
                context.tab.restless = True  # it has been waited for
            return
        error = work.exception()
        if error is None:
            return
        if not isinstance(error, PlaywrightError):
            raise error
        if is_closed(error):
            await self.tabs.check_alive(context.tab)
        elif not has_navigated(error):
            raise error
        if not context.effect:
            context.failed = True
            context.feedback = "The page went away before the action could happen."

    def _hold(self, work: "asyncio.Future[Any]") -> None:
        leave_running(work)
        self._held = work

    async def look_again(self) -> StepResult:
        """Look instead of acting: the screen is no longer the one that the model saw."""
        observer = self._seeing()
        view = await observer.look(asyncio.get_running_loop().time(), 0.0)
        feedback = (
            "The screen changed by itself before the action, which was not performed; look again."
        )
        now = view.observation
        observer.last = Observation(now.pixels, now.geometry, now.text, feedback)
        said = "not performed: the screen had changed"
        return replace(view, observation=observer.last, effect=said, failed=True)

    def _seeing(self) -> PageObserver:
        if self._observer is None:
            raise ActionHadNoEffect("the episode has not been opened")
        return self._observer
