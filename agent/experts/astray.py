"""Actions beside the expert's: a demonstration from which one gets back teaches more."""

import random

import numpy as np

from eyehand.actions import Action, ActionSpace
from eyehand.actions.android import Press
from eyehand.envs.cards.points import PointsGame
from eyehand.envs.env import Environment
from eyehand.envs.phone.environment import PhoneEnvironment


def other_actions(environment: Environment, draw: random.Random) -> list[Action]:
    """Return what could be done instead of what an expert does: any permitted action.

    But nothing that cannot be made good: a wrong number spoils a formula, and a tap anywhere may
    delete what a phone's task needs.

    Args:
        environment: The environment as it is now; a page offers its other tasks by itself.
        draw: Where chance comes from.
    """
    if isinstance(environment, PhoneEnvironment):
        return [Press(key="back"), Press(key="home")]
    if isinstance(environment, PointsGame):
        return []
    seed = np.random.default_rng(draw.getrandbits(32))
    return [ActionSpace(environment.action_space.types, seed=seed).sample()]
