"""RandomPolicy: a uniformly drawn permitted action at every step; the floor of every table."""

import time
from typing import Any

import numpy as np

from eyehand.actions import Action, ActionSpace, Point
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.envs.env import Observation


class RandomPolicy(Policy):
    """Draws a permitted action type uniformly, then its arguments uniformly.

    Two policies with the same seed make the same decisions.

    Args:
        without: Names of actions that are never drawn. By default the two that end an episode
            by declaration, so that the policy acts until a limit; where nothing else is permitted
            they are drawn after all.
    """

    name = "random"
    placement = "worker"

    def __init__(self, without: tuple[str, ...] = ("answer", "finish")) -> None:
        self.without = without

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode; the task is not read."""
        names = [name for name in action_space.names if name not in self.without]
        types = action_space.restricted(names or action_space.names).types
        return _RandomConversation(ActionSpace(types, seed=np.random.default_rng(seed)))

    def describe(self) -> dict[str, Any]:
        """Return the name and what is never drawn."""
        return {"name": self.name, "without": list(self.without)}


class _RandomConversation(Conversation):
    def __init__(self, action_space: ActionSpace) -> None:
        self._space = action_space

    def decide(self, observation: Observation) -> Decision:
        """Draw an action, its points on the screen that is shown."""
        began_s = time.perf_counter()
        action = _on_screen(self._space.sample(), observation.geometry.screen)
        seconds = time.perf_counter() - began_s
        return Decision(action=action, raw_text=str(action), timings_s={"sample": seconds})


def _on_screen(action: Action, screen: str) -> Action:
    """Return the action with its points on the named screen."""
    points: dict[str, Point] = {
        name: point.model_copy(update={"screen": screen}) for name, point in action.points().items()
    }
    return action.model_copy(update=points) if points else action
