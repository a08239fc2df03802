"""AndroidEnvironment: a phone or tablet over adb as a `gymnasium.Env`."""

import time
from collections.abc import Callable
from typing import Any

from eyehand.actions import Action, ActionSpace
from eyehand.actions.android import ANDROID_ACTIONS
from eyehand.envs.android.episode import AndroidEpisode
from eyehand.envs.android.link import CALL_TIMEOUT_S, RECONNECT_S, DeviceLink
from eyehand.envs.android.server import AdbServer
from eyehand.envs.common import opened
from eyehand.envs.env import Environment, EpisodeOptions, ScreenSpace, StepResult
from eyehand.errors import DeviceDisconnected, StartUnreachable, UsageError


class AndroidEnvironment(Environment):
    """A device, seen as pixels and worked by touch and keys.

    The device is addressed by its serial, so several environments work side by side on one adb
    server, which is started where there is none and never stopped. `reset` connects, wakes the
    phone and looks; it raises `StartUnreachable` where the device is not there, and
    `DeviceUnauthorized` where it does not permit debugging. `info["details"]` of a reset says what
    an earlier run had left and was put back ("recovered"), that of a step what became of its
    capture ("capture").

    A step whose action could not happen and changed nothing raises a `ModelFeedback`; one that
    happened and failed (an app that did not come to the front) returns, says so in
    `observation.feedback`, and names the class of the error in `info["details"]["error"]`.

    Args:
        serial: As `adb devices` lists it, or HOST:PORT (the port 5555 may be left out of an IP
            address); empty or None takes ANDROID_SERIAL, else the only device.
        adb_port: Port of the adb server; None takes ADB_SERVER_SOCKET, else
            ANDROID_ADB_SERVER_PORT, else 5037.
        display_id: Android's number of the display, where there are several; 0 is the main one.
        from_home: Begin an episode at the home screen; False begins where the phone is.
        call_timeout_s: Limit of one call to the device, the opening of its stream included.
        settle_timeout_s: How long a step waits for a screen that changes.
        reconnect_s: How long a device that dropped may take to return.
        action_space: The permitted actions; the whole vocabulary by default.

    Raises:
        UsageError: a number cannot be used.

    Attributes:
        server: The adb server.
    """

    needs_task = True

    def __init__(
        self,
        serial: str | None = None,
        *,
        adb_port: int | None = None,
        display_id: int = 0,
        from_home: bool = True,
        call_timeout_s: float = CALL_TIMEOUT_S,
        settle_timeout_s: float = 3.0,
        reconnect_s: float = RECONNECT_S,
        action_space: ActionSpace | None = None,
    ) -> None:
        if display_id < 0 or call_timeout_s <= 0 or settle_timeout_s < 0 or reconnect_s < 0:
            raise UsageError(
                "a display has a number from 0 on, a call's limit is above 0 s, the others from 0"
            )
        self.serial = (serial or "").strip() or None
        self.spec_uri = f"android:{self.serial or ''}"
        self.display_id = display_id
        self.from_home = from_home
        self.action_space = action_space or ActionSpace(ANDROID_ACTIONS)
        self.observation_space = ScreenSpace()
        self.server = AdbServer(adb_port)
        self._limits = call_timeout_s, reconnect_s
        self._settle_timeout_s = settle_timeout_s
        self._episode: AndroidEpisode | None = None

    @property
    def device(self) -> Any:
        """The `AdbDevice` of adbutils, for custom actions.

        Raises:
            UsageError: there is no episode.
        """
        return self.link.device

    @property
    def link(self) -> DeviceLink:
        """The connection of the current episode, for custom actions and measurements.

        Raises:
            UsageError: there is no episode.
        """
        return opened(self._episode).link

    @property
    def capture_bytes(self) -> int:
        """About how many bytes a capture has; 0 before the first."""
        return opened(self._episode).capture_bytes

    def close(self) -> None:
        """End the episode. The device stays connected, the adb server stays up."""
        super().close()
        self._leave()

    def _begin(self, seed: int | None, options: dict[str, Any]) -> StepResult:
        """Connect, wake the phone and look at it."""
        EpisodeOptions(**options)
        self._leave()
        try:
            link = DeviceLink(self.server, self.server.choose(self.serial), *self._limits)
            link.connect()
            self._episode = AndroidEpisode(link, self.display_id, self._settle_timeout_s)
            self._episode.wake()
            self._prepare()
            return self._episode.open(self.from_home)
        except DeviceDisconnected as error:
            raise StartUnreachable(str(error)) from error

    def _perform(self, action: Action) -> StepResult:
        return opened(self._episode).step(action)

    def _perform_custom(self, action: Action, act: Callable[[], str]) -> StepResult:
        """Let a handler act, then look."""
        episode = opened(self._episode)
        context, began_s = episode.prepare(action), time.perf_counter()
        if context is None:
            return episode.look_again()
        return episode.conclude(context, act(), action, began_s)

    def _prepare(self) -> None:
        """Bring the phone, which is awake, to an episode's start, before it is looked at."""

    def _leave(self) -> None:
        episode, self._episode = self._episode, None
        if episode is not None:
            episode.close()
