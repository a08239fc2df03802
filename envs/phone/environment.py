"""PhoneEnvironment: a task on the simulated phone, driven through the real adb server."""

from contextlib import ExitStack
from typing import Any

import gymnasium

from eyehand.actions import Action, ActionSpace
from eyehand.actions.android import ANDROID_ACTIONS
from eyehand.actions.web import Answer
from eyehand.envs.android.environment import AndroidEnvironment
from eyehand.envs.android.server import AdbServer
from eyehand.envs.env import Environment, Observation, Pixels, ScreenSpace, StepInfo
from eyehand.envs.names import unknown_name
from eyehand.envs.phone.adb.device import AdbDevice
from eyehand.envs.phone.adb.disconnect import listed_until_the_end
from eyehand.envs.phone.draw import Draw
from eyehand.envs.phone.faults import Faults
from eyehand.envs.phone.screen import PhoneScreen
from eyehand.envs.phone.tasks import PHONE_TASKS, Assignment, draw_assignment
from eyehand.errors import EnvironmentFault, UsageError

DEFAULT_SIZE_PX = (504, 1120)
DEFAULT_DENSITY_DPI = 196
"""A phone of 411 x 914 dp, as one of 1080 x 2400 at 420 dpi, in fewer pixels: every step is
quicker, and both sides are multiples of 28, so that Qwen2-VL's resize leaves them as they are."""


class PhoneEnvironment(Environment):
    """One task on a simulated phone, worked through adb as a real one would be.

    The phone is a page in Chromium behind a device of the adb protocol on a free port; the real
    adb server connects to it (`ANDROID_ADB_SERVER_PORT` chooses which), so several phones stand
    side by side. It stays switched on between episodes; a reset gives it new contents.

    The episode ends when the phone's state is the goal's (the verdict is True at once, whatever
    else was changed makes it unreached), or when the model answers or finishes. The reward is 1
    for a task that is solved, else 0.

    Args:
        task: A name of `PHONE_TASKS`, such as "set-alarm".
        size_px: Width and height of the phone's screen.
        density_dpi: Its density; 160 makes a CSS pixel one pixel.
        faults: What shall go wrong, when switched on.
        adb_port: Port of the adb server; None takes the usual one.

    Raises:
        UsageError: no task has that name; the message lists them.

    Attributes:
        task: The task's name.
        faults: Switches for what can go wrong, also in mid-episode.
    """

    seeded = True

    def __init__(
        self,
        task: str,
        *,
        size_px: tuple[int, int] = DEFAULT_SIZE_PX,
        density_dpi: int = DEFAULT_DENSITY_DPI,
        faults: Faults | None = None,
        adb_port: int | None = None,
    ) -> None:
        if task not in PHONE_TASKS:
            raise unknown_name("phone task", task, PHONE_TASKS)
        self.task = task
        self.spec_uri = f"phone:{task}"
        self.faults = faults or Faults()
        self.action_space = ActionSpace(ANDROID_ACTIONS).restricted(PHONE_TASKS[task].actions)
        self.observation_space = ScreenSpace()
        self._size_px = size_px
        self._density_dpi = density_dpi
        self._adb_port = adb_port
        self._parts = ExitStack()
        self._screen: PhoneScreen | None = None
        self._device: AdbDevice | None = None
        self._android: AndroidEnvironment | None = None
        self._assignment: Assignment | None = None
        self._running = False

    @property
    def instruction(self) -> str | None:
        """The task of the current episode, in words."""
        return self._assignment.instruction if self._assignment else None

    @property
    def assignment(self) -> Assignment:
        """What was drawn for the current episode, for experts and tests.

        Raises:
            UsageError: no episode has begun.
        """
        if self._assignment is None:
            raise UsageError("no episode has begun: call reset first")
        return self._assignment

    @property
    def screen(self) -> PhoneScreen:
        """The phone itself, for experts and tests; the agent sees it through adb only.

        Raises:
            UsageError: the phone is not switched on.
        """
        if self._screen is None:
            raise UsageError("the phone is switched off: call reset first")
        return self._screen

    @property
    def device(self) -> AdbDevice:
        """The phone's end of adb, for tests.

        Raises:
            UsageError: the phone is not switched on.
        """
        if self._device is None:
            raise UsageError("the phone is switched off: call reset first")
        return self._device

    @property
    def android(self) -> AndroidEnvironment:
        """The way to the phone: what performs the actions and captures the screen.

        Raises:
            UsageError: the phone is not switched on.
        """
        if self._android is None:
            raise UsageError("the phone is switched off: call reset first")
        return self._android

    def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, StepInfo]:
        """Give the phone drawn contents and show its home screen.

        Args:
            seed: Fixes the phone's contents and the task's parameters.
            options: See `EpisodeOptions`.

        Raises:
            EnvironmentFault: the browser, the adb server or the device failed.
        """
        gymnasium.Env.reset(self, seed=seed)
        self._assignment = draw_assignment(PHONE_TASKS[self.task], Draw(self.np_random))
        self._running = False
        try:
            observation, info = self._begin(self._assignment, options)
        except EnvironmentFault:
            # Whatever failed is thrown away: the next reset begins with a new phone.
            self.close()
            raise
        self._running = True
        drawn = {"parameters": dict(self._assignment.parameters)}
        info["details"] = {**info.get("details", {}), **drawn}
        return observation, info

    def step(  # type: ignore[override]
        self, action: Action
    ) -> tuple[Observation, float, bool, bool, StepInfo]:
        """Perform one action through adb, then compare the phone's state with the goal.

        Raises:
            ModelFeedback: the action was refused; nothing changed.
            EnvironmentFault: the device or its connection failed.
            UsageError: there is no episode, or it has ended.
        """
        if not self._running:
            raise UsageError("no episode is running: call reset first")
        observation, _, ended, truncated, info = self.android.step(action)
        answer = action.text if isinstance(action, Answer) else None
        state = self.screen.state()
        solved = self.assignment.solved(state, answer)
        ended = ended or solved
        if ended or truncated:
            self._running = False
            info["verdict"] = solved
            missing = self.assignment.missing(state)
            info["details"] = {**info.get("details", {}), "not_as_wanted": missing}
        return observation, float(solved), ended, truncated, info

    def render(self) -> Pixels:
        """Return the screen as it was observed last, RGB uint8 (H, W, 3)."""
        return self.android.render()

    def close(self) -> None:
        """Disconnect the phone from the adb server and switch it off. The server stays."""
        self._running = False
        self._screen = self._device = self._android = None
        parts, self._parts = self._parts, ExitStack()
        parts.close()

    def _begin(
        self, assignment: Assignment, options: dict[str, Any] | None
    ) -> tuple[Observation, StepInfo]:
        """Switch the phone on where it is off, give it its contents, and look at it."""
        if self._screen is None or self._device is None or self._android is None:
            self._switch_on()
        else:
            self._android.close()
            self._device.reset()
        self.screen.open(assignment.start)
        return self.android.reset(options=options)

    def _switch_on(self) -> None:
        self.close()
        screen = PhoneScreen(*self._size_px, self._density_dpi)
        self._parts.callback(screen.close)
        self._screen = screen
        screen.open(self.assignment.start)
        self._device = AdbDevice(screen, faults=self.faults)
        self._device.start()
        self._parts.callback(self._device.close)
        server = AdbServer(self._adb_port)
        self._parts.enter_context(listed_until_the_end(server, self._device.address))
        self._android = AndroidEnvironment(
            self._device.address, adb_port=self._adb_port, action_space=self.action_space
        )
        self._parts.callback(self._android.close)
