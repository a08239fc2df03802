"""BlindPolicy: the same policy, shown another episode's screen. What it scores needs no eyes."""

from dataclasses import replace
from typing import Any

from eyehand.actions import ActionSpace
from eyehand.agent.policies.base import Conversation, Decision, Policy, RequestFunction
from eyehand.envs.env import Environment, Observation
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
        self.placement = inner.placement
        self._shown: Observation | None = None

    def bind(self, environment: Environment, seed: int | None = None) -> None:
        """Look at the first screen of another seed, which the next episode is shown."""
        self.inner.bind(environment, seed)
        # The neighbour's seed: unlike seed + 1 it stays within an even-bounded range.
        self._shown = environment.reset(seed=(seed or 0) ^ 1)[0]

    def set_batch_size(self, batch: int) -> None:
        """Tell the inner policy."""
        self.inner.set_batch_size(batch)

    def set_conversations(self, count: int) -> None:
        """Tell the inner policy."""
        self.inner.set_conversations(count)

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode on the real task.

        Raises:
            UsageError: `bind` was not called before.
        """
        if self._shown is None:
            raise UsageError("a blind policy needs another seed's screen: call bind() first")
        return _BlindConversation(self.inner.start(task, action_space, seed), self._shown)

    def split(self) -> tuple[Policy, Policy | None]:
        """Let the workers show the wrong screens, and the inner policy decide where it does."""
        inner, served = self.inner.split()
        return BlindPolicy(inner), served

    def connect(self, ask: RequestFunction) -> None:
        """Tell the inner policy."""
        self.inner.connect(ask)

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
