"""The expert of FetchSlide: strikes tried in a copy of the simulator, and the best one performed.

A strike goes from behind the puck through it. The puck leaves the gripper at once and slides as
far as friction lets it, so aim and power decide where it rests. Both are corrected from strike to
strike by how the puck went astray. Other run-ups follow where that does not suffice: the farthest
goals are reached only where the gripper is at its fastest just when it meets the puck.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eyehand.agent.experts.robot.control import Controller, Vector
from eyehand.agent.experts.robot.planning import Simulation
from eyehand.agent.experts.robot.strike import Strike, Striking

GOOD_M, FAIR_M = 0.015, 0.03
"""How near the goal the puck has to rest: to try no more, to try no other kind of strike."""

EPISODE_STEPS = 50
"""The environment's own limit."""

CORRECTIONS = 6
VARIATIONS = 50
FULL_POWER_M = 0.65
"""About as far as the puck slides when the gripper strikes at its fastest."""

RESTING_M_S = 0.02


KINDS = (
    Strike(),
    Strike(behind_m=0.06),
    Strike(beside_rad=0.3),
    Strike(beside_rad=-0.3),
    Strike(behind_m=0.09),
    Strike(behind_m=0.08, soft_steps=3, steps=6),
    Strike(behind_m=0.08, soft_steps=6, soft_power=0.15, steps=4),
    Strike(behind_m=0.06, steps=10),
)
"""What is tried, in this order, until the puck rests near the goal."""


@dataclass(frozen=True)
class Trial:
    """What came of a strike in the copy.

    Attributes:
        strike: How the puck was struck.
        reached: Whether the puck was within the goal's bounds after any step.
        missed_m: From the goal to where it came to rest, or was at the last step.
        went: From where it had lain to there, in metres, (x, y).
    """

    strike: Strike
    reached: bool
    missed_m: float
    went: Vector

    @property
    def cost(self) -> tuple[bool, float]:
        """What to make small: no success is worse than any distance."""
        return not self.reached, self.missed_m


class Slide(Controller):
    """Strike the puck so that it comes to rest at the goal.

    Args:
        world: The environment, unwrapped.
        steps: How many steps the episode has.
    """

    def __init__(self, world: Any, steps: int = EPISODE_STEPS) -> None:
        super().__init__(world)
        self._steps = steps
        self._striking: Striking | None = None

    def move(self) -> Vector:
        """Plan at the first call; then strike as planned."""
        if self._striking is None:
            trial = best_trial(self._world, self._steps)
            self._striking = Striking(self._world, trial.strike)
        return self._striking.move()


def best_trial(world: Any, steps: int = EPISODE_STEPS) -> Trial:
    """Return the best strike found for the present state of a FetchSlide world, just reset.

    The same state gives the same strike. Most often it takes some hundred steps of the simulator,
    5,000 at most: a thousand take somewhat over a second on one core.

    Args:
        world: The environment, unwrapped; it is only read.
        steps: How many steps the episode has.
    """
    return _Search(world, steps).best()


class _Search:
    """Strikes from one state."""

    def __init__(self, world: Any, steps: int) -> None:
        self._simulation = Simulation(world)
        self._state = self._simulation.save()
        self._steps = steps
        self._puck = np.array(world.data.site("object0").xpos[:2], np.float64)
        self._way = np.array(world.goal[:2], np.float64) - self._puck

    def best(self) -> Trial:
        best = self._corrected(KINDS[0])
        for kind in KINDS[1:]:
            if best.reached and best.missed_m < FAIR_M:
                return best
            best = min(best, self._corrected(kind), key=lambda trial: trial.cost)
        return self._varied(best)

    def _corrected(self, strike: Strike) -> Trial:
        """Correct aim and power by what came of them, as one does who practises."""
        distance_m = float(np.linalg.norm(self._way))
        trials: list[Trial] = []
        power, aim_rad = np.sqrt(distance_m / FULL_POWER_M), 0.0
        for _ in range(CORRECTIONS):
            strike = replace(
                strike,
                aim_rad=float(np.clip(aim_rad, -0.8, 0.8)),
                power=float(np.clip(power, 0.1, 1.0)),
            )
            trials.append(trial := self._try(strike))
            if trial.reached and trial.missed_m < GOOD_M:
                break
            # The distance grows with about the square of the speed, the gripper adds a little.
            went_m = max(float(np.linalg.norm(trial.went)), 0.02)
            power = strike.power * np.clip(distance_m / went_m, 0.5, 2.0) ** 0.6
            aim_rad = strike.aim_rad + 0.8 * _angle_rad(trial.went, self._way)
        return min(trials, key=lambda trial: trial.cost)

    def _varied(self, best: Trial) -> Trial:
        """Vary the best strike at random, less and less; the randomness is always the same."""
        random = np.random.default_rng(0)
        for number in range(VARIATIONS):
            if best.reached and best.missed_m < FAIR_M:
                break
            old, scale = best.strike, 0.1 * 0.97**number
            behind_m = old.behind_m + 0.01 * random.integers(-1, 2)
            strike = replace(
                old,
                aim_rad=old.aim_rad + scale * random.normal(),
                power=float(np.clip(old.power + scale * random.normal(), 0.1, 1.0)),
                behind_m=float(np.clip(behind_m, 0.05, 0.12)),
                beside_rad=old.beside_rad + scale * random.normal(),
                soft_steps=max(0, old.soft_steps + int(random.integers(-1, 2))),
                steps=max(2, old.steps + int(random.integers(-1, 2))),
            )
            best = min(best, self._try(strike), key=lambda trial: trial.cost)
        return best

    def _try(self, strike: Strike) -> Trial:
        """Strike in the copy, and wait until the puck rests."""
        self._simulation.restore(self._state)
        striking = Striking(self._simulation.world, strike)
        reached = False
        for _ in range(self._steps):
            reached |= self._simulation.step(striking.move())
            if striking.struck and self._simulation.speed_m_s("object0:joint") < RESTING_M_S:
                break
        missed_m = float(np.linalg.norm(striking.block - striking.goal))
        return Trial(strike, reached, missed_m, striking.block[:2] - self._puck)


def _angle_rad(start: Vector, end: Vector) -> float:
    """Return the angle from one direction to another, -pi to pi, anticlockwise positive."""
    cross = start[0] * end[1] - start[1] * end[0]
    return float(np.arctan2(cross, start @ end))
