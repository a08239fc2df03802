"""AndroidEnvironment: a phone or tablet over adb as a `gymnasium.Env`."""

import time
from typing import Any

from eyehand.actions import Action, ActionSpace
from eyehand.actions.android import ANDROID_ACTIONS, Answer, Finish
from eyehand.envs.android.episode import AndroidEpisode, DeviceView
from eyehand.envs.android.link import CALL_TIMEOUT_S, RECONNECT_S, DeviceLink
from eyehand.envs.android.server import AdbServer
from eyehand.envs.env import (
    Environment,
    EpisodeOptions,
    Observation,
    Pixels,
    ScreenSpace,
    StepInfo,
)
from eyehand.envs.steps import check_action, ended_on_word
from eyehand.errors import DeviceDisconnected, StartUnreachable, UsageError


class AndroidEnvironment(Environment):
    """A device, seen as pixels and worked by touch and keys.

    The device is addressed by its serial, so several environments work side by side on one adb
    server, which is started where there is none and never stopped.

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
        self._ended = False

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
        if self._episode is None:
            raise UsageError("there is no episode: call reset first")
        return self._episode.link

    @property
    def capture_bytes(self) -> int:
        """About how many bytes a capture has; 0 before the first."""
        return self._running().capture_bytes

    def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, StepInfo]:
        """Connect, wake the phone and look at it.

        `info["details"]["recovered"]` says what an earlier run had left and was put back.

        Args:
            seed: Unused: a phone has none.
            options: See `EpisodeOptions`; a phone uses neither.

        Raises:
            StartUnreachable: the device is not there.
            DeviceUnauthorized: it does not permit debugging; the message says what to do.
            EnvironmentFault: it failed otherwise.
            UsageError: there are several devices and none was named.
        """
        EpisodeOptions(**(options or {}))
        self.close()
        try:
            link = DeviceLink(self.server, self.server.choose(self.serial), *self._limits)
            link.connect()
            self._episode = AndroidEpisode(link, self.display_id, self._settle_timeout_s)
            self._episode.wake()
            self._prepare()
            view = self._episode.open(self.from_home)
        except DeviceDisconnected as error:
            raise StartUnreachable(str(error)) from error
        self._ended = False
        return view.observation, self._info(view)

    def step(  # type: ignore[override]
        self, action: Action
    ) -> tuple[Observation, float, bool, bool, StepInfo]:
        """Perform one action and return once the screen has settled.

        A step whose action could not happen and changed nothing raises a `ModelFeedback`; one
        that happened and failed (an app that did not come to the front) returns, says so in
        `observation.feedback`, and names the class of the error in `info["details"]["error"]`.
        `info["details"]["capture"]` is the capture's outcome.

        Raises:
            ModelFeedback: the action was refused; nothing changed.
            DeviceDisconnected: the device is gone and did not return in time.
            DeviceTimeout: it did not answer in time.
            CaptureFailed: it gives no capture of its screen.
            UsageError: there is no episode, or it has ended.
        """
        episode = self._running()
        check_action(action, self.action_space)
        if isinstance(action, Answer | Finish):
            self._ended = True
            return ended_on_word(action, episode.last)
        handler = self.action_space.handlers.get(type(action))
        if handler is None:
            view = episode.step(action)
        else:
            scene, began_s = episode.prepare(action), time.perf_counter()
            if scene is None:
                view = episode.look_again()
            else:
                effect = handler(action, self) or str(action)
                view = episode.conclude(scene, effect, action, began_s)
        return view.observation, 0.0, False, False, self._info(view)

    def render(self) -> Pixels:
        """Return the screen as it was observed last, RGB uint8 (H, W, 3)."""
        if self._episode is None or self._episode.last is None:
            raise UsageError("there is no screen yet: call reset first")
        return self._episode.last.pixels.copy()

    def close(self) -> None:
        """End the episode. The device stays connected, the adb server stays up."""
        episode, self._episode = self._episode, None
        if episode is not None:
            episode.close()

    def _prepare(self) -> None:
        """Bring the phone, which is awake, to an episode's start, before it is looked at."""

    def _running(self) -> AndroidEpisode:
        if self._episode is None:
            raise UsageError("there is no episode: call reset first")
        if self._ended:
            raise UsageError("the episode has ended: call reset")
        return self._episode

    def _info(self, view: DeviceView) -> StepInfo:
        details = {"capture": view.outcome.value}
        if view.recovered:
            details["recovered"] = view.recovered
        if view.failed:
            details["error"] = "ActionHadNoEffect"
        return StepInfo(effect=view.effect, verdict=None, timings_s=view.timings_s, details=details)
