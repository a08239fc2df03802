"""How many steps a Gymnasium environment itself permits an episode."""

from typing import Any

import gymnasium
from gymnasium.wrappers import TimeLimit

OWN_ATTRIBUTES = ("max_episode_steps", "_max_episode_steps", "max_steps")
"""Where environments that count for themselves keep their limit (MiniGrid: `max_steps`)."""


def step_limit(environment: gymnasium.Env[Any, Any]) -> int | None:
    """Return the most steps an episode lasts by the environment's own word; None without one.

    The limit that Gymnasium keeps (`TimeLimit`, `spec.max_episode_steps`) goes before one that
    the environment counts itself.
    """
    limits, inner = [], environment
    while isinstance(inner, gymnasium.Wrapper):
        if isinstance(inner, TimeLimit):
            limits.append(_whole(inner, "_max_episode_steps"))
        inner = inner.env
    limits.append(_whole(environment.spec, "max_episode_steps"))
    known = [limit for limit in limits if limit]
    if known:
        return min(known)
    return next((limit for name in OWN_ATTRIBUTES if (limit := _whole(inner, name))), None)


def _whole(holder: object, name: str) -> int | None:
    value = getattr(holder, name, None)
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    return None
