"""What gymnasium's own checker is shown of an environment."""

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np

from eyehand.actions import Action, ActionSpace
from eyehand.envs.env import Environment, Observation
from eyehand.errors import ModelFeedback


class ForGymnasium(gymnasium.Wrapper[Observation, Action, Observation, Action]):
    """What gymnasium's check_env sees: no wall-clock times, and refusals as steps without effect.

    Its determinism check compares infos, and times differ from run to run; and it knows no
    refusals, which random actions meet in a rich environment.
    """

    def __init__(self, environment: Environment, space: ActionSpace) -> None:
        super().__init__(environment)
        self.action_space = space

    @property
    def unwrapped(self) -> "ForGymnasium":
        """The wrapper stands for the environment itself."""
        return self

    @property
    def _np_random(self) -> np.random.Generator | None:  # type: ignore[override]
        return self.env.unwrapped._np_random

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Reset, without times."""
        self._last, info = self.env.reset(seed=seed, options=options)
        return self._last, _without_times(info)

    def step(self, action: Action) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        """Step, without times; a refusal leaves everything as it was."""
        try:
            self._last, reward, terminated, truncated, info = self.env.step(action)
        except ModelFeedback as feedback:
            last = self._last
            video = None if last.video is None else last.video.copy()
            self._last = replace(
                last, pixels=last.pixels.copy(), video=video, feedback=str(feedback)
            )
            return self._last, 0.0, False, False, {}
        return self._last, reward, terminated, truncated, _without_times(info)


def _without_times(info: Any) -> dict[str, Any]:
    return {key: value for key, value in info.items() if key != "timings_s"}
