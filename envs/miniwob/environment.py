"""MiniWoB++ tasks in real Chromium, seen as pixels."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from eyehand.actions import Action, ActionSpace
from eyehand.actions.web import WEB_ACTIONS
from eyehand.envs.common import opened
from eyehand.envs.display import check_display
from eyehand.envs.env import (
    Environment,
    Observation,
    Pixels,
    ScreenGeometry,
    ScreenSpace,
    StepResult,
)
from eyehand.envs.miniwob.page import MiniWobPage, Status
from eyehand.envs.miniwob.tasks import UNSEEDED_TASKS, permitted_actions, task_names
from eyehand.envs.miniwob.window import leave_window, open_window
from eyehand.envs.suggestions import unknown_name
from eyehand.envs.web.action_context import ActionContext
from eyehand.envs.web.browser import Browser
from eyehand.envs.web.capture import capture
from eyehand.envs.web.perform import perform
from eyehand.envs.web.settle import SettleBounds, settle
from eyehand.envs.web.speculative_capture import SpeculativeCapture
from eyehand.envs.web.tabs import Tabs
from eyehand.envs.web.turns import Turns
from eyehand.errors import BrowserCrashed, EnvironmentFault

# The task is drawn in the top-left 160 x 210 CSS pixels. 168 x 210 drawn 4/3 as large is
# 224 x 280, whose sides are multiples of 28: Qwen2-VL's resize leaves them as they are. The page
# itself stays at ratio 1: Chromium forgets a context's other ratio with the first picture of an
# area, and lines of text then lie a pixel apart.
AREA = (0.0, 0.0, 168.0, 210.0)
DEFAULT_PIXEL_RATIO = 4 / 3
STEP_TIMEOUT_S = 30.0
# Every page has a canvas that a click's own handler draws on; its edge is in the area.
_LIMITS = SettleBounds(
    change_s=2.0,
    load_s=5.0,
    arrive_s=5.0,
    restless_s=0.3,
    drawn_at_once="#click-canvas",
    after_s=0.0,
)


class MiniWobEnvironment(Environment):
    """One task of MiniWoB++ (Shi et al. 2017; Liu et al. 2018), from the PyPI package's pages.

    The instruction is the task's own utterance; it also stands in the yellow bar of the screen.
    The task ends when the page says so; no clock runs against the agent. The reward is the page's
    raw reward, -1 to 1, without its discount for time. The verdict is `raw reward == 1.0`;
    `details` holds the raw reward, for the other rule in use, `raw reward > 0`. A seed of `reset`
    is that of the page's generator, 0 or more; it is drawn where none is given.

    Attributes:
        task: The task's name.
        seed: The seed of the page's generator in the current episode.
        page_scripts: Scripts that every load of the page runs; experts put theirs here.

    Args:
        task: A name from `task_names()`.
        pixel_ratio: Pixels of the screen in a CSS pixel; 4/3 gives screens of 224 x 280. The page
            is laid out at ratio 1 and drawn larger.
        headed: Show the browser's window.

    Raises:
        UsageError: no task has that name; the message names the closest.
    """

    def __init__(
        self, task: str, pixel_ratio: float = DEFAULT_PIXEL_RATIO, headed: bool = False
    ) -> None:
        if task not in (known := task_names()):
            raise unknown_name("MiniWoB++ task", task, known)
        by_name = {action.name: action for action in WEB_ACTIONS}
        self.task = task
        self.spec_uri = f"miniwob:{task}"
        self.seeded = task not in UNSEEDED_TASKS
        self.action_space = ActionSpace([by_name[name] for name in permitted_actions(task)])
        self.observation_space = ScreenSpace()
        self.page_scripts: list[str] = []
        self.seed: int | None = None
        self._pixel_ratio = pixel_ratio
        check_display(headed)
        self._headed = headed
        self._browser: Browser | None = None
        self._page: MiniWobPage | None = None
        self._tabs: Tabs | None = None
        self._instruction: str | None = None
        self._faulty = False
        self._turns = Turns()

    @property
    def instruction(self) -> str | None:
        """The utterance of the current episode."""
        return self._instruction

    @property
    def geometry(self) -> ScreenGeometry:
        """How the screen's pixels lie on the page."""
        left, top, width, height = AREA
        return ScreenGeometry(
            screen=self.spec_uri,
            width_px=round(width * self._pixel_ratio),
            height_px=round(height * self._pixel_ratio),
            device_width=width,
            device_height=height,
            left=left,
            top=top,
        )

    def page_call(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Await `function(page, *args)` on the browser's thread, `page` being Playwright's.

        Raises:
            EnvironmentFault: the browser failed, or it took longer than 20 s.
            UsageError: no page is open.
        """
        return self._call(function, opened(self._page).page, *args)

    def render(self) -> Pixels:
        """Return the current screen, RGB uint8 (H, W, 3)."""
        pixels: Pixels = self._call(self._capture)
        return pixels

    def close(self) -> None:
        """Close the page. Browser and window stay, for the program's other environments."""
        super().close()
        self._leave()

    def _leave(self) -> None:
        tabs, self._tabs, self._page = self._tabs, None, None
        browser = self._browser
        if tabs is None or browser is None or not browser.alive:
            return
        try:
            if self._faulty:
                browser.call(tabs.close, timeout_s=STEP_TIMEOUT_S)
            else:
                browser.call(leave_window, browser, tabs, timeout_s=STEP_TIMEOUT_S)
        except EnvironmentFault:
            # A page that hangs or died is left to the end of its browser.
            if not self._faulty:
                raise

    def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run a function on the browser's thread, and tell a death from other failures."""
        browser = opened(self._browser)
        try:
            answer = self._turns.call(browser, function, *args, timeout_s=STEP_TIMEOUT_S)
            if browser.lost_graphics:
                raise BrowserCrashed("the browser's GPU process died")
            return answer
        except EnvironmentFault as fault:
            # Whatever the page was doing is unknown now: the next reset opens another.
            self._faulty = True
            if browser.alive or isinstance(fault, BrowserCrashed):
                raise
            raise BrowserCrashed(f"the browser process died: {fault}") from fault

    def _begin(self, seed: int | None, options: dict[str, Any]) -> StepResult:
        """Start an episode; the page is loaded once and started anew for each one."""
        self.seed = page_seed = int(self.np_random.integers(2**31)) if seed is None else seed
        started_s = time.perf_counter()
        if self._page is None or self._browser is None or not self._browser.alive or self._faulty:
            self._open()
        with self._turns.taken():
            pixels = self._call(self._start, page_seed)
        timings_s = {"reset": time.perf_counter() - started_s}
        observation = Observation(pixels, self.geometry)
        return StepResult(observation, f"started with seed {page_seed}", timings_s=timings_s)

    @contextmanager
    def _stepping(self) -> Iterator[None]:
        try:
            with self._turns.taken():
                yield
        except EnvironmentFault:
            self._running = False
            raise

    def _perform(self, action: Action) -> StepResult:
        result: StepResult = self._call(self._step, action)
        return result

    def _perform_custom(self, action: Action, act: Callable[[], str]) -> StepResult:
        """Let a handler act, on the caller's thread, then look."""
        context: ActionContext = self._call(self._context)
        context.effect = act()
        result: StepResult = self._call(self._conclude, context)
        return result

    def _end(self, action: Action) -> StepResult:
        """The page alone judges: a task that it has not ended by then is not solved."""
        result = super()._end(action)
        self._judge(result, self._call(opened(self._page).status))
        return result

    def _judge(self, result: StepResult, status: Status) -> None:
        """Put the page's verdict into the last result."""
        result.terminated = True
        result.reward = status.raw_reward
        result.verdict = status.raw_reward == 1.0
        said = {"raw_reward": status.raw_reward, "reason": status.reason}
        result.details = {**result.details, **said}

    def _open(self) -> None:
        self._leave()
        self._faulty = False
        self._browser = Browser.shared(self._headed)
        self._call(self._load, self._browser)

    async def _load(self, browser: Browser) -> None:
        self._tabs = await open_window(browser)
        self._page = MiniWobPage(await self._tabs.shown(), self.task)
        self._page.scripts = self.page_scripts
        await self._page.load()

    async def _start(self, seed: int) -> Pixels:
        page, tabs = self._opened()
        self._instruction = await page.start(seed)
        look = SpeculativeCapture(self._capture)
        settled = await settle(tabs, asyncio.get_running_loop().time(), _LIMITS, look.begin)
        return await look.picture(settled)

    async def _context(self) -> ActionContext:
        _, tabs = self._opened()
        began_s = asyncio.get_running_loop().time()
        permitted = self.action_space.names
        return ActionContext(tabs, await tabs.shown(), self.geometry, began_s, permitted)

    async def _step(self, action: Action) -> StepResult:
        context = await self._context()
        await perform(action, context)
        return await self._conclude(context)

    async def _conclude(self, context: ActionContext) -> StepResult:
        """Wait until the page has settled, look at it, and ask for its verdict."""
        page, tabs = self._opened()
        clock = asyncio.get_running_loop().time
        began_s, acted_s = context.began_s, clock()
        look = SpeculativeCapture(self._capture)
        settled = await settle(tabs, began_s, _LIMITS, look.begin)
        if context.afterwards is not None:
            await context.afterwards()
        status = await page.status()
        if page.left:  # what came instead of it is still to be waited for
            settled = await settle(tabs, began_s, _LIMITS)
        settled_s = clock()
        pixels = await look.picture(settled)
        timings_s = {
            "act": acted_s - began_s,
            "settle": settled_s - acted_s,
            "capture": clock() - settled_s,
        }
        feedback = " ".join(filter(None, (context.feedback, *context.hints)))
        effect = " ".join(filter(None, (context.said, settled.reason)))
        seen = Observation(pixels, self.geometry, feedback=feedback)
        result = StepResult(seen, effect, timings_s=timings_s)
        if status.ended:
            self._judge(result, status)
        return result

    async def _capture(self) -> Pixels:
        _, tabs = self._opened()
        tab = await tabs.shown()
        return await capture(await tab.session(), AREA, self._pixel_ratio)

    def _opened(self) -> tuple[MiniWobPage, Tabs]:
        return opened(self._page), opened(self._tabs)
