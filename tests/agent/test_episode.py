"""The loop, with scripted policies in real and in deliberately broken environments."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyehand.actions import Action, ActionSpace
from eyehand.actions.web import Answer, Click, Finish, Reload
from eyehand.agent.ending import Episode
from eyehand.agent.episode import run_episode
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.agent.trajectory.records import AnyRecord, OutcomeRecord, StepRecord
from eyehand.envs.cards.number_line import Minus, NumberLineEnvironment, Plus
from eyehand.envs.env import Environment, Observation, Pixels, ScreenGeometry, ScreenSpace, StepInfo
from eyehand.errors import (
    ActionHadNoEffect,
    BrowserCrashed,
    GuardRefusal,
    StartUnreachable,
    Unparsable,
    UsageError,
)

FROM_2_TO_4 = {"start": 2, "target": 4}


class Fixed(NumberLineEnvironment):
    """Number-line with its numbers set; the loop's own options do not name them."""

    def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, StepInfo]:
        return super().reset(seed=seed, options=FROM_2_TO_4)


class Page(Environment):
    """A screen without a task and a verdict, as the open web is; `fault` is raised by step."""

    spec_uri = "test:page"

    def __init__(self, fault: BaseException | None = None) -> None:
        self.action_space = ActionSpace([Click, Reload, Answer, Finish])
        self.observation_space = ScreenSpace()
        self.fault = fault
        self.performed: list[Action] = []

    def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, StepInfo]:
        return self.observe(), StepInfo()

    def step(  # type: ignore[override]
        self, action: Action
    ) -> tuple[Observation, float, bool, bool, StepInfo]:
        if self.fault is not None:
            raise self.fault
        self.performed.append(action)
        ended = isinstance(action, Answer | Finish)
        return self.observe(), 0.0, ended, False, StepInfo(effect=f"did {action.name}")

    def render(self) -> Pixels:
        return np.full((40, 60, 3), len(self.performed), np.uint8)

    def observe(self) -> Observation:
        return Observation(self.render(), ScreenGeometry("page", 60, 40, 60, 40), text="a page")


