"""DesktopEnvironment: the person's own screen as a `gymnasium.Env`."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from eyehand.actions import Action, ActionSpace
from eyehand.actions.desktop import DESKTOP_ACTIONS, Answer, Finish, Hover, Wait
from eyehand.envs.desktop.area import read_area
from eyehand.envs.desktop.keyboard import Keyboard
from eyehand.envs.desktop.perform import Hands, perform
from eyehand.envs.desktop.pointer import Pointer
from eyehand.envs.desktop.screen import DesktopScreen
from eyehand.envs.desktop.settle import SettleLimits, changed_share, settle
from eyehand.envs.desktop.stop_key import DEFAULT_STOP_KEY, StopKey, read_stop_key
from eyehand.envs.desktop.xlib import connect, x_error, x_faults
from eyehand.envs.env import Environment, Observation, Pixels, ScreenSpace, StepInfo
from eyehand.envs.steps import check_action, ended_on_word
from eyehand.errors import InvalidArgument, UsageError


@dataclass
class _Desk:
    """What an episode holds open."""

    connection: Any
    screen: DesktopScreen
    stop_key: StopKey


class DesktopEnvironment(Environment):
    """A monitor, or a region of the desktop, seen as pixels and worked by mouse and keyboard.

    It acts on the person's real machine. The stop key ends the episode at any moment, whatever
    window has the keyboard. Use an environment from one thread.

    Args:
        area: Empty for the primary monitor, "1" for a monitor (0 for all), or
            "left,top,width,height" in pixels of the X root window.
        stop_key: The combination that a person presses to end the episode.
        display: The X display, such as ":0"; None takes the environment's DISPLAY.
        settle_timeout_s: Longest wait for a screen that changes.
        action_space: The permitted actions; the whole desktop vocabulary by default.

    Raises:
        UsageError: the area or the stop key cannot be read.
        MissingExtra: python-xlib is not installed.
    """

    needs_task = True

    def __init__(
        self,
        area: str = "",
        stop_key: str = DEFAULT_STOP_KEY,
        display: str | None = None,
        settle_timeout_s: float = 2.0,
        action_space: ActionSpace | None = None,
    ) -> None:
        self._choice = read_area(area)
        self._stop_keys = read_stop_key(stop_key)
        self.spec_uri = f"desktop:{area}"
        self.stop_key = stop_key
        self.display = display
        self.limits = SettleLimits(bound_s=settle_timeout_s)
        self.action_space = action_space or ActionSpace(DESKTOP_ACTIONS)
        self.observation_space = ScreenSpace()
        self._desk: _Desk | None = None
        self._last: Observation | None = None
        self._restless = False
        self._ended = False
        self._acting = True
        self._on_main_thread = False

    def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, StepInfo]:
        """Connect to the screen and begin to listen for the stop key; nothing is touched.

        Args:
            seed: Unused: a desktop has none.
            options: Unused.

        Raises:
            UsageError: there is no X11 screen, or no such area or stop key on it.
            StartUnreachable: the display does not answer.
        """
        self.close()
        self._on_main_thread = threading.current_thread() is threading.main_thread()
        desk = self._desk = self._open()
        self._ended = self._restless = False
        began_s = time.perf_counter()
        self._last = Observation(desk.screen.capture(), desk.screen.geometry)
        info = StepInfo(
            effect=f"looking at {desk.screen.geometry.screen}; {self.stop_key} stops",
            verdict=None,
            timings_s={"capture": time.perf_counter() - began_s},
            details={},
        )
        self._acting = False
        return self._last, info

    def step(  # type: ignore[override]
        self, action: Action
    ) -> tuple[Observation, float, bool, bool, StepInfo]:
        """Perform one action and return once the screen has settled.

        Raises:
            ModelFeedback: the action was refused; nothing was touched.
            StopKeyPressed: a person pressed the stop key (a `KeyboardInterrupt`).
            EnvironmentFault: the X server is gone.
            UsageError: there is no episode, or it has ended.
        """
        desk = self._running()
        check_action(action, self.action_space)
        with desk.stop_key.lock:
            self._acting = True
        try:
            desk.stop_key.check()
            if action not in self.action_space:
                raise InvalidArgument(f"{action} is not permitted here")
            if isinstance(action, Answer | Finish):
                self._ended = True
                return ended_on_word(action, self._last)
            with x_faults(f"performing {action.name}"):
                return self._act(action, desk)
        finally:
            self._acting = False

    def render(self) -> Pixels:
        """Return the screen as it is now, RGB uint8 (H, W, 3); after the end, as it was last."""
        if self._desk is None or self._ended:
            return self._shown().pixels.copy()
        return self._desk.screen.capture()

    def close(self) -> None:
        """Stop listening and let go of the screen."""
        desk, self._desk = self._desk, None
        self._acting = True
        if desk is None:
            return
        desk.stop_key.close()
        desk.screen.close()
        with suppress(x_error.ConnectionClosedError, OSError):  # the server went first
            desk.connection.close()

    def _open(self) -> _Desk:
        """Connect; what was opened is closed again where a later part fails."""
        connection = connect(self.display)
        try:
            with x_faults("looking at the screen"):
                screen = DesktopScreen(connection, self._choice)
                try:
                    name = connection.get_display_name()
                    stop_key = StopKey(name, self._stop_keys, self._interruptible)
                except BaseException:
                    screen.close()
                    raise
        except BaseException:
            connection.close()
            raise
        return _Desk(connection, screen, stop_key)

    def _interruptible(self) -> bool:
        """Return whether the policy is deciding on the main thread: Ctrl-C's way then ends it."""
        return self._on_main_thread and not self._acting and not self._ended

    def _act(self, action: Action, desk: _Desk) -> tuple[Observation, float, bool, bool, StepInfo]:
        """Capture, perform, settle, and say what changed."""
        began_s = time.perf_counter()
        if desk.screen.refresh():
            return self._look_again(desk, action)
        before = desk.screen.capture()
        captured_s = time.perf_counter()
        hands = self._hands(desk, before)
        self._perform(action, hands)
        acted_s = time.perf_counter()
        settled = settle(
            desk.screen.capture,
            desk.stop_key.pause,
            before,
            # A wait has already given the screen its time to begin.
            self.limits.without_reaction() if isinstance(action, Wait) else self.limits,
            self._restless,
        )
        self._restless = not settled.quiet
        share = changed_share(before, settled.pixels)
        self._last = Observation(
            settled.pixels,
            desk.screen.geometry,
            feedback="; ".join([*hands.hints, *_news(action, share, settled.quiet)]),
        )
        timings_s = {
            "capture": captured_s - began_s,
            "act": acted_s - captured_s,
            "settle": settled.seconds,
        }
        details = {"changed_share": round(share, 6), "settled": settled.quiet}
        effect = f"{hands.effect}; {_change(share)}"
        info = StepInfo(effect=effect, verdict=None, timings_s=timings_s, details=details)
        return self._last, 0.0, False, False, info

    def _look_again(
        self, desk: _Desk, action: Action
    ) -> tuple[Observation, float, bool, bool, StepInfo]:
        """Show the area as it lies now; the action was meant for what it was before."""
        news = f"the monitors have changed: {action.name} was not performed"
        self._last = Observation(desk.screen.capture(), desk.screen.geometry, feedback=news)
        info = StepInfo(effect=news, verdict=None, timings_s={}, details={})
        return self._last, 0.0, False, False, info

    def _perform(self, action: Action, hands: Hands) -> None:
        """Perform an action, or let its own handler do so."""
        handler = self.action_space.handlers.get(type(action))
        if handler is None:
            perform(action, hands)
            return
        for point in action.points().values():
            hands.pixel(point)  # refuses a point of another screen
        hands.effect = handler(action, self) or str(action)

    def _hands(self, desk: _Desk, before: Pixels) -> Hands:
        stop_key, screen = desk.stop_key, desk.screen

        def wait_quiet() -> None:
            settle(screen.capture, stop_key.pause, screen.capture(), self.limits)

        return Hands(
            geometry=screen.geometry,
            pointer=Pointer(desk.connection, stop_key.pause),
            keyboard=Keyboard(desk.connection, stop_key.announce, stop_key.check, wait_quiet),
            pause=stop_key.pause,
        )

    def _running(self) -> _Desk:
        if self._desk is None:
            raise UsageError("there is no episode: call reset first")
        if self._ended:
            raise UsageError("the episode has ended: call reset")
        return self._desk

    def _shown(self) -> Observation:
        if self._last is None:
            raise UsageError("there is no screen yet: call reset first")
        return self._last


def _change(share: float) -> str:
    """Say how much of the screen changed."""
    if share == 0:
        return "nothing on the screen changed"
    return f"{max(share, 0.0001):.2%} of the screen changed"


def _news(action: Action, share: float, quiet: bool) -> list[str]:
    """Return what the policy should know: that nothing changed, or that it still does."""
    if not quiet:
        return ["the screen is still changing"]
    if share == 0 and not isinstance(action, Hover | Wait):
        return ["nothing on the screen changed"]
    return []
