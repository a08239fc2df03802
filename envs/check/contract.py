"""check_environment(): the environment contract, executable; it names the likely mistake.

Run it on your own environment, in a test::

    def test_my_environment_keeps_the_contract() -> None:
        check_environment(MyEnvironment())
"""

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gymnasium.utils.env_checker import check_env

from eyehand.actions import Action, ActionSpace, Point
from eyehand.envs.check.gymnasium import ForGymnasium
from eyehand.envs.check.values import (
    ContractBroken,
    check_geometry,
    check_info,
    require,
    shape_of,
    share_memory,
)
from eyehand.envs.env import Environment, Observation, ScreenSpace
from eyehand.errors import ModelFeedback

_POINT_TRIES = 200


class ForeignAction(Action):
    """An action that no environment permits; it has to be refused."""


@dataclass
class CheckReport:
    """What was checked.

    Attributes:
        passed: Names of the checks that were made, in order.
        skipped: Checks that do not apply, each with its reason.
        warnings: What gymnasium's own `check_env` had to say without refusing.
        steps: Number of steps that were taken.
        refusals: Number of sampled actions that the environment refused.
    """

    passed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    steps: int = 0
    refusals: int = 0


def check_environment(
    environment: Environment,
    seeds: Sequence[int] = (0, 1),
    max_steps: int = 12,
    action_names: Iterable[str] | None = None,
) -> CheckReport:
    """Check an environment against the contract of `Environment`, then close it.

    Args:
        environment: A freshly made environment. It is reset, stepped with random actions and
            closed.
        seeds: One episode is played for each.
        max_steps: Bound on the steps of each of those episodes.
        action_names: Sample only these actions; None samples all of them. For environments where
            some actions take long or leave the machine.

    Raises:
        ContractBroken: the first check that fails.
        EnvironmentFault: the environment could not run.

    Example:
        >>> from eyehand.envs import make
        >>> check_environment(make("cards:number-line")).skipped
        ['points: no action takes one']
    """
    check = _Check(environment, CheckReport(), action_names, max_steps)
    try:
        check.spaces()
        check.resets()
        for seed in seeds:
            check.episode(seed)
        check.seeding(seeds)
        check.refusals()
        check.points()
        check.gymnasium()
    finally:
        environment.close()
    check.closing()
    return check.report