class Raising(Policy, Conversation):
    """Raises instead of deciding."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        return self

    def decide(self, observation: Observation) -> Decision:
        raise self.error


class Noting(Policy, Conversation):
    """Answers from a list of decisions and keeps what it saw."""

    def __init__(self, *decisions: Decision) -> None:
        self.decisions = iter(decisions)
        self.seen: list[Observation] = []
        self.bound: Environment | None = None
        self.tasks: list[str] = []

    def bind(self, environment: Environment, seed: int | None = None) -> None:
        self.bound = environment

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        self.tasks.append(task)
        return self

    def decide(self, observation: Observation) -> Decision:
        self.seen.append(observation)
        return next(self.decisions)


def run(script: list[Action | str], environment: Environment, **options: Any) -> Episode:
    options.setdefault("task", "Look at it")
    return run_episode(ScriptedPolicy(script), environment, **options)


def test_the_environments_verdict_makes_a_success() -> None:
    episode = run([Plus(), "✿FUNCTION✿: plus\n✿ARGS✿: {}"], Fixed(), task=None)
    assert episode.outcome is Outcome.SUCCEEDED
    assert episode.verdict is True
    assert len(episode.steps) == 2
    assert episode.reward == 1.0
    assert episode.task.startswith("Bring Current to Target")


def test_the_environments_verdict_makes_a_failure() -> None:
    episode = run([Minus(), Plus(), Plus(), Plus()], Fixed(), task=None)
    assert episode.outcome is Outcome.FAILED
    assert episode.verdict is False


def test_our_limit_of_steps_ends_an_episode() -> None:
    episode = run([Reload()] * 5, Page(), max_steps=3)
    assert (episode.outcome, len(episode.steps)) == (Outcome.STEP_LIMIT, 3)


def test_the_limit_of_seconds_ends_an_episode() -> None:
    episode = run([Reload()] * 5, Page(), time_limit_s=1e-9)
    assert (episode.outcome, len(episode.steps)) == (Outcome.TIME_LIMIT, 0)


def test_without_a_verdict_the_policys_word_is_a_claim() -> None:
    episode = run([Finish(status="success", message="there")], Page())
    assert (episode.outcome, episode.message) == (Outcome.CLAIMED, "there")
    assert run([Answer(text="42")], Page()).outcome is Outcome.CLAIMED


def test_a_policy_may_give_up() -> None:
    episode = run([Finish(status="failure", message="no way")], Page())
    assert (episode.outcome, episode.message) == (Outcome.GAVE_UP, "no way")


def test_an_answer_without_a_call_uses_a_step_and_touches_nothing() -> None:
    environment = Page()
    policy = Noting(
        Decision(error=Unparsable("write a call"), raw_text="hm"), Decision(action=Reload())
    )
    episode = run_episode(policy, environment, task="Look", max_steps=2)
    assert environment.performed == [Reload()]
    assert [observation.feedback for observation in policy.seen] == ["", "write a call"]
    assert episode.steps[0].error is not None
    assert episode.steps[0].error.type == "Unparsable"
    assert episode.steps[0].raw_text == "hm"


def test_a_refused_action_becomes_the_next_feedback() -> None:
    environment = Page(ActionHadNoEffect("nothing is there to click"))
    policy = Noting(Decision(action=Reload()), Decision(action=Reload()))
    episode = run_episode(policy, environment, task="Look", max_steps=2)
    assert policy.seen[1].feedback == "nothing is there to click"
    assert policy.seen[1].geometry == policy.seen[0].geometry
    assert policy.seen[1].text == "a page"
    assert episode.outcome is Outcome.STEP_LIMIT


def test_a_refused_finish_does_not_end_the_episode() -> None:
    environment = Page(ActionHadNoEffect("a dialog is open"))
    episode = run([Finish(status="success")], environment, max_steps=1)
    assert episode.outcome is Outcome.STEP_LIMIT


def test_further_calls_of_an_answer_are_reported_as_not_performed() -> None:
    policy = Noting(Decision(action=Reload(), not_performed=("back",)), Decision(action=Reload()))
    run_episode(policy, Page(), task="Look", max_steps=2)
    assert policy.seen[1].feedback == "only the first call was performed; not performed: back"


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (BrowserCrashed("the browser is gone"), Outcome.ENVIRONMENT_FAULT),
        (GuardRefusal("not on this page"), Outcome.REFUSED),
        (KeyboardInterrupt(), Outcome.STOPPED),
    ],
)
def test_what_stops_a_step_is_an_outcome_and_its_step_is_kept(
    tmp_path: Path, fault: BaseException, outcome: Outcome
) -> None:
    episode = run([Reload()], Page(fault), trajectory=tmp_path / "episode")
    assert episode.outcome is outcome
    kept = read_trajectory(tmp_path / "episode")
    assert kept.outcome is not None
    assert kept.outcome.outcome is outcome
    assert kept.steps[0].action is not None
    assert kept.steps[0].error is not None
    assert kept.steps[0].error.type == type(fault).__name__


def test_a_start_that_cannot_be_reached_is_recorded(tmp_path: Path) -> None:
    class Unreachable(Page):
        def reset(  # type: ignore[override]
            self, **_: Any
        ) -> tuple[Observation, StepInfo]:
            raise StartUnreachable("nobody answers")

    episode = run([Reload()], Unreachable(), trajectory=tmp_path / "episode", task="Go there")
    assert episode.outcome is Outcome.ENVIRONMENT_FAULT
    assert episode.message == "StartUnreachable: nobody answers"
    kept = read_trajectory(tmp_path / "episode")
    assert (kept.episode.task, kept.steps) == ("Go there", [])


def test_ctrl_c_while_deciding_keeps_the_trajectory(tmp_path: Path) -> None:
    episode = run_episode(
        Raising(KeyboardInterrupt()), Page(), task="Look", trajectory=tmp_path / "episode"
    )
    assert episode.outcome is Outcome.STOPPED
    kept = read_trajectory(tmp_path / "episode")
    assert kept.outcome is not None
    assert kept.outcome.outcome is Outcome.STOPPED
    assert kept.outcome.screen is not None


def test_a_bug_in_a_policy_is_not_an_outcome(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run_episode(Raising(ZeroDivisionError()), Page(), task="Look", trajectory=tmp_path / "e")
    assert read_trajectory(tmp_path / "e").outcome is None


def test_an_environments_own_task_goes_first_and_the_other_is_reported() -> None:
    policy = Noting(Decision(action=Plus()))
    episode = run_episode(policy, Fixed(), task="Do something else", max_steps=1)
    assert policy.tasks == [NumberLineEnvironment().instruction]
    assert episode.unused_task == "Do something else"


def test_without_any_task_it_says_so() -> None:
    with pytest.raises(UsageError, match="test:page sets no task by itself: give one"):
        run_episode(ScriptedPolicy([]), Page())


def test_privileged_policies_get_the_environment_after_its_reset() -> None:
    environment = Fixed()
    policy = Noting(Decision(action=Plus()))
    run_episode(policy, environment, max_steps=1)
    assert policy.bound is environment


@pytest.mark.parametrize("limits", [{"max_steps": 0}, {"time_limit_s": 0.0}])
def test_limits_that_permit_nothing_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="max_steps of at least 1 and a time limit above 0"):
        run([Reload()], Page(), **limits)


def test_whoever_watches_gets_every_record_as_it_is_made() -> None:
    records: list[AnyRecord] = []
    run([Reload(), Finish(status="success")], Page(), watch=records.append)
    assert [record.type for record in records] == ["episode", "step", "step", "outcome"]


def test_timings_and_effects_are_recorded() -> None:
    records: list[AnyRecord] = []
    run([Reload()], Page(), watch=records.append, max_steps=1)
    step = next(record for record in records if isinstance(record, StepRecord))
    assert set(step.timings_s) == {"record", "decide", "perform"}
    assert step.effect == "did reload"
    outcome = next(record for record in records if isinstance(record, OutcomeRecord))
    assert outcome.seconds > 0


def test_a_script_past_its_end_uses_up_the_steps() -> None:
    episode = run([Reload()], Page(), max_steps=3)
    errors = [step.error.message if step.error else "" for step in episode.steps]
    assert errors == ["", *itertools.repeat("the script has no further line", 2)]
