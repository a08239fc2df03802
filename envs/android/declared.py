"""A task of one's own on a phone, as a declaration file describes it: instruction and check."""

import inspect
import math
from typing import Any

from eyehand.actions import Action, ActionSpace
from eyehand.actions.android import ANDROID_ACTIONS, Answer
from eyehand.envs.android.environment import AndroidEnvironment
from eyehand.envs.android.link import ShellResult
from eyehand.envs.env import StepResult
from eyehand.envs.gym.rules import Rule, Standing
from eyehand.envs.suggestions import unknown_name
from eyehand.envs.suite_file.schema import ANSWER, PHONE_PREFIX, SuiteFile, Task
from eyehand.errors import EnvironmentFault, UsageError

LINE_TIMEOUT_S = 60.0
"""Limit of a line of the user's own: clearing an app's data may take a while."""
_NO_COMMAND = (126, 127)
"""What a shell ends with where there is no such command, or none that may be run."""


class DeclaredPhone(AndroidEnvironment):
    """A phone with a task: `start` brings it to its start, `read` and the rules judge.

    The rules are asked when the episode ends, by the model's word, by the limit of steps or by
    `ends_when`; `details["read"]` holds what the phone said then. The reward is 1 where the
    success rule holds, else 0. Without a success rule there is no verdict. `reset` raises
    `UsageError` where a declared line names no command of the phone's, and `EnvironmentFault`
    where a line of `start` fails.

    Args:
        suite: The suite, for its name.
        task: The task.
        **options: Arguments of `AndroidEnvironment` that replace the declared ones.

    Raises:
        UsageError: an option or an action is not known.

    Attributes:
        suite: The suite's declaration.
        task: The task's declaration.
    """

    def __init__(self, suite: SuiteFile, task: Task, **options: Any) -> None:
        self.suite = suite
        self.task = task
        super().__init__(**_arguments(task, options))
        self._success = Rule(task.success) if task.success else None
        self._ends_when = Rule(task.ends_when) if task.ends_when else None
        self._steps = 0

    @property
    def instruction(self) -> str | None:
        """The declared task."""
        return self.task.instruction

    def _begin(self, seed: int | None, options: dict[str, Any]) -> StepResult:
        """Bring the phone to the declared start and look at it."""
        self._steps = 0
        result = super()._begin(seed, options)
        # Asked once beforehand: a slip in a line is found before an episode is played.
        self._read("")
        return result

    def _judged(self, action: Action, result: StepResult) -> StepResult:
        """Ask the phone whether the task is solved, where the episode ends."""
        self._steps += 1
        terminated, limit = result.terminated, self.task.limits.steps
        truncated = not terminated and limit is not None and self._steps >= limit
        if not (terminated or truncated or self._ends_when):
            return result
        said = self._read(action.text if isinstance(action, Answer) else "")
        if self._ends_when is not None and not terminated:
            standing = Standing(steps=self._steps, truncated=truncated, info=said)
            terminated = self._ends_when.holds(standing)
        result.terminated, result.truncated = terminated, truncated and not terminated
        if result.ended:
            ends = result.terminated, result.truncated
            self._judge(result, Standing(0.0, 0.0, self._steps, *ends, said))
        return result

    def _judge(self, result: StepResult, standing: Standing) -> None:
        """Put the verdict into the last result, and what decided."""
        result.details = {**result.details, "read": dict(standing.info)}
        if self._success is not None:
            result.verdict = self._success.holds(standing)
            result.reward = float(result.verdict)
            result.details["verdict_from"] = str(self._success)

    def _prepare(self) -> None:
        """Run the declared start."""
        for line in self.task.start:
            result = self._run("start", line)
            if result.exit_code:
                raise EnvironmentFault(
                    f"{self._name}: the phone could not be brought to its start by {line!r}: "
                    f"{result.refusal}"
                )

    def _read(self, answer: str) -> dict[str, Any]:
        """Return what the phone says to the declared questions; what says nothing is left out."""
        said = {name: _value(self._run(f"read.{name}", q)) for name, q in self.task.read.items()}
        return {**{name: value for name, value in said.items() if value != ""}, ANSWER: answer}

    def _run(self, field: str, line: str) -> ShellResult:
        result = self.link.ask_line(line, timeout_s=LINE_TIMEOUT_S)
        if result.exit_code in _NO_COMMAND:
            raise UsageError(f"{self._name}: {field}: {line!r} cannot be run: {result.refusal}")
        return result

    @property
    def _name(self) -> str:
        return f"{self.suite.suite}:{self.task.name}"


def _arguments(task: Task, options: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of the environment, checked."""
    space = ActionSpace(ANDROID_ACTIONS)
    if only := task.actions.only:
        if unknown := [name for name in only if name not in space.names]:
            raise unknown_name("action of a phone", unknown[0], space.names)
        space = space.restricted(only)
    written = {**task.options, **options}
    known = set(inspect.signature(AndroidEnvironment).parameters) - {"action_space"}
    if unknown := sorted(set(written) - known):
        raise unknown_name("option of a phone", unknown[0], sorted(known))
    serial = task.environment.removeprefix(PHONE_PREFIX)
    return {"serial": serial, **written, "action_space": space}


def _value(result: ShellResult) -> float | int | str:
    """Return what a line wrote: a number where it is one, else its text without the edges."""
    text = result.stdout.strip()
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() and text.lstrip("+-").isdecimal() else number
