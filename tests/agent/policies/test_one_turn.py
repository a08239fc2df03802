"""The keyword pattern's history is told alike in every network here."""

import pytest

from eyehand.agent.episode import run_episode
from eyehand.agent.policies.base import Policy
from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.agent.policies.models.built_in_chat import BuiltInChatPolicy
from eyehand.agent.policies.models.chat import in_one_turn
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT, read_habits
from eyehand.agent.policies.models.in_transformers import JOINT, TransformersPolicy
from eyehand.envs import make
from eyehand.prompts.dialects.dialect import Message, Picture
from eyehand.prompts.dialects.keyword import Keyword

TASK, SEED = "cards:number-line", 1_000_004
"""Several steps: each is told the calls before it."""


def answers(policy: Policy) -> list[str]:
    with make(TASK) as environment:
        episode = run_episode(policy, environment, seed=SEED, max_steps=6)
    return [step.raw_text for step in episode.steps]


def other(name: str) -> Policy:
    habits = read_habits(EMBEDDED_CHECKPOINT)
    dialect = Keyword(brief=habits.brief, newest_only=habits.newest_only)
    if name == "transformers":
        return TransformersPolicy(EMBEDDED_CHECKPOINT, dialect, max_new_tokens=64)
    return BuiltInChatPolicy(EMBEDDED_CHECKPOINT, dialect, "embedded", max_new_tokens=64)


@pytest.mark.parametrize("name", ["transformers", "the built-in network in a chat"])
def test_several_steps_are_answered_as_the_built_in_model_does(name: str) -> None:
    expected = answers(VlmPolicy(max_new_tokens=64))
    assert len(expected) > 1
    assert answers(other(name)) == expected


def test_results_join_the_turn_that_they_continue() -> None:
    user, shown = Message("user", (Picture(0), "task")), Message("user", ("seen",), continues=True)
    first, second = Message("assistant", ("a",)), Message("assistant", ("b",))
    assert in_one_turn([user, first, shown]) == [
        user, Message("assistant", ("a", "\n", "seen")),
    ]  # fmt: skip
    assert in_one_turn([user, first, shown, second, shown])[1].parts == (
        "a", "\n", "seen", "b", "\n", "seen",
    )  # fmt: skip
    plain = [user, first, Message("user", ("seen",)), second]
    assert in_one_turn(plain) == plain


def test_no_text_can_hold_a_joint() -> None:
    policy = other("transformers")
    with make(TASK) as environment:
        observation, _ = environment.reset(seed=SEED)
        conversation = policy.start(f"a{JOINT}b", environment.action_space)
        assert conversation.decide(observation).raw_text
