"""What the experts of the Fetch tasks share: where things are, and moves towards a place.

Lengths are metres, moves are the environment's own numbers: -1 to 1 for 5 cm each way, and the
gripper's command.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

GAIN_PER_M = 15.0
"""Three quarters of the way in one step, for a move of 1 asks for 5 cm; all of it overshoots."""

MOVE_STEP = 0.02
"""Moves are multiples of this: a millimetre, so that they can be written down without loss."""

HOVER_M = 0.08
REACHED_M = 0.015
OPEN, SHUT = 1.0, -1.0
CLEAR_M = 0.055
"""From the object's middle to the gripper's, so that they do not touch: more than half of each."""


def on_grid(move: Vector) -> Vector:
    """Return a move within its bounds, in whole millimetres."""
    bounded: Vector = np.clip(move, -1.0, 1.0)
    return np.round(bounded / MOVE_STEP) * MOVE_STEP


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

    def around(self, place: Vector) -> Vector:
        """Return a move to a place beside the object that does not touch the object.

        Where the object is in the way, the gripper goes over it: first up, then across.
        """
        here, block = self.gripper, self.block
        if _distance_m(block[:2], here[:2], place[:2]) >= CLEAR_M:
            return self.towards(place, SHUT)
        over = np.append(place[:2], block[2] + HOVER_M)
        near = float(np.linalg.norm((here - block)[:2])) < CLEAR_M + 2 * REACHED_M
        if near and here[2] < over[2] - REACHED_M:
            over[:2] = here[:2]
        return self.towards(over, SHUT)

    def _site(self, name: str) -> Vector:
        return np.array(self._world.data.site(name).xpos, np.float64)


def _distance_m(point: Vector, start: Vector, end: Vector) -> float:
    """Return the distance of a point from the straight way between two others."""
    way = end - start
    share = np.clip((point - start) @ way / max(float(way @ way), 1e-9), 0.0, 1.0)
    return float(np.linalg.norm(point - start - share * way))
