"""NumberLine: bring the current number to the target, one step at a time."""

from typing import Any

import numpy as np

from eyehand.actions import Action
from eyehand.envs.cards.draw import number_line
from eyehand.envs.cards.game import CardGame
from eyehand.envs.env import Pixels
from eyehand.errors import UsageError

MAXIMUM = 5
STEP_LIMIT = 10


class Minus(Action):
    """Lower the current number by 1."""


class Plus(Action):
    """Raise the current number by 1."""


class NumberLineEnvironment(CardGame):
    """Bring the current number to the target; both lie in 0..5 and start different.

    The rules are those of gym_cards (arXiv:2405.10292, appendix on NumberLine), whose actions are
    written "-" and "+"; here they are called `minus` and `plus`. The reward is +1 on reaching the
    target, -1 for a move that does not come closer (at an end of the line the number stays), else
    0. The episode terminates at the target and is truncated after 10 steps. The verdict, given at
    the end, is whether the summed reward is above 0: a single wrong move fails the episode.

    Reset options:
        start: The first current number, 0 to 5; drawn where it is not given.
        target: The target, 0 to 5 and not `start`; drawn where it is not given.
    """

    spec_uri = "cards:number-line"

    def __init__(self) -> None:
        super().__init__((Minus, Plus))
        self._current = 0
        self._target = 0
        self._steps = 0

    @property
    def instruction(self) -> str:
        """The task, in words."""
        return "Bring Current to Target: plus adds 1, minus takes 1 away."

    @property
    def current(self) -> int:
        """The current number, for experts and tests; the agent has to read it."""
        return self._current

    @property
    def target(self) -> int:
        """The target, for experts and tests; the agent has to read it."""
        return self._target

    def _deal(self, options: dict[str, Any]) -> str:
        start, target = _number(options, "start"), _number(options, "target")
        if start is not None and start == target:
            raise UsageError(f"start and target must differ, both are {start}")
        self._target = self._draw(start) if target is None else target
        self._current = self._draw(self._target) if start is None else start
        self._steps = 0
        return f"started at {self._current}"

    def _play(self, action: Action) -> tuple[str, float, bool, bool]:
        before = self._current
        move = 1 if isinstance(action, Plus) else -1
        self._current = min(max(before + move, 0), MAXIMUM)
        self._steps += 1
        terminated = self._current == self._target
        truncated = not terminated and self._steps >= STEP_LIMIT
        effect = f"moved from {before} to {self._current}"
        return effect, self._reward(before), terminated, truncated

    def render(self) -> Pixels:
        """Return the picture, RGB uint8 (300, 300, 3)."""
        return number_line(self._current, self._target, MAXIMUM).copy()

    def _draw(self, other: int | None) -> int:
        """Draw a number of the line, uniformly among those that are not `other`."""
        numbers = [number for number in range(MAXIMUM + 1) if number != other]
        return numbers[int(self.np_random.integers(len(numbers)))]

    def _reward(self, before: int) -> float:
        """Return the reward of a move that started at `before`."""
        if self._current == self._target:
            return 1.0
        closer = abs(self._current - self._target) < abs(before - self._target)
        return 0.0 if closer else -1.0


def _number(options: dict[str, Any], key: str) -> int | None:
    """Read a number of the line from the reset options."""
    value = options.get(key)
    if value is None:
        return None
    if not isinstance(value, int | np.integer) or not 0 <= value <= MAXIMUM:
        raise UsageError(f"option {key!r} must be a number in 0..{MAXIMUM}, got {value!r}")
    return int(value)
