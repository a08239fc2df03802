"""The experts of the Fetch tasks: proportional control, in phases where an object is to be moved.

They read positions that the agent has to see. Lengths are metres, moves are the environment's own
numbers: -1 to 1 for 5 cm each way, and the gripper's command.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyehand.actions import Action
from eyehand.agent.experts.state import Moves
from eyehand.envs.declaration_make import DeclaredEnvironment
from eyehand.errors import UsageError

Vector = NDArray[np.float64]

GAIN_PER_M = 15.0
"""Three quarters of the way in one step, for a move of 1 asks for 5 cm; all of it overshoots."""

HOVER_M = 0.08
REACHED_M = 0.015
OPEN, SHUT = 1.0, -1.0
BEHIND_M = 0.07
"""How far behind the block a push begins: half a block of 5 cm, and the shut fingers."""


def begin(environment: DeclaredEnvironment) -> Moves:
    """Start an episode's expert.

    Raises:
        UsageError: the task has none.
    """
    world: Any = environment.inner.unwrapped
    controllers: dict[str, Callable[[Any], Controller]] = {
        "FetchReach": Reach,
        "FetchPush": Push,
        "FetchPickAndPlace": PickAndPlace,
    }
    kind = world.spec.name
    if kind not in controllers:
        raise UsageError(f"{environment.spec_uri} has no expert; {', '.join(controllers)} have one")
    controller = controllers[kind](world)
    return lambda: _call(environment, controller.move())


def _call(environment: DeclaredEnvironment, own: Vector) -> Action:
    """Write a move as the call that the environment offers, in its units."""
    numbers = environment.scaled.from_own(own) if environment.scaled else own
    move = environment.action_space.types[0]
    arguments = {name: float(n) for name, n in zip(move.model_fields, numbers, strict=True)}
    return environment.action_space.build(move.name, arguments)


class Controller(ABC):
    """Moves one arm; a subclass says where to."""

    def __init__(self, world: Any) -> None:
        self._world = world

    @abstractmethod
    def move(self) -> Vector:
        """Return the next move: three directions and the gripper."""

    @property
    def goal(self) -> Vector:
        """Where the gripper, or the object, is to be."""
        return np.array(self._world.goal, np.float64)

    @property
    def gripper(self) -> Vector:
        """Where the gripper is."""
        return self._site("robot0:grip")

    @property
    def block(self) -> Vector:
        """Where the object is."""
        return self._site("object0")

    def towards(self, place: Vector, gripper: float = 0.0, most: float = 1.0) -> Vector:
        """Return a move straight towards a place, in proportion to the way that is left."""
        step = GAIN_PER_M * (place - self.gripper)
        return np.append(step * min(1.0, most / max(np.abs(step).max(), 1e-6)), gripper)

    def _site(self, name: str) -> Vector:
        return np.array(self._world.data.site(name).xpos, np.float64)


class Reach(Controller):
    """Bring the gripper to the goal."""

    def move(self) -> Vector:
        """Go straight there."""
        return self.towards(self.goal)


class PickAndPlace(Controller):
    """Grasp the block from above and carry it to the goal."""

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._gripping_steps = 0

    def move(self) -> Vector:
        """Come down over the block with open fingers, shut them, carry."""
        apart = self.gripper - self.block
        over = float(np.hypot(apart[0], apart[1])) < REACHED_M
        if over and apart[2] < REACHED_M:
            self._gripping_steps += 1
        elif np.linalg.norm(apart) > 2 * HOVER_M:
            self._gripping_steps = 0  # it was lost
        if self._gripping_steps == 0:
            height = 0.0 if over else HOVER_M
            return self.towards(self.block + np.array([0.0, 0.0, height]), OPEN)
        if self._gripping_steps < 3:
            return self.towards(self.block, SHUT)
        return self.towards(self.gripper + self.goal - self.block, SHUT)


class Push(Controller):
    """Push the block along the table, from behind it and towards the goal."""

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._pushing = False

    def move(self) -> Vector:
        """Go around the block to behind it, then through it towards the goal."""
        way = (self.goal - self.block)[:2]
        direction = way / max(float(np.linalg.norm(way)), 1e-6)
        start = self.block.copy()
        start[:2] -= direction * BEHIND_M
        apart = (self.gripper - self.block)[:2]
        along = float(apart @ direction)
        aside = float(np.linalg.norm(apart - along * direction))
        low = self.gripper[2] - self.block[2] < REACHED_M
        self._pushing = low and along < -0.03 and aside < REACHED_M * (2 if self._pushing else 1)
        if self._pushing:
            ahead = self.block.copy()
            ahead[:2] += direction * min(float(np.linalg.norm(way)), 0.03)
            return self.towards(ahead, SHUT, most=0.5)
        if np.linalg.norm((self.gripper - start)[:2]) < REACHED_M:
            return self.towards(start, SHUT)
        return self.towards(start + np.array([0.0, 0.0, HOVER_M]), SHUT)
