"""`step` is one template: custom actions, refusals and the model's last word in every environment.

Web pages, phones and the desktop run the same checks in their own folders.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tests.envs.step_contract import TakeNote, check_step, extend

from eyehand.actions import Action, ActionSpace, Point
from eyehand.actions.web import Answer, Finish
from eyehand.agent.episode import run_episode
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.envs import make
from eyehand.envs.cards.number_line import Minus, NumberLineEnvironment, Plus
from eyehand.envs.check import check_environment
from eyehand.envs.env import (
    Environment,
    Observation,
    Pixels,
    ScreenGeometry,
    ScreenSpace,
    StepResult,
)
from eyehand.envs.miniwob.environment import MiniWobEnvironment
from eyehand.errors import OutOfRange, StaleScreen

pytestmark = pytest.mark.usefixtures("browser_ends")

SPECS = [
    "cards:number-line",
    "cards:blackjack",
    "cards:ez-points",
    "gym:CartPole-v1",
    "gym:CartPole-v1?video_frames=3",
    "minigrid:door-key-5x5",
    "miniwob:click-button",
]


@pytest.mark.parametrize("spec", SPECS)
def test_a_step_goes_the_same_way(spec: str) -> None:
    environment = make(spec)
    try:
        check_step(environment)
    finally:
        environment.close()


class Touch(Action):
    """Touch a point."""

    point: Point


class Dots(Environment):
    """Somebody's own environment: a touch leaves a dot, the third one ends the episode."""

    seeded = True

    def __init__(self) -> None:
        self.action_space = ActionSpace([Touch])
        self.observation_space = ScreenSpace()
        self.touches = 0

    def _begin(self, seed: int | None, options: dict[str, Any]) -> StepResult:
        self.touches = 0
        self.pixels = self.np_random.integers(0, 256, (56, 56, 3), np.uint8)
        return self.look("began")

    def _perform(self, action: Action) -> StepResult:
        assert isinstance(action, Touch)
        x, y = self.look("").observation.geometry.to_device(action.point)
        self.pixels[int(y), int(x)] = 255
        self.touches += 1
        result = self.look("touched")
        result.terminated = self.touches == 3
        result.verdict = True if result.terminated else None
        return result

    def render(self) -> Pixels:
        return self.pixels.copy()

    def look(self, effect: str) -> StepResult:
        geometry = ScreenGeometry("dots", 56, 56, 56, 56)
        return StepResult(Observation(self.pixels.copy(), geometry), effect)


def test_an_environment_of_two_methods_keeps_the_contract() -> None:
    report = check_environment(Dots(), seeds=(1, 2))
    assert report.skipped == []
    assert report.steps == 6


def test_points_are_checked_before_an_environment_of_ones_own_sees_them() -> None:
    environment = Dots()
    environment.reset(seed=1)
    with pytest.raises(StaleScreen):
        environment.step(Touch(point=Point(x=0.5, y=0.5, screen="another")))
    outside = Touch.model_construct(point=Point.model_construct(x=2.0, y=0.5, screen=None))
    with pytest.raises(OutOfRange):
        environment.step(outside)
    assert environment.touches == 0


def plus_twice(action: Action, environment: Environment) -> str:
    environment.step(Plus())
    environment.step(Plus())
    return "added 2"


class PlusTwo(Action):
    """Add 2."""


@pytest.fixture
def line() -> Iterator[NumberLineEnvironment]:
    environment = NumberLineEnvironment()
    environment.action_space = environment.action_space.extended(PlusTwo, plus_twice)
    yield environment
    environment.close()


def test_a_handlers_own_steps_are_the_steps_of_its_action(line: NumberLineEnvironment) -> None:
    line.reset(options={"start": 1, "target": 5})
    observation, reward, terminated, _, info = line.step(PlusTwo())
    assert (line.current, reward, terminated) == (3, 0.0, False)
    assert info["effect"] == observation.feedback == "added 2"
    _, reward, terminated, _, info = line.step(PlusTwo())
    assert (line.current, reward, terminated, info["verdict"]) == (5, 1.0, True, True)
    assert not line.running


def test_a_handlers_own_steps_may_be_refused(line: NumberLineEnvironment) -> None:
    line.action_space = ActionSpace([PlusTwo], {PlusTwo: plus_twice})
    episode = run_episode(ScriptedPolicy([PlusTwo()]), line, seed=1, max_steps=1)
    error = episode.steps[0].error
    assert error is not None
    assert "permitted actions are: plus_two" in error.message


def test_a_handler_that_is_refused_half_way_has_done_the_first_half(
    line: NumberLineEnvironment,
) -> None:
    def plus_and_minus(action: Action, environment: Environment) -> None:
        environment.step(Plus())
        environment.step(Minus())

    line.action_space = ActionSpace([Plus, PlusTwo], {PlusTwo: plus_and_minus})
    line.reset(options={"start": 1, "target": 5})
    observation, reward, terminated, _, info = line.step(PlusTwo())
    assert (line.current, reward, terminated) == (2, 0.0, False)
    assert "'minus' is not an action here" in observation.feedback
    assert info["details"]["error"] == "ActionHadNoEffect"


def test_a_handler_that_fails_leaves_the_next_step_whole(line: NumberLineEnvironment) -> None:
    def fail(action: Action, environment: Environment) -> str:
        raise ZeroDivisionError("the user's own mistake")

    line.action_space = line.action_space.extended(TakeNote, fail)
    line.reset(options={"start": 1, "target": 2})
    with pytest.raises(ZeroDivisionError):
        line.step(TakeNote(text="x"))
    assert line.step(Plus())[1:3] == (1.0, True)


def test_the_last_word_is_judged_by_the_game(line: NumberLineEnvironment) -> None:
    extend(line)
    line.reset(options={"start": 1, "target": 5})
    _, reward, terminated, truncated, info = line.step(Finish(status="success"))
    assert (reward, terminated, truncated, info["verdict"]) == (0.0, True, False, False)
    episode = run_episode(ScriptedPolicy([Answer(text="five")]), line, seed=1)
    assert episode.outcome is Outcome.FAILED


def test_a_handler_of_the_last_word_is_called_and_the_episode_ends() -> None:
    environment, given = NumberLineEnvironment(), []

    def post(action: Answer, environment: Environment) -> str:
        given.append(action.text)
        return f"posted {action.text}"

    environment.action_space = environment.action_space.extended(Answer, post)
    environment.reset(seed=1)
    _, _, terminated, _, info = environment.step(Answer(text="4"))
    assert (terminated, given, info["effect"]) == (True, ["4"], "posted 4")


def test_what_a_handler_does_to_a_page_of_miniwob_is_judged() -> None:
    def solve(action: PlusTwo, environment: MiniWobEnvironment) -> None:
        script = "() => document.querySelector('#subbtn').click()"
        environment.page_call(lambda page: page.evaluate(script))

    environment = MiniWobEnvironment("click-test")
    environment.action_space = environment.action_space.extended(PlusTwo, solve)
    try:
        episode = run_episode(ScriptedPolicy([PlusTwo()]), environment, seed=1)
    finally:
        environment.close()
    assert episode.outcome is Outcome.SUCCEEDED
    assert episode.reward == 1.0
