"""Asking: stands in a worker for a policy that decides elsewhere."""

from collections.abc import Callable
from typing import Any

from eyehand.actions import ActionSpace
from eyehand.agent.blind_policy import BlindPolicy
from eyehand.agent.episode import Privileged
from eyehand.agent.policy import Conversation, Decision, Policy
from eyehand.agent.workers.messages import Answer, Ask, Begin
from eyehand.envs.env import Observation
from eyehand.errors import UsageError

AskFunction = Callable[[Ask], Answer]
"""Sends an observation and waits for the answer."""


class DeciderGone(Exception):
    """Who decided for an episode is gone. It ends the episode, and is heard by `serve` alone."""


class Asking(Policy):
    """Sends each observation to where the policy is, and waits for its decision.

    Args:
        policy: Who decides; only its name and its description are kept.
    """

    portable = True

    def __init__(self, policy: Policy) -> None:
        self.name = policy.name
        self._described = policy.describe()
        self.ask: AskFunction | None = None

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode; the policy hears of it with the first observation.

        Raises:
            UsageError: nobody set `ask`.
        """
        if self.ask is None:
            raise UsageError("a policy that decides elsewhere works only inside a worker")
        # Neither handlers nor the generator: whoever decides needs to know the types alone.
        return _AskingConversation(self.ask, Begin(task, ActionSpace(action_space.types), seed))

    def describe(self) -> dict[str, Any]:
        """Return the deciding policy's description."""
        return self._described


class _AskingConversation(Conversation):
    def __init__(self, ask: AskFunction, begin: Begin) -> None:
        self._ask = ask
        self._begin: Begin | None = begin

    def decide(self, observation: Observation) -> Decision:
        """Ask; what the policy raised is raised here, where the episode deals with it."""
        begin, self._begin = self._begin, None
        answer = self._ask(Ask(observation, begin))
        if answer.error is not None:
            raise answer.error
        if answer.decision is None:
            raise UsageError("the policy answered with neither a decision nor an error")
        return answer.decision


def parted(policy: Policy) -> tuple[Policy, Policy | None]:
    """Part a policy into what goes to the workers and who decides elsewhere.

    Returns:
        The policy for the workers, and the one that it asks; None where it asks nobody.
    """
    if isinstance(policy, BlindPolicy):
        inner, served = parted(policy.inner)
        return BlindPolicy(inner), served
    if policy.portable or isinstance(policy, Privileged):
        return policy, None
    return Asking(policy), policy


def connect(policy: Policy, ask: AskFunction) -> None:
    """Tell a policy that came from `parted` how to ask."""
    if isinstance(policy, BlindPolicy):
        connect(policy.inner, ask)
    elif isinstance(policy, Asking):
        policy.ask = ask
