"""Simulation: a copy of a Fetch world, to try moves in; the episode's own stays as it is."""

from copy import copy
from typing import Any

import numpy as np

from eyehand.agent.experts.robot.control import Vector, on_grid


class Simulation:
    """A twin of a Fetch world: the same model and goal, a state of its own.

    It is stepped by the environment's own rules. MuJoCo is deterministic, and the copy holds the
    solver's warm start too: the twin says to the last bit what the episode would do.

    Attributes:
        world: The twin, for a `Controller` to read. Step it by `step` only.

    Args:
        world: A MuJoCo Fetch environment of Gymnasium-Robotics, unwrapped; it is only read.
    """

    def __init__(self, world: Any) -> None:
        # Not copy(world): that makes the environment anew, and loads its meshes again.
        self.world = object.__new__(type(world))
        vars(self.world).update(vars(world))
        self.restore(world.data)

    def save(self) -> Any:
        """Return the present state, for `restore`."""
        return copy(self.world.data)

    def restore(self, state: Any) -> None:
        """Go to a state, and leave what holds it unchanged."""
        self.world.data = copy(state)

    def step(self, move: Vector) -> bool:
        """Perform a move of the environment's own numbers, on the grid of `on_grid`.

        Returns:
            Whether the goal is reached after it, by the environment's own rule.
        """
        own = on_grid(move).astype(self.world.action_space.dtype)
        *_, said = self.world.step(own)
        return bool(said["is_success"])

    def speed_m_s(self, joint: str) -> float:
        """Return how fast a free joint's body moves."""
        return float(np.linalg.norm(self.world.data.joint(joint).qvel[:3]))
