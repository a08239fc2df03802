"""What an engine does inside, on its own: gathering questions, and dropping conversations."""

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from eyehand.actions import ActionSpace
from eyehand.agent.evaluation.messages import WorkerFailed, packed, unpacked
from eyehand.agent.evaluation.ray.inference_actor import (
    InferenceActor,
    InferenceSetup,
    PoliciesMade,
)
from eyehand.agent.policies.base import (
    Conversation,
    ConversationStart,
    Decision,
    DecisionReply,
    DecisionRequest,
    Policy,
    Request,
)
from eyehand.agent.policies.random import RandomPolicy
from eyehand.envs.cards.number_line import Plus
from eyehand.envs.env import Observation
from eyehand.envs.registry import make
from eyehand.errors import CheckpointError, UsageError

LINE = "cards:number-line"
TIMEOUT_S = 60


class _Up(Conversation):
    def __init__(self, decision: Decision) -> None:
        self._decision = decision

    def decide(self, observation: Observation) -> Decision:
        return self._decision


class Noting(Policy):
    """Notes how many are asked at once, and which conversations live; waits until it may go on."""

    name = "noting"

    def __init__(self) -> None:
        self.decision = Decision(action=Plus())
        self.error: Exception | None = None
        self.sizes: list[int] = []
        self.living: weakref.WeakSet[_Up] = weakref.WeakSet()
        self.asked, self.go_on = threading.Event(), threading.Event()
        self.conversations = 0

    def set_conversations(self, count: int) -> None:
        self.conversations = count

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        conversation = _Up(self.decision)
        self.living.add(conversation)
        return conversation

    def decide_many(self, requests: Sequence[Request]) -> list[Decision]:
        self.sizes.append(len(requests))
        self.asked.set()
        assert self.go_on.wait(TIMEOUT_S)
        if self.error is not None:
            raise self.error
        return super().decide_many(requests)


POLICIES: list[Noting] = []


def noting(spec: str) -> Policy:
    """Return this process's own policy: the recipe travels through here by its name."""
    return POLICIES[-1]


def missing(spec: str) -> Policy:
    raise CheckpointError("no weights")


def random_policy(spec: str) -> Policy:
    return RandomPolicy()


@pytest.fixture
def policy() -> Iterator[Noting]:
    POLICIES.append(Noting())
    yield POLICIES[-1]
    POLICIES.pop()


@pytest.fixture(scope="module")
def question() -> bytes:
    environment = make(LINE)
    observation, _ = environment.reset(seed=1)
    begin = ConversationStart("go", environment.action_space, 1)
    environment.close()
    return packed(DecisionRequest(observation, begin))


def engine(make_policy: Any, batch: int = 1) -> InferenceActor:
    return InferenceActor(packed(InferenceSetup(make_policy, (LINE,), batch, 3, ".")))


def test_questions_that_arrive_meanwhile_go_into_the_next_call_up_to_the_batch(
    policy: Noting, question: bytes
) -> None:
    async def ask() -> list[DecisionReply]:
        actor = engine(noting, batch=2)
        await actor.wait_loaded()
        first = asyncio.ensure_future(actor.decide(0, LINE, question))
        await asyncio.to_thread(policy.asked.wait, TIMEOUT_S)
        rest = [asyncio.ensure_future(actor.decide(n, LINE, question)) for n in (1, 2, 3)]
        await asyncio.sleep(0)  # all three are waiting now
        policy.go_on.set()
        return [unpacked(blob) for blob in await asyncio.gather(first, *rest)]

    answers = asyncio.run(ask())
    assert policy.sizes == [1, 2, 1]
    assert [answer.decision for answer in answers] == [Decision(action=Plus())] * 4


def test_a_conversation_is_dropped_with_its_episode_and_a_late_question_begins_none(
    policy: Noting, question: bytes
) -> None:
    policy.go_on.set()

    async def ask() -> list[Any]:
        actor = engine(noting)
        for number in (0, 1):
            await actor.decide(number, LINE, question)
        before = len(policy.living)
        await actor.forget(0)
        await actor.forget(1, lost=True)
        late = unpacked(await actor.decide(1, LINE, question))
        gc.collect()
        return [before, len(policy.living), type(late.error).__name__]

    assert asyncio.run(ask()) == [2, 0, "WorkerLost"]


