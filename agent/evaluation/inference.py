"""InferenceServer: answers the workers' requests, many in one call of the policy."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

from eyehand.agent.policies.base import Conversation, DecisionReply, DecisionRequest, Policy
from eyehand.errors import EyehandError, UsageError

SlotRequest = tuple[int, str, DecisionRequest]
"""The number of the slot that asks, the spec of its episode, and the request."""


class InferenceServer(Protocol):
    """Who decides for the workers."""

    def answer(self, requests: Sequence[SlotRequest]) -> Iterator[tuple[int, DecisionReply]]:
        """Yield each slot's reply as soon as it is known."""

    def forget(self, slot: int) -> None:
        """Drop a slot's conversation: its episode ended or was lost."""

    def close(self) -> None:
        """Let go of what it holds."""


class LocalInferenceServer:
    """Holds the conversations of the policies that decide in this process.

    Args:
        policies: Spec to policy; specs whose policy decides in the worker may be missing.
        batch: Most requests that a policy gets at once.
    """

    def __init__(self, policies: dict[str, Policy], batch: int = 1) -> None:
        if batch < 1:
            raise UsageError(f"expected a batch of at least 1, got {batch}")
        self._policies = policies
        self._batch = batch
        self._conversations: dict[int, Conversation] = {}

    def answer(self, requests: Sequence[SlotRequest]) -> Iterator[tuple[int, DecisionReply]]:
        """Yield each slot's reply; at most a batch of requests goes to a policy at once."""
        groups: dict[int, tuple[Policy, list[SlotRequest]]] = {}
        for request in requests:
            policy = self._policies[request[1]]
            groups.setdefault(id(policy), (policy, []))[1].append(request)
        for policy, group in groups.values():
            waiting = iter(group)
            while chunk := list(islice(waiting, self._batch)):
                slots = (slot for slot, _, _ in chunk)
                yield from zip(slots, self._decide(policy, chunk), strict=True)

    def forget(self, slot: int) -> None:
        """Drop a slot's conversation, with the memory that it holds."""
        self._conversations.pop(slot, None)

    def close(self) -> None:
        """Drop every conversation."""
        self._conversations.clear()

    def _decide(self, policy: Policy, requests: list[SlotRequest]) -> list[DecisionReply]:
        """Let the policy decide; what it raises on purpose is raised again in the episodes."""
        try:
            asked = [
                (self._conversation(policy, slot, request), request.observation)
                for slot, _, request in requests
            ]
            return [DecisionReply(decision) for decision in policy.decide_many(asked)]
        except EyehandError as error:
            return [DecisionReply(error=error) for _ in requests]

    def _conversation(self, policy: Policy, slot: int, request: DecisionRequest) -> Conversation:
        if request.begin is not None:
            begin = request.begin
            self._conversations[slot] = policy.start(begin.task, begin.action_space, begin.seed)
        return self._conversations[slot]


class InferenceLost(Exception):
    """Who decided for an episode is gone. It ends the episode, and is heard by `serve` alone."""
