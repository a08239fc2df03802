"""The model deciding for several episodes at once: the same episodes, however many are ready."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from eyehand.agent.evaluation.evaluate import ComputeConfig, run_evaluation
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.policies.base import Conversation, Decision, Request
from eyehand.agent.policies.blind import BlindPolicy
from eyehand.agent.policies.grounded import GroundedPolicy
from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.agent.policies.random import RandomPolicy
from eyehand.agent.policies.registry import policy_maker
from eyehand.agent.results.diff import differences
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.envs.env import Observation
from eyehand.envs.registry import make
from eyehand.errors import UsageError
from eyehand.model.inference import bounded_history

LINE = "cards:number-line"
FIRST_SEED = 1_000_000
PARTS = {"preprocess", "vision", "prefill", "decode", "parse"}


@pytest.fixture(scope="module")
def policy() -> VlmPolicy:
    return VlmPolicy(device="cpu")


@pytest.fixture(autouse=True)
def _as_constructed(policy: VlmPolicy) -> None:
    policy.set_batch_size(1)
    policy.on_text = None


class Episode:
    """An environment of its own with the policy's conversation about it."""

    def __init__(self, policy: VlmPolicy, seed: int) -> None:
        self.environment = NumberLineEnvironment()
        self.observation, _ = self.environment.reset(seed=seed)
        self.conversation = policy.start(
            self.environment.instruction or "", self.environment.action_space, seed
        )

    @property
    def request(self) -> Request:
        return self.conversation, self.observation

    def look_on(self) -> None:
        """Show another screen of the task, whatever was decided at the last one."""
        self.observation, _ = self.environment.reset(seed=FIRST_SEED + 20)


def told(decisions: Sequence[Decision]) -> list[tuple[object, ...]]:
    """What a decision says, without how long it took."""
    return [(d.thought, d.action, d.raw_text, d.error, d.tokens) for d in decisions]


def test_several_conversations_decide_as_each_would_alone(policy: VlmPolicy) -> None:
    together = [Episode(policy, FIRST_SEED + number) for number in range(3)]
    alone = [Episode(policy, FIRST_SEED + number) for number in range(3)]
    for _ in range(2):
        decisions = policy.decide_many([episode.request for episode in together])
        expected = [episode.conversation.decide(episode.observation) for episode in alone]
        assert told(decisions) == told(expected)
        assert all(decision.action is not None for decision in decisions)
        assert all(set(decision.timings_s) == PARTS for decision in decisions)
        assert all(decision.timings_s["decode"] > 0 for decision in decisions)
        for episode in (*together, *alone):
            episode.look_on()


def test_a_full_batch_and_a_lone_request_give_the_same_draws() -> None:
    policy = VlmPolicy(device="cpu", temperature=1.5, max_new_tokens=24)
    policy.set_batch_size(4)
    episodes = [Episode(policy, FIRST_SEED + number) for number in range(4)]
    together = policy.decide_many([episode.request for episode in episodes])
    lone = [Episode(policy, FIRST_SEED + number) for number in range(4)]
    alone = [episode.conversation.decide(episode.observation) for episode in lone]
    assert told(together) == told(alone)
    assert len({decision.raw_text for decision in together}) > 1


def test_words_are_shown_as_they_come_where_one_conversation_is_asked(policy: VlmPolicy) -> None:
    for batch in (1, 4):
        policy.set_batch_size(batch)
        shown: list[str] = []
        policy.on_text = shown.append
        decision = policy.decide_many([Episode(policy, FIRST_SEED).request])[0]
        assert "".join(shown) == decision.raw_text
        shown.clear()
        policy.decide_many([Episode(policy, FIRST_SEED + n).request for n in range(2)])
        assert shown == []


def test_only_own_conversations_are_decided_each_once(policy: VlmPolicy) -> None:
    class Stranger(Conversation):
        def decide(self, observation: Observation) -> Decision:
            return Decision()

    episode = Episode(policy, FIRST_SEED)
    with pytest.raises(UsageError, match="that it started"):
        policy.decide_many([(Stranger(), episode.observation)])
    with pytest.raises(UsageError, match="given twice"):
        policy.decide_many([episode.request, episode.request])
    with pytest.raises(UsageError, match="at least 1"):
        policy.set_batch_size(0)
    assert policy.decide_many([]) == []


def test_the_inner_policies_hear_of_the_batch_and_of_the_conversations(
    policy: VlmPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    BlindPolicy(policy).set_batch_size(3)
    assert policy.batch == 3
    policy.set_batch_size(1)
    monkeypatch.setattr(bounded_history, "free_bytes", lambda device: 10**9)
    policy.set_conversations(1)
    whole = policy.limits.max_tokens
    BlindPolicy(GroundedPolicy(policy, RandomPolicy(), False)).set_conversations(4)
    assert policy.limits.max_tokens == whole // 4
    GroundedPolicy(RandomPolicy(), policy, False).set_conversations(1)  # a drag has two targets
    assert policy.limits.max_tokens == whole // 2
    with pytest.raises(UsageError, match="at least 1 conversation"):
        policy.set_conversations(0)
    for told in (RandomPolicy().set_batch_size, RandomPolicy().set_conversations):
        told(3)  # it need not know


def test_one_two_and_four_workers_give_the_same_files_for_a_batch(tmp_path: Path) -> None:
    make_policy = policy_maker("model", device="cpu", temperature=1.5, max_new_tokens=24)
    for workers in (1, 2, 4):
        plan = Plan("s", [LINE], 5, max_steps=2, out=tmp_path / str(workers), batch=4)
        run_evaluation(plan, make, make_policy, compute=ComputeConfig(workers))
    assert differences(tmp_path / "1", tmp_path / "2") == []
    assert differences(tmp_path / "1", tmp_path / "4") == []
