"""Decider: answers the workers that ask, many in one call of the policy."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

from eyehand.actions import ActionSpace
from eyehand.agent.episode import Privileged
from eyehand.agent.evaluation.messages import ConversationStart, DecisionReply, DecisionRequest
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.agent.policies.blind import BlindPolicy
from eyehand.envs.env import Observation
from eyehand.errors import EyehandError, UsageError

SlotRequest = tuple[int, str, DecisionRequest]
"""Who asks (the seat's number), the spec of its episode, and what it asks."""


class InferenceServer(Protocol):
    """Who decides for the workers."""

    def answer(self, questions: Sequence[SlotRequest]) -> Iterator[tuple[int, DecisionReply]]:
        """Yield the seats' answers, each as soon as it is known."""

    def forget(self, slot: int) -> None:
        """Drop a seat's conversation: its episode ended or was lost."""

    def close(self) -> None:
        """Let go of what it holds."""


class LocalInferenceServer:
    """Holds the conversations of the policies that decide in this process.

    Args:
        policies: Spec to policy; specs whose policy decides in the worker may be missing.
        batch: Most questions that a policy is asked at once.
    """

    def __init__(self, policies: dict[str, Policy], batch: int = 1) -> None:
        if batch < 1:
            raise UsageError(f"expected a batch of at least 1, got {batch}")
        self._policies = policies
        self._batch = batch
        self._conversations: dict[int, Conversation] = {}

    def answer(self, questions: Sequence[SlotRequest]) -> Iterator[tuple[int, DecisionReply]]:
        """Yield the seats' answers; at most a batch at once goes to a policy."""
        groups: dict[int, tuple[Policy, list[SlotRequest]]] = {}
        for question in questions:
            policy = self._policies[question[1]]
            groups.setdefault(id(policy), (policy, []))[1].append(question)
        for policy, group in groups.values():
            waiting = iter(group)
            while chunk := list(islice(waiting, self._batch)):
                slots = (slot for slot, _, _ in chunk)
                yield from zip(slots, self._decide(policy, chunk), strict=True)

    def forget(self, slot: int) -> None:
        """Drop a seat's conversation, with the memory that it holds."""
        self._conversations.pop(slot, None)

    def close(self) -> None:
        """Drop every conversation."""
        self._conversations.clear()

    def _decide(self, policy: Policy, questions: list[SlotRequest]) -> list[DecisionReply]:
        """Let the policy decide; what it raises on purpose is raised again in the episodes."""
        try:
            requests = [
                (self._conversation(policy, slot, ask), ask.observation)
                for slot, _, ask in questions
            ]
            return [DecisionReply(decision) for decision in policy.decide_many(requests)]
        except EyehandError as error:
            return [DecisionReply(error=error) for _ in questions]

    def _conversation(self, policy: Policy, slot: int, ask: DecisionRequest) -> Conversation:
        if ask.begin is not None:
            begin = ask.begin
            self._conversations[slot] = policy.start(begin.task, begin.action_space, begin.seed)
        return self._conversations[slot]


RequestFunction = Callable[[DecisionRequest], DecisionReply]
"""Sends an observation and waits for the answer."""


class InferenceLost(Exception):
    """Who decided for an episode is gone. It ends the episode, and is heard by `serve` alone."""


class InferenceClient(Policy):
    """Sends each observation to where the policy is, and waits for its decision.

    Args:
        policy: Who decides; only its name and its description are kept.
    """

    portable = True

    def __init__(self, policy: Policy) -> None:
        self.name = policy.name
        self._described = policy.describe()
        self.ask: RequestFunction | None = None

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode; the policy hears of it with the first observation.

        Raises:
            UsageError: nobody set `ask`.
        """
        if self.ask is None:
            raise UsageError("a policy that decides elsewhere works only inside a worker")
        # Neither handlers nor the generator: whoever decides needs to know the types alone.
        return _ClientConversation(
            self.ask, ConversationStart(task, ActionSpace(action_space.types), seed)
        )

    def describe(self) -> dict[str, Any]:
        """Return the deciding policy's description."""
        return self._described


class _ClientConversation(Conversation):
    def __init__(self, ask: RequestFunction, begin: ConversationStart) -> None:
        self._ask = ask
        self._begin: ConversationStart | None = begin

    def decide(self, observation: Observation) -> Decision:
        """Ask; what the policy raised is raised here, where the episode deals with it."""
        begin, self._begin = self._begin, None
        answer = self._ask(DecisionRequest(observation, begin))
        if answer.error is not None:
            raise answer.error
        if answer.decision is None:
            raise UsageError("the policy answered with neither a decision nor an error")
        return answer.decision


def split(policy: Policy) -> tuple[Policy, Policy | None]:
    """Part a policy into what goes to the workers and who decides elsewhere.

    Returns:
        The policy for the workers, and the one that it asks; None where it asks nobody.
    """
    if isinstance(policy, BlindPolicy):
        inner, served = split(policy.inner)
        return BlindPolicy(inner), served
    if policy.portable or isinstance(policy, Privileged):
        return policy, None
    return InferenceClient(policy), policy


def connect(policy: Policy, ask: RequestFunction) -> None:
    """Tell a policy that came from `split` how to ask."""
    if isinstance(policy, BlindPolicy):
        connect(policy.inner, ask)
    elif isinstance(policy, InferenceClient):
        policy.ask = ask
