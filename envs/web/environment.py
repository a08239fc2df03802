"""WebEnvironment: the open web as a `gymnasium.Env`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from eyehand.actions import Action, ActionSpace
from eyehand.actions.web import WEB_ACTIONS
from eyehand.envs.common import opened
from eyehand.envs.display import check_display
from eyehand.envs.env import Environment, EpisodeOptions, ScreenSpace, StepResult
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
    process is shared and outlives the environment. `reset` takes the options of `EpisodeOptions`
    (a folder for downloads, files for `upload_file`) and raises `StartUnreachable` where the start
    page does not open. A step that another thread still runs is given up, with a `UsageError`
    there: it ends before the next one begins.

    A step whose action could not happen and changed nothing raises a `ModelFeedback`; one that
    happened and failed (an address that does not resolve: the browser now shows its error page)
    returns, says so in `observation.feedback`, and names the class of the error in
    `info["details"]["error"]`.

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
        self._turns = Turns()

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
        self._require_running()
        return self._call(opened(self._episode).on_page, function, args, timeout_s=timeout_s)

    def close(self) -> None:
        """End the episode and forget its cookies. The shared browser stays for the next one."""
        super().close()
        with self._turns.taken():
            self._close()

    def _begin(self, seed: int | None, options: dict[str, Any]) -> StepResult:
        """Open the start page in a fresh context."""
        chosen = EpisodeOptions(**options)
        if chosen.folder is not None:
            chosen.folder = Path(chosen.folder)
        # Where a link leads is settled now: what is swapped for one later is not uploaded.
        chosen.uploads = {name: Path(path).resolve() for name, path in chosen.uploads.items()}
        with self._turns.taken():
            return self._open(chosen)

    @contextmanager
    def _stepping(self) -> Iterator[None]:
        opened(self._episode).tabs.actions += 1
        with self._turns.taken():
            yield

    def _perform(self, action: Action) -> StepResult:
        result: StepResult = self._call(opened(self._episode).step, action)
        return result

    def _perform_custom(self, action: Action, act: Callable[[], str]) -> StepResult:
        """Let a handler act, on the caller's thread, then look."""
        episode = opened(self._episode)
        prepared = self._call(episode.prepare, action)
        result: StepResult
        if prepared is None:
            result = self._call(episode.look_again)
        else:
            result = self._call(episode.conclude, prepared, act(), action)
        return result

    def _end(self, action: Action) -> StepResult:
        """Wait for the downloads that were asked for, and say what became of them."""
        result = super()._end(action)
        if self._browser is not None and self._browser.alive:
            told, ended = self._call(opened(self._episode).finish)
            result.effect = " ".join(filter(None, (result.effect, told)))
            if ended:
                result.details = {**result.details, "downloads": ended}
        return result

    def _open(self, options: EpisodeOptions) -> StepResult:
        """End the episode before, and open the start page of the next one."""
        self._close()
        names = self.action_space.names
        settings = ObserverSettings(
            self.viewport, self.pixel_ratio, self.limits, names, self.allow_private
        )
        self._browser = Browser.shared(self.headed)
        self._episode = WebEpisode(self._browser, settings, options)
        try:
            result: StepResult = self._call(self._episode.open, self.url)
        except BaseException:
            self._close()
            raise
        return result

    def _close(self) -> None:
        episode, self._episode = self._episode, None
        browser = self._browser
        if episode is not None and browser is not None and browser.alive:
            self._turns.call(browser, episode.close, timeout_s=EMERGENCY_TIMEOUT_S)

    def _call(
        self, function: Callable[..., Any], *args: Any, timeout_s: float | None = None
    ) -> Any:
        """Run a function on the browser's thread, and tell a death from other failures."""
        browser = opened(self._browser)
        limit_s = timeout_s or EMERGENCY_TIMEOUT_S + 3 * self.limits.arrive_s
        try:
            return self._turns.call(browser, function, *args, timeout_s=limit_s)
        except EnvironmentFault as error:
            if browser.alive or isinstance(error, BrowserCrashed):
                raise
            raise BrowserCrashed(f"the browser process died: {error}") from error