class _Check:
    """The checks, one method each; they share the environment and the report."""

    def __init__(
        self,
        environment: Environment,
        report: CheckReport,
        action_names: Iterable[str] | None,
        max_steps: int,
    ) -> None:
        self.environment = environment
        self.report = report
        self._names = None if action_names is None else tuple(action_names)
        self._max_steps = max_steps

    def spaces(self) -> None:
        """Both spaces are there, of the right kind, and every action is described."""
        environment = self.environment
        require(isinstance(environment, Environment), "derive from eyehand.envs.Environment")
        space = getattr(environment, "action_space", None)
        require(isinstance(space, ActionSpace), f"action_space is {space!r}, not an ActionSpace")
        require(bool(environment.action_space.types), "action_space permits no action at all")
        screens = getattr(environment, "observation_space", None)
        require(isinstance(screens, ScreenSpace), "observation_space must be a ScreenSpace()")
        for action_type in environment.action_space.types:
            described = bool(action_type.__doc__) and action_type.__doc__ != Action.__doc__
            require(described, f"{action_type.__name__} has no docstring: a model reads it")
        self.report.passed.append("spaces")

    def resets(self) -> None:
        """Two resets in a row work and answer with what they should."""
        first = self._reset(None)
        second = self._reset(None)
        require(
            not share_memory(first, second),
            "two observations share their pixels: return a copy of the screen buffer",
        )
        self.report.passed.append("resets")

    def episode(self, seed: int) -> None:
        """One episode with sampled actions keeps every promise of `step`."""
        observation = self._reset(seed)
        space = self._sampled_space(seed)
        for _ in range(self._max_steps):
            action = space.sample()
            try:
                answer = self.environment.step(action)
            except ModelFeedback as feedback:
                require(bool(str(feedback)), f"the refusal of {action} has no message")
                self.report.refusals += 1
                continue
            self.report.steps += 1
            before, observation = observation, self._step_answer(answer, action)
            require(
                not share_memory(before, observation),
                "two observations share their pixels: return a copy of the screen buffer",
            )
            if answer[2] or answer[3]:
                break
        self.report.passed.append(f"episode with seed {seed}")

    def seeding(self, seeds: Sequence[int]) -> None:
        """The same seed and actions give the same pixels and the same task."""
        if not self.environment.seeded:
            self.report.skipped.append("seeding: the environment is not seeded")
            return
        for seed in seeds:
            first, second = self._replay(seed), self._replay(seed)
            require(
                first == second,
                f"seed {seed} gave two different episodes: draw from self.np_random only, and "
                "call gymnasium.Env.reset(self, seed=seed) in reset",
            )
        self.report.passed.append("seeding")

    def refusals(self) -> None:
        """An action of a foreign type is refused, and changes nothing."""
        self._reset(0)
        self._refused(ForeignAction(), "an action that is not in action_space")
        self.report.passed.append("refusals")

    def points(self) -> None:
        """A point on another screen, and one outside, are refused, and change nothing."""
        self._reset(0)
        action = self._action_with_point()
        if action is None:
            self.report.skipped.append("points: no action takes one")
            return
        name = next(iter(action.points()))
        stale = Point(x=0.5, y=0.5, screen="no such screen")
        outside = Point.model_construct(x=1.5, y=0.5, screen=None)
        self._refused(
            action.model_copy(update={name: stale}),
            "a point on another screen (use geometry.to_device, it raises StaleScreen)",
        )
        self._refused(
            action.model_copy(update={name: outside}),
            "a point outside the screen (check `action in self.action_space` first)",
        )
        self.report.passed.append("points")

    def gymnasium(self) -> None:
        """Gymnasium's own checker accepts the environment."""
        if not self.environment.seeded:
            self.report.skipped.append("gymnasium: its check_env needs a seeded environment")
            return
        wrapped = ForGymnasium(self.environment, self._sampled_space(0))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                check_env(wrapped, skip_render_check=True)
            except AssertionError as error:
                raise ContractBroken(f"gymnasium's check_env: {error}") from error
        self.report.warnings += [str(warning.message) for warning in caught]
        self.report.passed.append("gymnasium")

    def closing(self) -> None:
        """Closing a closed environment is permitted."""
        try:
            self.environment.close()
        except Exception as error:
            raise ContractBroken(
                f"close() raised {error!r} the second time; let it do nothing once closed"
            ) from error
        self.report.passed.append("closing")

    def _reset(self, seed: int | None) -> Observation:
        """Reset, and check what comes back."""
        answer = self.environment.reset(seed=seed)
        pair = isinstance(answer, tuple) and len(answer) == 2
        require(pair, f"reset returned {type(answer).__name__}, expected (observation, info)")
        observation, info = answer
        self._observation(observation, "reset")
        check_info(info, "reset")
        instruction = self.environment.instruction
        require(
            instruction is None or (isinstance(instruction, str) and bool(instruction.strip())),
            f"instruction is {instruction!r}: expected words, or None where the user gives them",
        )
        return observation

    def _step_answer(self, answer: tuple[Any, ...], action: Action) -> Observation:
        """Check the five values of a step, and return the observation."""
        five = isinstance(answer, tuple) and len(answer) == 5
        require(
            five, "step must return (observation, reward, terminated, truncated, info), 5 values"
        )
        observation: Observation = answer[0]
        _, reward, terminated, truncated, info = answer
        where = f"step({action})"
        self._observation(observation, where)
        require(
            isinstance(reward, float) and math.isfinite(reward),
            f"{where}: the reward is {reward!r}, expected a finite float",
        )
        for name, flag in (("terminated", terminated), ("truncated", truncated)):
            require(
                isinstance(flag, bool),
                f"{where}: {name} is {flag!r} ({type(flag).__name__}), expected a Python bool",
            )
        check_info(info, where)
        return observation

    def _observation(self, observation: Any, where: str) -> None:
        """Check one observation, its geometry, and that `render` shows the same."""
        require(
            observation in self.environment.observation_space,
            f"{where}: the observation must be an Observation with RGB uint8 pixels of shape "
            "(geometry.height_px, geometry.width_px, 3), and a video, where it has one, of such "
            f"frames of which the last equals the pixels; got {shape_of(observation)}",
        )
        check_geometry(observation, where)
        shown = self.environment.render()
        require(
            shown.dtype == np.uint8 and shown.shape == observation.pixels.shape,
            f"after {where} render() gives {shown.dtype} {shown.shape}, the observation is uint8 "
            f"{observation.pixels.shape}",
        )
        if self.environment.seeded:
            require(
                np.array_equal(shown, observation.pixels),
                f"after {where} render() shows another picture than the observation: it must "
                "return the current screen and change nothing",
            )

    def _sampled_space(self, seed: int) -> ActionSpace:
        """Return the permitted actions, restricted to those that may be sampled, seeded."""
        space = self.environment.action_space
        names = space.names if self._names is None else self._names
        space = space.restricted(name for name in names if name in space.names)
        space.seed(seed)
        return space

    def _replay(self, seed: int) -> list[Any]:
        """Play one short seeded episode and return everything that it showed."""
        observation, _ = self.environment.reset(seed=seed)
        shown: list[Any] = [observation, self.environment.instruction]
        space = self._sampled_space(seed)
        for _ in range(self._max_steps):
            try:
                answer = self.environment.step(space.sample())
            except ModelFeedback as feedback:
                shown.append(str(feedback))
                continue
            shown += [*answer[:4], answer[4].get("verdict")]
            if answer[2] or answer[3]:
                break
        return shown

    def _refused(self, action: Action, what: str) -> None:
        """Check that an action is refused as the model's mistake and that nothing changed."""
        before = self.environment.render()
        try:
            self.environment.step(action)
        except ModelFeedback:
            after = self.environment.render()
            same = not self.environment.seeded or np.array_equal(before, after)
            require(same, f"step refused {what}, yet the screen changed: check before acting")
            return
        except Exception as error:
            raise ContractBroken(
                f"step raised {error!r} for {what}; expected a ModelFeedback, which the model reads"
            ) from error
        raise ContractBroken(f"step performed {what}; expected a ModelFeedback")

    def _action_with_point(self) -> Action | None:
        """Sample until an action has a point; None where no type has one."""
        space = self._sampled_space(0)
        for _ in range(_POINT_TRIES):
            action = space.sample()
            if action.points():
                return action
        return None
