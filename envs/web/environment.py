"""WebEnvironment: the open web as a `gymnasium.Env`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from eyehand.actions import Action, ActionSpace
from eyehand.actions.web import WEB_ACTIONS, Answer, Finish
from eyehand.envs.display import check_display
from eyehand.envs.env import (
    Environment,
    EpisodeOptions,
    Observation,
    Pixels,
    ScreenSpace,
    StepInfo,
)
from eyehand.envs.steps import View, check_action, ended_on_word
from eyehand.envs.web.browser import Browser
from eyehand.envs.web.episode import WebEpisode
from eyehand.envs.web.observer import ObserverSettings
from eyehand.envs.web.settle import SettleBounds
from eyehand.envs.web.turns import Turns
from eyehand.errors import BrowserCrashed, EnvironmentFault, UsageError

DEFAULT_VIEWPORT = (1288, 728)
"""CSS pixels; both are multiples of 28, the side of the square that becomes one image token."""

START_SCHEMES = ("http", "https", "file", "about")
# The last resort, should the browser's own limits fail: no step may hang for ever.
EMERGENCY_TIMEOUT_S = 60.0
LOAD_TIMEOUT_S = 10.0
"""How long a step waits for what a page loads once it has come, in seconds."""


class WebEnvironment(Environment):
    """A browser tab, seen as pixels and worked by mouse and keyboard.

    Every episode has a context of its own: cookies and storage are gone with it. The browser's
    process is shared and outlives the environment.

    Args:
        url: The start page; http, https, or the user's own file: page.
        viewport: Width and height of the page in CSS pixels.
        pixel_ratio: Device pixels in a CSS pixel; the observation has device pixels.
        headed: Show the window.
        step_timeout_s: How long a step waits for a page that was asked for; one that has come and
            loads the rest is waited for LOAD_TIMEOUT_S at most, and goes on loading.
        settle_timeout_s: How long a step waits for a page that changes.
        action_space: The permitted actions; the whole web vocabulary by default. Where
            answer_dialog is not among them, dialogs are closed as they open.
        allow_private: Let pages and the model open addresses of this machine and its network. It
            is always so where the start page is one of these, or a file.

    Raises:
        UsageError: the address or the size cannot be used.
    """

    needs_task = True

    def __init__(
        self,
        url: str,
        viewport: tuple[int, int] = DEFAULT_VIEWPORT,
        pixel_ratio: float = 1.0,
        headed: bool = False,
        step_timeout_s: float = 30.0,
        settle_timeout_s: float = 2.0,
        action_space: ActionSpace | None = None,
        allow_private: bool = False,
    ) -> None:
        if urlsplit(url).scheme.lower() not in START_SCHEMES:
            raise UsageError(f"a start page begins with http:// or https://; got {url[:80]!r}")
        if min(viewport) < 1 or not 0.1 <= pixel_ratio <= 10:
            raise UsageError(
                f"a viewport has at least 1x1 pixels and a ratio of 0.1 to 10; got "
                f"{viewport[0]}x{viewport[1]} at {pixel_ratio:g}"
            )
        self.url = url
        self.spec_uri = f"web:{url}"
        check_display(headed)
        self.headed = headed
        self.allow_private = allow_private
        self.viewport = viewport
        self.pixel_ratio = pixel_ratio
        self.limits = SettleBounds(
            change_s=settle_timeout_s,
            load_s=min(step_timeout_s, LOAD_TIMEOUT_S),
            arrive_s=step_timeout_s,
        )
        self.action_space = action_space or ActionSpace(WEB_ACTIONS)
        self.observation_space = ScreenSpace()
        self._browser: Browser | None = None
        self._episode: WebEpisode | None = None
        self._ended = False
        self._turns = Turns()

    def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, StepInfo]:
        """Open the start page in a fresh context.

        Args:
            seed: Unused: the web has none.
            options: See `EpisodeOptions`: "folder" for downloads, "uploads" for `upload_file`.

        Raises:
            StartUnreachable: the start page does not open.
            BrowserCrashed: the browser died.
            UsageError: no Chromium is installed.
        """
        chosen = EpisodeOptions(**(options or {}))
        if chosen.folder is not None:
            chosen.folder = Path(chosen.folder)
        # Where a link leads is settled now: what is swapped for one later is not uploaded.
        chosen.uploads = {name: Path(path).resolve() for name, path in chosen.uploads.items()}
        with self._turns.taken():
            view = self._open(chosen)
        return view.observation, self._info(view)

    def step(  # type: ignore[override]
        self, action: Action
    ) -> tuple[Observation, float, bool, bool, StepInfo]:
        """Perform one action and return once the page has settled.

        A step that another thread still runs is given up: it ends before this one begins.

        A step whose action could not happen and changed nothing raises a `ModelFeedback`; one
        that happened and failed (an address that does not resolve: the browser now shows its
        error page) returns, says so in `observation.feedback`, and names the class of the error
        in `info["details"]["error"]`.

        Raises:
            ModelFeedback: the action was refused; nothing changed.
            BrowserCrashed: the browser or the page's renderer died.
            EnvironmentFault: the browser failed otherwise.
            UsageError: there is no episode, or it has ended; `action` is no action; or another
                thread began a step before this one had ended.
        """
        episode = self._running()
        episode.tabs.actions += 1
        check_action(action, self.action_space)
        if isinstance(action, Answer | Finish):
            self._ended = True
            ended = ended_on_word(action, episode.last)
            self._finish(episode, ended[-1])
            return ended
        handler = self.action_space.handlers.get(type(action))
        with self._turns.taken():
            if handler is None:
                view: View = self._call(episode.step, action)
            else:
                view = self._handled(handler, action, episode)
        return view.observation, 0.0, False, False, self._info(view)

    def page_call(
        self, function: Callable[..., Any], *args: Any, timeout_s: float | None = None
    ) -> Any:
        """Run `function(page, *args)` with Playwright's (async) page, for custom actions.

        Example: `environment.page_call(lambda page: page.evaluate("document.title"))`.

        Args:
            function: Gets the shown tab's page; may return an awaitable, which is awaited.
            args: Further arguments.
            timeout_s: Give up after this many seconds.

        Returns:
            The function's result; None where a JavaScript dialog interrupted it.

        Raises:
            EnvironmentFault: the browser failed, or `timeout_s` has passed.
        """
        return self._call(self._running().on_page, function, args, timeout_s=timeout_s)

    def render(self) -> Pixels:
        """Return the screen as it was observed last, RGB uint8 (H, W, 3)."""
        if self._episode is None or self._episode.last is None:
            raise UsageError("there is no screen yet: call reset first")
        return self._episode.last.pixels.copy()

    def close(self) -> None:
        """End the episode and forget its cookies. The shared browser stays for the next one."""
        with self._turns.taken():
            self._close()

    def _open(self, options: EpisodeOptions) -> View:
        """End the episode before, and open the start page of the next one."""
        self._close()
        names = self.action_space.names
        settings = ObserverSettings(
            self.viewport, self.pixel_ratio, self.limits, names, self.allow_private
        )
        self._browser = Browser.shared(self.headed)
        self._episode = WebEpisode(self._browser, settings, options)
        try:
            view: View = self._call(self._episode.open, self.url)
        except BaseException:
            self._close()
            raise
        self._ended = False
        return view

    def _close(self) -> None:
        episode, self._episode = self._episode, None
        browser = self._browser
        if episode is not None and browser is not None and browser.alive:
            self._turns.call(browser, episode.close, timeout_s=EMERGENCY_TIMEOUT_S)

    def _running(self) -> WebEpisode:
        if self._episode is None:
            raise UsageError("there is no episode: call reset first")
        if self._ended:
            raise UsageError("the episode has ended: call reset")
        return self._episode

    def _call(
        self, function: Callable[..., Any], *args: Any, timeout_s: float | None = None
    ) -> Any:
        """Run a function on the browser's thread, and tell a death from other failures."""
        if self._browser is None:
            raise UsageError("there is no episode: call reset first")
        limit_s = timeout_s or EMERGENCY_TIMEOUT_S + 3 * self.limits.arrive_s
        try:
            return self._turns.call(self._browser, function, *args, timeout_s=limit_s)
        except EnvironmentFault as error:
            if self._browser.alive or isinstance(error, BrowserCrashed):
                raise
            raise BrowserCrashed(f"the browser process died: {error}") from error

    def _handled(
        self, handler: Callable[[Any, Any], str | None], action: Action, episode: WebEpisode
    ) -> View:
        """Let a custom action's handler act, on the caller's thread, then look."""
        prepared = self._call(episode.prepare, action)
        if prepared is None:
            looked: View = self._call(episode.look_again)
            return looked
        effect = handler(action, self)
        view: View = self._call(episode.conclude, prepared, effect or str(action), action)
        return view

    def _finish(self, episode: WebEpisode, info: StepInfo) -> None:
        """Wait for the downloads that were asked for, and say what became of them."""
        if self._browser is None or not self._browser.alive:
            return
        told, ended = self._call(episode.finish)
        info["effect"] = " ".join(filter(None, (info["effect"], told)))
        if ended:
            info["details"] = {**info["details"], "downloads": ended}

    def _info(self, view: View) -> StepInfo:
        details = {**view.details, **({"error": "ActionHadNoEffect"} if view.failed else {})}
        return StepInfo(effect=view.effect, verdict=None, timings_s=view.timings_s, details=details)
