"""A strike at the puck of FetchSlide: how it is done, and the moves that do it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from eyehand.agent.experts.robot.control import Controller, Vector

LOW_M = 0.006
"""Height of the gripper above the puck's middle: lower, the fingers scrape the table."""

ARRIVED_M = 0.01
MOST_APPROACH_STEPS = 25
LIFT_STEPS = 6


@dataclass(frozen=True)
class Strike:
    """How the puck is struck.

    Attributes:
        aim_rad: The direction, from the straight one to the goal; anticlockwise is positive.
        power: 0 to 1 of the fastest.
        behind_m: How far behind the puck's middle the run-up begins.
        beside_rad: From where: 0 is straight behind, as seen from the goal.
        soft_steps: Steps of slow pushing before, which bring the puck nearer.
        soft_power: Their power.
        steps: How many steps the strike itself lasts.
    """

    aim_rad: float = 0.0
    power: float = 1.0
    behind_m: float = 0.075
    beside_rad: float = 0.0
    soft_steps: int = 0
    soft_power: float = 0.3
    steps: int = 3


class Striking(Controller):
    """Perform one strike: go behind the puck, run up, strike, get out of the way."""

    def __init__(self, world: Any, strike: Strike) -> None:
        super().__init__(world)
        self._strike = strike
        way = (self.goal - self.block)[:2]
        straight = way / np.linalg.norm(way)
        self._direction = _turned(straight, strike.aim_rad)
        self._direction /= np.abs(self._direction).max()  # each axis has its own bound
        behind = -strike.behind_m * _turned(straight, strike.beside_rad)
        self._start = self.block + np.append(behind, LOW_M)
        self._approach_steps = 0
        self._strike_steps = 0

    @property
    def struck(self) -> bool:
        """Whether the gripper has left the puck to itself."""
        return self._strike_steps > self._strike.soft_steps + self._strike.steps

    def move(self) -> Vector:
        """Return the next move of the phase that is on."""
        apart = np.abs(self.gripper - self._start).max()
        arrived = apart < ARRIVED_M or self._approach_steps >= MOST_APPROACH_STEPS
        if self._strike_steps == 0 and not arrived:
            self._approach_steps += 1
            return self.around(self._start)
        self._strike_steps += 1
        if not self.struck:
            soft = self._strike_steps <= self._strike.soft_steps
            power = self._strike.soft_power if soft else self._strike.power
            level = 10 * (self._start[2] - self.gripper[2])
            return np.array([*(power * self._direction), np.clip(level, -0.3, 0.3), 0.0])
        since = self._strike_steps - self._strike.soft_steps - self._strike.steps
        return np.array([0.0, 0.0, 0.5 if since <= LIFT_STEPS else 0.0, 0.0])


def _turned(direction: Vector, angle_rad: float) -> Vector:
    """Return a direction (x, y) turned anticlockwise."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    turned: Vector = np.array([[cos, -sin], [sin, cos]]) @ direction
    return turned
