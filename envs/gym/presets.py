"""What Gymnasium's own environments leave unsaid: names of actions, the task, what success is.

Data only; anything else is mapped the same way with `GymEnvironment`'s arguments. Action names
and meanings are those of the environments' documentation (gymnasium.farama.org).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

Success = float | str
"""When an episode succeeded: its summed reward is at least this, or a rule of `gym_rules` holds."""


@dataclass(frozen=True)
class Preset:
    """Defaults for one environment.

    Attributes:
        instruction: The task, in words.
        success: Its criterion; None where the environment has none of its own.
        labels: Names, units and descriptions of the actions, fields of `actions.gym.Labels`.
    """

    instruction: str | None = None
    success: Success | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)


_FROZEN_LAKE = Preset(
    "Walk over the frozen lake to the present without falling into a hole.",
    1.0,  # the only reward there is
    {"names": ["left", "down", "right", "up"]},
)
_CLIFF_WALKING = Preset(
    "Walk to the cookie without stepping off the cliff.",
    "terminated",  # it ends at the goal only
    {"names": ["up", "right", "down", "left"]},
)

GYM_PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "CartPole": Preset(
            "Keep the pole upright and the cart on the screen by pushing the cart.",
            475.0,  # the registered reward threshold, of at most 500
            {"names": ["push_left", "push_right"]},
        ),
        "MountainCar": Preset(
            "Swing the car up to the flag on the right hill.",
            "terminated",  # it ends at the flag only
            {"names": ["accelerate_left", "coast", "accelerate_right"]},
        ),
        "Acrobot": Preset(
            "Swing the free end of the two links above the line.",
            "terminated",  # it ends above the line only
            {"names": ["torque_minus", "torque_zero", "torque_plus"]},
        ),
        "MountainCarContinuous": Preset(
            "Swing the car up to the flag on the right hill.",
            "terminated",  # it ends at the flag only
            {"names": ["force"], "description": "Push the car for a step; a minus is to the left."},
        ),
        "Pendulum": Preset(
            "Swing the pendulum up and hold it upright.",
            None,
            {"names": ["torque"], "units": ["N m"], "description": "Apply a torque for a step."},
        ),
        "FrozenLake": _FROZEN_LAKE,
        "FrozenLake8x8": _FROZEN_LAKE,
        "CliffWalking": _CLIFF_WALKING,
        "CliffWalkingSlippery": _CLIFF_WALKING,
        "Taxi": Preset(
            "Drive to the passenger, pick them up, drive to the hotel and drop them off there.",
            "terminated",  # it ends with the right drop-off only
            {"names": ["down", "up", "right", "left", "pick_up", "drop_off"]},
        ),
        "Blackjack": Preset(
            "Beat the dealer without going over 21.",
            1.0,  # a win; a draw is 0
            {"names": ["stick", "hit"]},
        ),
        "LunarLander": Preset(
            "Land softly between the flags.",
            200.0,  # "considered a solution if it scores at least 200 points"
            {"names": ["coast", "fire_left", "fire_main", "fire_right"]},
        ),
    }
)
"""Preset by environment name, without namespace and version."""
