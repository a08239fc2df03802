"""The experts of the Fetch tasks: proportional control, in phases where an object is to be moved.

They read positions that the agent has to see. FetchSlide's plans in a copy of the simulator.
FetchReach's thought says where the cameras show gripper and ball: the move follows from these.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from eyehand.actions import Action
from eyehand.agent.experts.robot.control import (
    HOVER_M,
    OPEN,
    REACHED_M,
    SHUT,
    Controller,
    Vector,
    on_grid,
)
from eyehand.agent.experts.robot.push import Push
from eyehand.agent.experts.robot.slide import EPISODE_STEPS, Slide
from eyehand.agent.experts.robot.view import places
from eyehand.agent.policies.base import Decision
from eyehand.envs.suite_file.make import DeclaredEnvironment
from eyehand.errors import UsageError


def begin(environment: DeclaredEnvironment) -> Callable[[], Decision]:
    """Start an episode's expert.

    Raises:
        UsageError: the task has none.
    """
    world: Any = environment.inner.unwrapped
    controllers: dict[str, Callable[[Any], Controller]] = {
        "FetchReach": Reach,
        "FetchPush": Push,
        "FetchSlide": lambda world: Slide(world, environment.task.limits.steps or EPISODE_STEPS),
        "FetchPickAndPlace": PickAndPlace,
    }
    kind = world.spec.name
    if kind not in controllers:
        raise UsageError(f"{environment.spec_uri} has no expert; {', '.join(controllers)} have one")
    controller = controllers[kind](world)
    thinks = kind == "FetchReach"
    return lambda: Decision(
        thought=thought_of(environment) if thinks else "",
        action=_call(environment, controller.move()),
    )


def thought_of(environment: DeclaredEnvironment) -> str:
    """Say where gripper and goal are in each picture, such as "Left gripper [250, 470], ..."."""
    by_picture: dict[str, list[str]] = {}
    for side, name, at in places(environment):
        by_picture.setdefault(side, []).append(f"{name} {at}")
    return " ".join(
        f"{side.capitalize()} {', '.join(found)}." if side else f"{', '.join(found)}."
        for side, found in by_picture.items()
    )


def _call(environment: DeclaredEnvironment, own: Vector) -> Action:
    """Write a move as the call that the environment offers, in its units."""
    own = on_grid(own)
    numbers = environment.scaled.from_own(own) if environment.scaled else own
    move = environment.action_space.types[0]
    arguments = {
        name: round(float(number), 3)  # what is left of binary fractions
        for name, number in zip(move.model_fields, numbers, strict=True)
    }
    return environment.action_space.build(move.name, arguments)


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
