"""Decider: answers the workers that ask, many in one call of the policy."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

from eyehand.agent.policy import Conversation, Policy
from eyehand.agent.workers.messages import Answer, Ask
from eyehand.errors import EyehandError, UsageError

Question = tuple[int, str, Ask]
"""Who asks (the seat's number), the spec of its episode, and what it asks."""


class Decider(Protocol):
    """Who decides for the workers."""

    def answer(self, questions: Sequence[Question]) -> Iterator[tuple[int, Answer]]:
        """Yield the seats' answers, each as soon as it is known."""

    def forget(self, seat: int) -> None:
        """Drop a seat's conversation: its episode ended or was lost."""

    def close(self) -> None:
        """Let go of what it holds."""


class LocalDecider:
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

    def answer(self, questions: Sequence[Question]) -> Iterator[tuple[int, Answer]]:
        """Yield the seats' answers; at most a batch at once goes to a policy."""
        groups: dict[int, tuple[Policy, list[Question]]] = {}
        for question in questions:
            policy = self._policies[question[1]]
            groups.setdefault(id(policy), (policy, []))[1].append(question)
        for policy, group in groups.values():
            waiting = iter(group)
            while chunk := list(islice(waiting, self._batch)):
                seats = (seat for seat, _, _ in chunk)
                yield from zip(seats, self._decide(policy, chunk), strict=True)

    def forget(self, seat: int) -> None:
        """Drop a seat's conversation, with the memory that it holds."""
        self._conversations.pop(seat, None)

    def close(self) -> None:
        """Drop every conversation."""
        self._conversations.clear()

    def _decide(self, policy: Policy, questions: list[Question]) -> list[Answer]:
        """Let the policy decide; what it raises on purpose is raised again in the episodes."""
        try:
            requests = [
                (self._conversation(policy, seat, ask), ask.observation)
                for seat, _, ask in questions
            ]
            return [Answer(decision) for decision in policy.decide_many(requests)]
        except EyehandError as error:
            return [Answer(error=error) for _ in questions]

    def _conversation(self, policy: Policy, seat: int, ask: Ask) -> Conversation:
        if ask.begin is not None:
            begin = ask.begin
            self._conversations[seat] = policy.start(begin.task, begin.action_space, begin.seed)
        return self._conversations[seat]
