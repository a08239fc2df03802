"""BlindPolicy: the same policy, shown another episode's screen. What it scores needs no eyes."""

from dataclasses import replace
from typing import Any

from eyehand.actions import ActionSpace
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.envs.env import Observation
from eyehand.errors import UsageError


class BlindPolicy(Policy):
    """A control for evaluation: the inner policy reads the real task and sees a wrong screen.

    At every step of an episode it sees the first screen of another seed of the same task. A
    policy that solves a task no better than this one did not need to look.

    Args:
        inner: The policy that is tested.
    """

    def __init__(self, inner: Policy) -> None:
        self.inner = inner
        self.name = f"{inner.name}-blind"
        self._shown: Observation | None = None

    def show(self, other: Observation) -> None:
        """Set the screen that the next episode sees: the first one of another seed."""
        self._shown = other

    def set_batch_size(self, batch: int) -> None:
        """Tell the inner policy."""
        self.inner.set_batch_size(batch)

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode on the real task.

        Raises:
            UsageError: no screen was set with `show`.
        """
        if self._shown is None:
            raise UsageError("a blind policy needs another seed's screen: call show() first")
        return _BlindConversation(self.inner.start(task, action_space, seed), self._shown)

    def describe(self) -> dict[str, Any]:
        """Return the inner policy's description, marked as blind."""
        return {**self.inner.describe(), "name": self.name, "blind": True}


class _BlindConversation(Conversation):
    def __init__(self, inner: Conversation, shown: Observation) -> None:
        self._inner = inner
        self._shown = shown

    def decide(self, observation: Observation) -> Decision:
        """Decide on the wrong screen; its points are meant for the real one."""
        geometry = replace(
            observation.geometry,
            width_px=self._shown.geometry.width_px,
            height_px=self._shown.geometry.height_px,
        )
        return self._inner.decide(
            replace(
                observation,
                pixels=self._shown.pixels,
                geometry=geometry,
                text=self._shown.text,
                video=self._shown.video,
            )
        )
