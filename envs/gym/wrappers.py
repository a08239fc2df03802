"""Gymnasium wrappers that a declaration asks for: other action numbers, ends, several frames."""

from collections import deque
from collections.abc import Mapping
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from eyehand.envs.env import Pixels
from eyehand.envs.gym.contained import GymEnv
from eyehand.envs.gym.rules import Rule, Standing
from eyehand.errors import UsageError

AnyWrapper = gymnasium.Wrapper[Any, Any, Any, Any]


class ScaledNumbers(AnyWrapper):
    """A Box of one dimension in other numbers: bounds in the user's units, some numbers fixed.

    A number n of the agent's [low, high] becomes the same share of the environment's own bounds.
    Numbers that are fixed are left out of the agent's space.

    Args:
        environment: One with a bounded Box of one dimension as its action space.
        bounds: Index of a number to the (low, high) that the agent writes; others keep theirs.
        fixed: Index of a number to the value that it always has, in the environment's numbers.

    Raises:
        UsageError: the space is another one, or an index or a value lies outside it.
    """

    def __init__(
        self,
        environment: GymEnv,
        bounds: Mapping[int, tuple[float, float]],
        fixed: Mapping[int, float],
    ) -> None:
        super().__init__(environment)
        space = environment.action_space
        if not isinstance(space, spaces.Box) or len(space.shape) != 1 or not space.is_bounded():
            raise UsageError(f"bounds and fixed need a bounded Box of one dimension, not {space}")
        count = int(space.shape[0])
        if wrong := sorted({i for i in (*bounds, *fixed) if not 0 <= i < count}):
            raise UsageError(f"numbers {wrong} do not exist: the space has 0 to {count - 1}")
        self._own = space
        self._fixed = dict(fixed)
        self._free = [i for i in range(count) if i not in fixed]
        self._low = np.array([bounds.get(i, (space.low[i], 0))[0] for i in self._free])
        self._high = np.array([bounds.get(i, (0, space.high[i]))[1] for i in self._free])
        self.action_space = spaces.Box(
            self._low.astype(np.float64), self._high.astype(np.float64), dtype=np.float64
        )

    def step(
        self, action: NDArray[np.float64]
    ) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Step with the environment's own numbers."""
        return self.env.step(self.to_own(action))

    def to_own(self, numbers: NDArray[np.float64]) -> NDArray[Any]:
        """Return the environment's own action: its dtype, its bounds."""
        own = np.empty(self._own.shape, np.float64)
        for index, value in self._fixed.items():
            own[index] = value
        low, high = self._own.low[self._free], self._own.high[self._free]
        share = (np.asarray(numbers) - self._low) / (self._high - self._low)
        own[self._free] = np.clip(low + share * (high - low), low, high)
        return own.astype(self._own.dtype)

    def from_own(self, action: NDArray[Any]) -> NDArray[np.float64]:
        """Return the agent's numbers for the environment's own action, for experts."""
        low, high = self._own.low[self._free], self._own.high[self._free]
        share = (np.asarray(action, np.float64)[self._free] - low) / (high - low)
        numbers: NDArray[np.float64] = self._low + share * (self._high - self._low)
        return numbers.clip(self._low, self._high)


class EndsWhen(AnyWrapper):
    """Terminates an episode as soon as a rule holds.

    Args:
        environment: One that goes on when its goal is reached.
        rule: Asked after each step; a key that info does not have at a step does not end it.
    """

    def __init__(self, environment: GymEnv, rule: Rule) -> None:
        super().__init__(environment)
        self._rule = rule
        self._reward_sum = 0.0
        self._steps = 0

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        """Reset the count of rewards and steps too."""
        self._reward_sum, self._steps = 0.0, 0
        return self.env.reset(**arguments)

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Step, and look whether the rule holds."""
        seen, reward, terminated, truncated, said = self.env.step(action)
        self._steps += 1
        self._reward_sum += float(reward)
        standing = Standing(
            self._reward_sum, float(reward), self._steps, terminated, truncated, said
        )
        return seen, reward, bool(terminated or self._rule.holds(standing)), truncated, said


class FrameTiles(AnyWrapper):
    """Renders the last frames as tiles of one picture, the oldest first.

    For models that read no video; `GymEnvironment(video_frames=...)` shows one. At the start of an
    episode every tile shows the first frame.

    Args:
        environment: One that renders RGB arrays of one size.
        frames: How many.
        columns: How many stand in a row; the rows follow one another downwards.
    """

    def __init__(self, environment: GymEnv, frames: int, columns: int) -> None:
        super().__init__(environment)
        self._columns = columns
        self._frames: deque[Pixels] = deque(maxlen=frames)

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        """Reset, and fill every tile with the first frame."""
        answer = self.env.reset(**arguments)
        self._frames.extend([self._frame()] * (self._frames.maxlen or 1))
        return answer

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Step, and keep the new frame."""
        answer = self.env.step(action)
        self._frames.append(self._frame())
        return answer

    def render(self) -> Any:
        """Return the tiles, RGB uint8; missing tiles of the last row are black."""
        return tiled(list(self._frames), self._columns)

    def _frame(self) -> Pixels:
        return np.array(self.env.render(), dtype=np.uint8)


def tiled(frames: list[Pixels], columns: int) -> Pixels:
    """Lay frames of one size out in rows, read like text.

    Args:
        frames: RGB uint8, each (H, W, 3).
        columns: Frames in a row.

    Returns:
        RGB uint8, shape (rows * H, columns * W, 3).
    """
    rows = [frames[i : i + columns] for i in range(0, len(frames), columns)]
    rows[-1] += [np.zeros_like(frames[0])] * (columns - len(rows[-1]))
    return np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)
