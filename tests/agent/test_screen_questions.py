"""What is asked about cards, grids, a robot's cameras and a phone is what these show."""

import re
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from eyehand.actions import Action, ActionSpace, Point
from eyehand.actions.android import Tap
from eyehand.agent.experts.robot.view import seen_at
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.agent.training.collect import Collector
from eyehand.agent.training.texts.questions import questions
from eyehand.envs import make
from eyehand.envs.env import Environment, Observation
from eyehand.envs.gym.cameras import Camera
from eyehand.model.training.documents import Document


def asked(environment: Environment, observation: Observation) -> dict[str, str]:
    return dict(questions(environment, observation))


def pixel(observation: Observation, place: str) -> tuple[int, ...]:
    """Return the colour at a place such as "[300, 500]"."""
    x, y = map(int, re.findall(r"\d+", place))
    height, width = observation.pixels.shape[:2]
    return tuple(map(int, observation.pixels[y * height // 1000, x * width // 1000]))


def test_a_formula_and_its_cards_are_asked_for() -> None:
    with make("cards:ez-points") as environment:
        observation, _ = environment.reset(seed=1, options={"cards": [12, 2]})
        at_first = asked(environment, observation)
        assert at_first["Which cards are there?"] == "Q, 2"
        assert at_first["What do they count?"] == "10, 2"
        assert at_first["What is the formula?"] == "nothing"
        for token in ("2", "+"):
            move = environment.action_space.build("write", {"token": token})
            observation, *_ = environment.step(move)
        later = asked(environment, observation)
        assert later["What is the formula?"] == "2 +"
        assert later["Which numbers are not used yet?"] == "10"


def test_the_hands_of_blackjack_are_asked_for() -> None:
    with make("cards:blackjack") as environment:
        observation, _ = environment.reset(seed=1, options={"player": [1, 6], "dealer": [11]})
        assert asked(environment, observation) == {
            "Which cards are mine?": "A, 6",
            "How many points are mine?": "soft 17",
            "What does the dealer show?": "J",
        }
        observation, _ = environment.reset(seed=1, options={"player": [9, 6], "dealer": [2]})
        assert asked(environment, observation)["How many points are mine?"] == "15"


def test_things_of_a_grid_are_where_they_are_said_to_be() -> None:
    with make("minigrid:door-key-5x5") as environment:
        for seed in range(8):
            observation, _ = environment.reset(seed=seed)
            found = asked(environment, observation)
            assert pixel(observation, found["Where is the goal?"]) == (0, 255, 0)
            assert pixel(observation, found["Where is the agent?"]) == (255, 0, 0)
            assert "Where is the locked yellow door?" in found
            assert "Where is the yellow key?" in found


def test_what_a_grid_s_agent_has_before_it_changes_as_it_turns() -> None:
    with make("minigrid:door-key-5x5") as environment:
        observation, _ = environment.reset(seed=1)
        ways, before = [], []
        for _ in range(4):
            found = asked(environment, observation)
            ways.append(found["Which way does the agent look?"])
            before.append(found["What is before the agent?"])
            observation, *_ = environment.step(environment.action_space.build("turn_right", {}))
        first = ways[0]
        order = ["right", "down", "left", "up"]
        assert ways == [order[(order.index(first) + turns) % 4] for turns in range(4)]
        assert "yellow key" in before
        assert len(set(before)) > 1


@pytest.mark.parametrize("task", ["fetch-reach", "fetch-reach-one-camera"])
def test_a_robot_s_goal_is_red_where_it_is_said_to_be(task: str) -> None:
    pytest.importorskip("gymnasium_robotics")
    views, red = 0, 0
    with make(f"robot:{task}") as environment:
        for seed in range(6):
            observation, _ = environment.reset(seed=seed)
            for what, place in asked(environment, observation).items():
                if "red ball" in what:
                    views += 1
                    colour = pixel(observation, place)
                    red += colour[0] > 150 and max(colour[1:]) < 90
    assert views == (12 if task == "fetch-reach" else 6)
    assert red >= 0.7 * views  # the arm hides it now and then


def test_a_camera_does_not_show_what_lies_behind_it_or_beside_its_picture() -> None:
    camera = Camera(lookat=(0.0, 0.0, 0.0), distance=1.0, azimuth=0.0, elevation=0.0)
    middle = seen_at(camera, np.zeros(3), (200, 100), 45.0)
    assert middle is not None
    assert np.allclose(middle, (100.0, 50.0))
    assert seen_at(camera, np.array([-2.0, 0.0, 0.0]), (200, 100), 45.0) is None
    assert seen_at(camera, np.array([0.0, 5.0, 0.0]), (200, 100), 45.0) is None
    to_the_left = seen_at(camera, np.array([0.0, 0.1, 0.0]), (200, 100), 45.0)
    assert to_the_left is not None
    assert to_the_left[0] < 100
    assert seen_at(Camera(name="external"), np.zeros(3), (200, 100), 45.0) is None


def test_texts_of_a_phone_stand_where_they_are_said_to_stand() -> None:
    with make("phone:wifi") as environment:
        observation, _ = environment.reset(seed=1)
        place = asked(environment, observation)['Where is "Settings"?']
        assert asked(environment, observation)[f"What stands at {place}?"] == "Settings"
        x, y = (int(number) / 1000 for number in re.findall(r"\d+", place))
        tap = Tap(point=Point(x=x, y=y, screen=observation.geometry.screen))
        observation, *_ = environment.step(tap)
        assert 'Where is "Bluetooth"?' in asked(environment, observation)


class Turning(Policy):
    """A student that turns around and around."""

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        return TurningConversation(action_space.build("turn_left", {}))


class TurningConversation(Conversation):
    def __init__(self, action: Action) -> None:
        self._action = action

    def decide(self, observation: Observation) -> Decision:
        return Decision(action=self._action)


def told(stream: Iterator[Document], count: int) -> list[tuple[bytes, str]]:
    """Return pictures and what the expert does there."""
    with_screens = (d for d in stream if not d.source.startswith("text:"))
    return [
        (d.images[0].tobytes(), "".join(part.text for part in d.branches[0] if part.learned))
        for d in islice(with_screens, count)
    ]


def test_a_student_that_strays_in_a_grid_is_told_the_way_from_where_it_is() -> None:
    stream = Collector(["minigrid:empty-5x5"], student=Turning()).documents()
    steps = told(stream, 24)
    stream.close()
    assert len({picture for picture, _ in steps}) == 4  # turned about, at one place
    assert len(set(steps)) == 4  # and told the same wherever it looks the same way
    assert len({answer for _, answer in steps}) > 1


def test_now_and_then_an_expert_s_own_episode_goes_another_way() -> None:
    stream = Collector(["minigrid:empty-8x8"]).documents()
    calls = [answer for _, answer in told(stream, 150)]
    stream.close()
    # The shortest way from the corner where it starts has no turn to the left.
    assert any("turn_left" in call for call in calls)
