"""DesktopEnvironment: the person's own screen as a `gymnasium.Env`."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from eyehand.actions import Action, ActionSpace
from eyehand.actions.desktop import DESKTOP_ACTIONS, Hover, Wait
from eyehand.envs.common import opened
from eyehand.envs.desktop.area import read_area
from eyehand.envs.desktop.keyboard import Keyboard
from eyehand.envs.desktop.perform import Hands, perform
from eyehand.envs.desktop.pointer import Pointer
from eyehand.envs.desktop.screen import DesktopScreen
from eyehand.envs.desktop.settle import SettleLimits, changed_share, settle
from eyehand.envs.desktop.stop_key import DEFAULT_STOP_KEY, StopKey, read_stop_key
from eyehand.envs.desktop.xlib import connect, x_error, x_faults
from eyehand.envs.env import Environment, Observation, Pixels, ScreenSpace, StepResult


@dataclass
class _Session:
    """What an episode holds open."""

    connection: Any
    screen: DesktopScreen
    stop_key: StopKey


class DesktopEnvironment(Environment):
    """A monitor, or a region of the desktop, seen as pixels and worked by mouse and keyboard.

    It acts on the person's real machine. The stop key ends the episode at any moment, whatever
    window has the keyboard: `step` raises `StopKeyPressed`, a `KeyboardInterrupt`. `reset` touches
    nothing; it raises `UsageError` where there is no X11 screen, or no such area or stop key on it.
    Use an environment from one thread.

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
        self._session: _Session | None = None
        self._restless = False
        self._acting = True
        self._on_main_thread = False

    def render(self) -> Pixels:
        """Return the screen as it is now, RGB uint8 (H, W, 3); after the end, as it was last."""
        if self._session is None or not self._running:
            return super().render()
        return self._session.screen.capture()

    def close(self) -> None:
        """Stop listening and let go of the screen."""
        super().close()
        session, self._session = self._session, None
        self._acting = True
        if session is None:
            return
        session.stop_key.close()
        session.screen.close()
        with suppress(x_error.ConnectionClosedError, OSError):  # the server went first
            session.connection.close()

    def _begin(self, seed: int | None, options: dict[str, Any]) -> StepResult:
        """Connect to the screen and begin to listen for the stop key; nothing is touched."""
        self.close()
        self._on_main_thread = threading.current_thread() is threading.main_thread()
        session = self._session = self._open()
        self._restless = False
        began_s = time.perf_counter()
        seen = Observation(session.screen.capture(), session.screen.geometry)
        self._acting = False
        return StepResult(
            seen,
            f"looking at {session.screen.geometry.screen}; {self.stop_key} stops",
            timings_s={"capture": time.perf_counter() - began_s},
        )

    @contextmanager
    def _stepping(self) -> Iterator[None]:
        session = opened(self._session)
        with session.stop_key.lock:
            before, self._acting = self._acting, True
        try:
            session.stop_key.check()
            yield
        finally:
            self._acting = before  # a handler may take steps itself

    def _perform(self, action: Action) -> StepResult:
        def performed(hands: Hands) -> None:
            with x_faults(f"performing {action.name}"):
                perform(action, hands)

        return self._act(action, performed)

    def _perform_custom(self, action: Action, act: Callable[[], str]) -> StepResult:
        """Let a handler act, then look."""

        def handled(hands: Hands) -> None:
            hands.effect = act()

        return self._act(action, handled)

    def _open(self) -> _Session:
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
        return _Session(connection, screen, stop_key)

    def _interruptible(self) -> bool:
        """Return whether the policy is deciding on the main thread: Ctrl-C's way then ends it."""
        return self._on_main_thread and not self._acting and self._running

    def _act(self, action: Action, do: Callable[[Hands], None]) -> StepResult:
        """Capture, perform, settle, and say what changed."""
        session = opened(self._session)
        began_s = time.perf_counter()
        with x_faults("looking at the screen"):
            changed = session.screen.refresh()
            before = session.screen.capture()
        if changed:
            news = f"the monitors have changed: {action.name} was not performed"
            return StepResult(Observation(before, session.screen.geometry, feedback=news), news)
        captured_s = time.perf_counter()
        hands = self._hands(session, before)
        do(hands)
        acted_s = time.perf_counter()
        # A wait has already given the screen its time to begin.
        limits = self.limits.without_reaction() if isinstance(action, Wait) else self.limits
        capture, pause = session.screen.capture, session.stop_key.pause
        with x_faults(f"looking at what {action.name} did"):
            settled = settle(capture, pause, before, limits, self._restless)
        self._restless = not settled.quiet
        share = changed_share(before, settled.pixels)
        feedback = "; ".join([*hands.hints, *_news(action, share, settled.quiet)])
        return StepResult(
            Observation(settled.pixels, session.screen.geometry, feedback=feedback),
            f"{hands.effect}; {_change(share)}",
            timings_s={
                "capture": captured_s - began_s,
                "act": acted_s - captured_s,
                "settle": settled.seconds,
            },
            details={"changed_share": round(share, 6), "settled": settled.quiet},
        )

    def _hands(self, session: _Session, before: Pixels) -> Hands:
        stop_key, screen = session.stop_key, session.screen

        def wait_quiet() -> None:
            settle(screen.capture, stop_key.pause, screen.capture(), self.limits)

        return Hands(
            geometry=screen.geometry,
            pointer=Pointer(session.connection, stop_key.pause),
            keyboard=Keyboard(session.connection, stop_key.announce, stop_key.check, wait_quiet),
            pause=stop_key.pause,
        )


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
