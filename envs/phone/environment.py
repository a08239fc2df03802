"""PhoneEnvironment: a task on the simulated phone, driven through the real adb server."""

from contextlib import ExitStack
from typing import Any

from eyehand.actions import Action, ActionSpace
from eyehand.actions.android import ANDROID_ACTIONS
from eyehand.actions.web import Answer
from eyehand.envs.android.environment import AndroidEnvironment
from eyehand.envs.common import opened
from eyehand.envs.env import StepResult
from eyehand.envs.phone.adb.device import AdbDevice
from eyehand.envs.phone.adb.disconnect import listed_until_the_end
from eyehand.envs.phone.draw import Draw
from eyehand.envs.phone.faults import Faults
from eyehand.envs.phone.screen import PhoneScreen
from eyehand.envs.phone.tasks import PHONE_TASKS, Assignment, draw_assignment
from eyehand.envs.suggestions import unknown_name
from eyehand.errors import EnvironmentFault

DEFAULT_SIZE_PX = (504, 1120)
DEFAULT_DENSITY_DPI = 196
"""A phone of 411 x 914 dp, as one of 1080 x 2400 at 420 dpi, in fewer pixels: every step is
quicker, and both sides are multiples of 28, so that Qwen2-VL's resize leaves them as they are."""


class PhoneEnvironment(AndroidEnvironment):
    """One task on a simulated phone, worked through adb as a real one would be.

    The phone is a page in Chromium behind a device of the adb protocol on a free port; the real
    adb server connects to it (`ANDROID_ADB_SERVER_PORT` chooses which), so several phones stand
    side by side. It stays switched on between episodes; a reset gives it new contents, fixed by
    the seed, as the task's parameters are.

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
    needs_task = False

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
        space = ActionSpace(ANDROID_ACTIONS).restricted(PHONE_TASKS[task].actions)
        super().__init__(adb_port=adb_port, action_space=space)
        self.task = task
        self.spec_uri = f"phone:{task}"
        self.faults = faults or Faults()
        self._size_px = size_px
        self._density_dpi = density_dpi
        self._parts = ExitStack()
        self._screen: PhoneScreen | None = None
        self._simulated: AdbDevice | None = None
        self._assignment: Assignment | None = None

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
        return opened(self._assignment, "no episode has begun")

    @property
    def screen(self) -> PhoneScreen:
        """The phone itself, for experts and tests; the agent sees it through adb only.

        Raises:
            UsageError: the phone is not switched on.
        """
        return opened(self._screen, "the phone is switched off")

    def close(self) -> None:
        """Disconnect the phone from the adb server and switch it off. The server stays."""
        super().close()
        self._screen = self._simulated = None
        parts, self._parts = self._parts, ExitStack()
        parts.close()

    def _begin(self, seed: int | None, options: dict[str, Any]) -> StepResult:
        """Give the phone drawn contents and show its home screen."""
        self._assignment = draw_assignment(PHONE_TASKS[self.task], Draw(self.np_random))
        try:
            if self._screen is None or self._simulated is None:
                self._switch_on()
            else:
                self._leave()
                self._simulated.reset()
            self.screen.open(self._assignment.start)
            result = super()._begin(seed, options)
        except EnvironmentFault:
            # Whatever failed is thrown away: the next reset begins with a new phone.
            self.close()
            raise
        result.details["parameters"] = dict(self._assignment.parameters)
        return result

    def _judged(self, action: Action, result: StepResult) -> StepResult:
        """Compare the phone's state with the goal."""
        answer = action.text if isinstance(action, Answer) else None
        state = self.screen.state()
        solved = self.assignment.solved(state, answer)
        result.terminated = result.terminated or solved
        result.reward = float(solved)
        if result.ended:
            result.verdict = solved
            result.details["not_as_wanted"] = self.assignment.missing(state)
        return result

    def _switch_on(self) -> None:
        self.close()
        screen = PhoneScreen(*self._size_px, self._density_dpi)
        self._parts.callback(screen.close)
        self._screen = screen
        screen.open(self.assignment.start)
        self._simulated = AdbDevice(screen, faults=self.faults)
        self._simulated.start()
        self._parts.callback(self._simulated.close)
        self.serial = self._simulated.address
        self._parts.enter_context(listed_until_the_end(self.server, self.serial))
