"""The small policies: random, scripted, blind, and how they are chosen by name."""

import numpy as np
import pytest

from eyehand.actions import Action, ActionSpace
from eyehand.actions.web import WEB_ACTIONS, Click, Finish, Reload, Wait
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.agent.policies.blind import BlindPolicy
from eyehand.agent.policies.random import RandomPolicy
from eyehand.agent.policies.registry import policy_maker
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.envs.env import Observation, ScreenGeometry
from eyehand.errors import OutOfRange, Unparsable, UsageError

WEB = ActionSpace(WEB_ACTIONS)


def screen(value: int = 0, width: int = 60, name: str = "now") -> Observation:
    pixels = np.full((40, width, 3), value, np.uint8)
    return Observation(pixels, ScreenGeometry(name, width, 40, width, 40), text=f"page {value}")


def test_the_random_policy_draws_valid_actions_on_the_screen_that_is_shown() -> None:
    conversation = RandomPolicy().start("anything", WEB, seed=3)
    drawn = [conversation.decide(screen()).action for _ in range(300)]
    assert all(WEB.contains(action) for action in drawn)
    assert {p.screen for a in drawn if a for p in a.points().values()} == {"now"}
    names = {action.name for action in drawn if action}
    assert names == set(WEB.names) - {"answer", "finish"}


def test_the_random_policy_repeats_itself_under_a_seed() -> None:
    def draw(seed: int) -> list[str]:
        conversation = RandomPolicy().start("anything", WEB, seed)
        return [str(conversation.decide(screen()).action) for _ in range(10)]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_the_random_policy_finishes_where_nothing_else_is_permitted() -> None:
    conversation = RandomPolicy().start("anything", ActionSpace([Finish]), seed=1)
    assert isinstance(conversation.decide(screen()).action, Finish)


def test_the_scripted_policy_parses_texts_like_answers_of_a_model() -> None:
    script: list[Action | str] = [
        'It is on the left.\n✿FUNCTION✿: click\n✿ARGS✿: {"point": [250, 1000]}',
        '✿FUNCTION✿: click\n✿ARGS✿: {"point": [1001, 5]}',
        "nothing to call",
        Reload(),
    ]
    conversation = ScriptedPolicy(script).start("anything", WEB)
    first, second, third, fourth = (conversation.decide(screen()) for _ in script)
    assert first.thought == "It is on the left."
    assert isinstance(first.action, Click)
    assert (first.action.point.x, first.action.point.y) == (0.25, 1.0)
    assert first.action.point.screen == "now"
    assert isinstance(second.error, OutOfRange)
    assert isinstance(third.error, Unparsable)
    assert fourth.action == Reload()
    assert fourth.raw_text == "✿FUNCTION✿: reload\n✿ARGS✿: {}"


class Seeing(Policy, Conversation):
    name = "model"

    def __init__(self) -> None:
        self.seen: list[Observation] = []
        self.tasks: list[str] = []

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        self.tasks.append(task)
        return self

    def decide(self, observation: Observation) -> Decision:
        self.seen.append(observation)
        return Decision(action=Wait(seconds=1))


def test_a_blind_policy_reads_the_task_and_sees_the_other_screen() -> None:
    inner = Seeing()
    policy = BlindPolicy(inner)
    with NumberLineEnvironment() as environment:
        policy.bind(environment, seed=4)
        other = environment.reset(seed=5)[0]
    decision = policy.start("the real task", WEB).decide(screen(1))
    assert decision.action == Wait(seconds=1)
    assert inner.tasks == ["the real task"]
    seen = inner.seen[0]
    assert np.array_equal(seen.pixels, other.pixels)
    assert (seen.geometry.screen, seen.geometry.width_px) == ("now", other.geometry.width_px)
    assert seen.text == other.text
    assert policy.describe() == {"name": "model-blind", "blind": True}


def test_a_blind_policy_without_a_screen_says_so() -> None:
    with pytest.raises(UsageError, match="call bind"):
        BlindPolicy(Seeing()).start("t", WEB)


def test_policies_are_chosen_by_name() -> None:
    assert policy_maker("random")("cards:number-line").name == "random"
    with pytest.raises(UsageError, match="no policy is called 'oracle'; there are model, random"):
        policy_maker("oracle")