def test_a_defect_of_the_policy_reaches_the_episode_that_asked(
    policy: Noting, question: bytes
) -> None:
    policy.go_on.set()
    policy.error = ZeroDivisionError("a defect")

    async def ask() -> DecisionReply:
        answer: DecisionReply = unpacked(await engine(noting).decide(0, LINE, question))
        return answer

    error = asyncio.run(ask()).error
    assert isinstance(error, ZeroDivisionError)
    assert "decide_many" in error.__notes__[0]


def test_a_decision_that_cannot_be_sent_is_an_error_and_not_a_question_without_an_answer(
    policy: Noting, question: bytes
) -> None:
    policy.go_on.set()
    policy.decision = Decision(action=Plus(), timings_s={"lock": threading.Lock()})  # type: ignore[dict-item]

    async def ask() -> DecisionReply:
        asking = engine(noting).decide(0, LINE, question)
        answer: DecisionReply = unpacked(await asyncio.wait_for(asking, TIMEOUT_S))
        return answer

    assert "cannot pickle" in str(asyncio.run(ask()).error)


def test_an_error_that_cannot_be_sent_is_told_in_words(policy: Noting, question: bytes) -> None:
    policy.go_on.set()
    policy.error = ZeroDivisionError("a defect", threading.Lock())

    async def ask() -> DecisionReply:
        asking = engine(noting).decide(0, LINE, question)
        answer: DecisionReply = unpacked(await asyncio.wait_for(asking, TIMEOUT_S))
        return answer

    assert "ZeroDivisionError: ('a defect'" in str(asyncio.run(ask()).error)


def test_a_policy_that_cannot_be_made_is_told_with_its_node_and_to_who_asks(
    question: bytes,
) -> None:
    async def ask() -> list[Any]:
        actor = engine(missing)
        return [
            unpacked(await actor.wait_loaded()),
            unpacked(await actor.decide(0, LINE, question)),
        ]

    begun, answer = asyncio.run(ask())
    assert isinstance(begun, WorkerFailed)
    for error in (begun.error, answer.error):
        assert isinstance(error, CheckpointError)
        assert str(error).startswith("no weights (on node ")


def test_policies_that_go_along_need_no_engine() -> None:
    async def begin() -> Any:
        return unpacked(await engine(random_policy).wait_loaded())

    made = asyncio.run(begin())
    assert isinstance(made, PoliciesMade)
    assert not made.serves
    assert isinstance(made.policies[LINE], RandomPolicy)


def test_a_recipe_that_cannot_be_sent_says_so() -> None:
    from eyehand.agent.evaluation.ray.inference_pool import _packed_setup

    lock = threading.Lock()

    def closed_over(spec: str) -> Policy:
        raise UsageError(str(lock))

    with pytest.raises(UsageError, match="cannot be sent there: cannot pickle"):
        _packed_setup(InferenceSetup(closed_over, (LINE,), 1, 1, "."))


@pytest.mark.parametrize(
    ("conversations", "engines", "total", "nodes", "expected"),
    [
        (16, 1, {"CPU": 8}, 1, 16),
        (16, 4, {"CPU": 8}, 1, 16),  # four on one machine
        (16, 4, {"CPU": 8}, 2, 8),
        (16, 4, {"CPU": 8}, 9, 4),
        (16, 3, {"CPU": 8, "GPU": 4}, 1, 6),  # a GPU each
        (2, 3, {"CPU": 8}, 1, 2),
    ],
)
def test_engines_know_how_many_conversations_share_their_memory(
    conversations: int, engines: int, total: dict[str, float], nodes: int, expected: int
) -> None:
    from eyehand.agent.evaluation.ray.inference_pool import sharing

    assert sharing(conversations, engines, total, nodes) == expected


def test_an_engine_tells_its_policies(policy: Noting) -> None:
    asyncio.run(engine(noting).wait_loaded())
    assert policy.conversations == 3


def test_modules_are_found_by_name() -> None:
    """The tests above rest on it: what travels here by name comes back as itself."""
    assert unpacked(packed(noting)) is noting
    assert __name__ in sys.modules
