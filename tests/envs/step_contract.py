"""What `step` does in every environment alike, run on the real thing by the tests of each."""

from typing import Any

import pytest

from eyehand.actions import Action, Point
from eyehand.actions.web import Answer, Finish
from eyehand.agent.episode import run_episode
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.envs.env import Environment
from eyehand.errors import OutOfRange, StaleScreen, UnknownAction, UsageError


class TakeNote(Action):
    """Write down something to remember."""

    text: str


class PointOut(Action):
    """Point something out to the user."""

    point: Point


class Unhandled(Action):
    """An action that somebody forgot to give a handler."""


class Foreign(Action):
    """An action that is not permitted."""


class Impostor(Action):
    """Another action of the same name."""

    name = "take_note"


Called = list[tuple[Action, Environment]]


def extend(environment: Environment) -> Called:
    """Permit the actions above and the model's last words; return what the handlers get."""
    called: Called = []

    def take_note(action: TakeNote, given: Environment) -> str:
        called.append((action, given))
        return f"noted {action.text}"

    def point_out(action: PointOut, given: Environment) -> None:
        called.append((action, given))

    space = environment.action_space
    space = space.extended(TakeNote, take_note).extended(PointOut, point_out).extended(Unhandled)
    for word in (Answer, Finish):
        if word.name not in space.names:
            space = space.extended(word)
    environment.action_space = space
    return called


def check_step(environment: Environment, seed: int = 3) -> None:
    """Check the template of `step`, which ends the environment's episode."""
    called = extend(environment)
    with pytest.raises(UsageError, match="no episode is running: call reset first"):
        environment.step(TakeNote(text="too early"))
    first, _ = environment.reset(seed=seed)
    assert environment.running
    _refuses(environment)
    assert called == []
    _performs(environment, called)
    environment.step(Finish(status="success"))
    assert not environment.running
    for action in (TakeNote(text="too late"), Finish(status="success")):
        with pytest.raises(UsageError, match="the episode has ended: call reset first"):
            environment.step(action)
    assert environment.render().shape == first.pixels.shape
    _runs_in_the_loop(environment, seed)


def _refuses(environment: Environment) -> None:
    stale = Point(x=0.5, y=0.5, screen="no such screen")
    outside = Point.model_construct(x=1.5, y=0.5, screen=None)
    refused: list[tuple[Any, type[Exception], str]] = [
        (Foreign(), UnknownAction, "permitted actions are"),
        (PointOut(point=stale), StaleScreen, "no such screen"),
        (PointOut.model_construct(point=outside), OutOfRange, "point"),
        (Impostor(), UsageError, "another action than"),
        ("take_note", UsageError, r"TakeNote\(text=\.\.\.\)"),
        (TakeNote, UsageError, r"TakeNote\(text=\.\.\.\)"),
        (Unhandled(), UsageError, "unhandled has no handler: register one"),
    ]
    for action, kind, told in refused:
        with pytest.raises(kind, match=told):
            environment.step(action)
    assert environment.running


def _performs(environment: Environment, called: Called) -> None:
    action = TakeNote(text="gate 12")
    observation, reward, terminated, truncated, info = environment.step(action)
    assert called == [(action, environment)]
    assert (terminated, truncated) == (False, False)
    assert isinstance(reward, float)
    assert "noted gate 12" in info["effect"]
    assert "noted gate 12" in observation.feedback  # the model reads it
    assert observation in environment.observation_space
    place = Point(x=0.5, y=0.5, screen=observation.geometry.screen)
    observation, *_, info = environment.step(PointOut(point=place))
    assert called[-1] == (PointOut(point=place), environment)
    assert "point_out" in info["effect"]


def _runs_in_the_loop(environment: Environment, seed: int) -> None:
    written = '✿FUNCTION✿: take_note\n✿ARGS✿: {"text": "gate 7"}'
    policy = ScriptedPolicy([written, Answer(text="gate 7")])
    episode = run_episode(policy, environment, task="Take a note.", seed=seed, max_steps=4)
    assert [step.error for step in episode.steps] == [None, None]
    assert "noted gate 7" in episode.steps[0].effect
    assert episode.outcome in (Outcome.CLAIMED, Outcome.FAILED)
    assert episode.message == "gate 7"
