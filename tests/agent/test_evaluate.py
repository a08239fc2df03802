"""Evaluation: seeds, retries after faults, what is counted where, what is kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyehand.actions import Action, ActionSpace
from eyehand.agent.evaluation.evaluate import run_evaluation
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.agent.policies.blind import BlindPolicy
from eyehand.agent.policies.random import RandomPolicy
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.envs.cards.number_line import NumberLineEnvironment, Plus
from eyehand.envs.env import Environment, Observation, StepInfo
from eyehand.envs.suites import suite_specs
from eyehand.errors import BrowserCrashed, RecordingFailed, UsageError

LINE = "cards:number-line"


class Knowing(Policy, Conversation):
    """Reads the numbers from the environment: the expert, in five lines."""

    name = "knowing"

    def bind(self, environment: Environment, seed: int | None = None) -> None:
        assert isinstance(environment, NumberLineEnvironment)
        self.environment = environment

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        self.space = action_space
        return self

    def decide(self, observation: Observation) -> Decision:
        up = self.environment.current < self.environment.target
        return Decision(action=self.space.build("plus" if up else "minus", {}))


class Crashing(NumberLineEnvironment):
    """Crashes at the first steps of the seeds in `crashes`, as often as they say."""

    def __init__(self, crashes: dict[int, int], made: list["Crashing"]) -> None:
        super().__init__()
        self.crashes = crashes
        self.seeds: list[int | None] = []
        self.closed = False
        made.append(self)

    def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, StepInfo]:
        self.seeds.append(seed)
        return super().reset(seed=seed, options=options)

    def step(  # type: ignore[override]
        self, action: Action
    ) -> tuple[Observation, float, bool, bool, StepInfo]:
        seed = self.seeds[-1]
        if seed is not None and self.crashes.get(seed, 0) > 0:
            self.crashes[seed] -= 1
            raise BrowserCrashed("gone")
        return super().step(action)

    def close(self) -> None:
        self.closed = True


def crashing(crashes: dict[int, int]) -> tuple[Callable[[str], Environment], list[Crashing]]:
    made: list[Crashing] = []
    return lambda spec: Crashing(crashes, made), made


def line(spec: str) -> Environment:
    return NumberLineEnvironment()


def test_seeds_are_fixed_by_the_episodes_index_for_every_task() -> None:
    make, made = crashing({})
    plan = Plan("two", [LINE, "again"], episodes=3, first_seed=500)
    run_evaluation(plan, make, lambda spec: RandomPolicy())
    assert [environment.seeds for environment in made] == [[500, 501, 502], [500, 501, 502]]
    assert all(environment.closed for environment in made)


def test_an_expert_succeeds_and_its_interval_is_wilsons() -> None:
    plan = Plan("number-line", [LINE], episodes=10)
    report = run_evaluation(plan, line, lambda spec: Knowing()).to_json()
    assert report["suite"] == "number-line"
    assert report["policy"] == "knowing"
    assert report["success_rate"] == 1.0
    row = report["tasks"][0]
    assert (row["task"], row["episodes"], row["successes"]) == (LINE, 10, 10)
    assert row["success_rate"] == 1.0
    assert row["interval"] == [0.7225, 1.0]
    assert row["environment_faults"] == 0
    json.dumps(report)


def test_a_fault_is_retried_with_the_same_seed_in_a_fresh_environment() -> None:
    make, made = crashing({1: 2})
    result = run_evaluation(Plan("s", [LINE], 3, 0), make, lambda spec: Knowing()).tasks[0]
    assert [environment.seeds for environment in made] == [[0, 1], [1], [1, 2]]
    assert (result.faults, result.lost) == (2, 0)
    assert (result.rate.successes, result.rate.trials) == (3, 3)


def test_an_episode_that_only_meets_faults_is_lost_and_never_a_failure() -> None:
    make, _ = crashing({1: 99})
    result = run_evaluation(Plan("s", [LINE], 3, 0), make, lambda spec: Knowing()).tasks[0]
    assert (result.faults, result.lost) == (3, 1)
    assert (result.rate.successes, result.rate.trials) == (2, 2)


def test_a_fault_while_the_environment_is_made_is_retried_too() -> None:
    tries: list[str] = []

    def make(spec: str) -> Environment:
        tries.append(spec)
        if len(tries) < 3:
            raise BrowserCrashed("no browser yet")
        return NumberLineEnvironment()

    result = run_evaluation(Plan("s", [LINE], 1, 0), make, lambda spec: Knowing()).tasks[0]
    assert (result.faults, result.lost, result.rate.trials) == (2, 0, 1)


def test_wrong_answers_are_never_retried() -> None:
    make, made = crashing({})
    script = ["no call", "✿FUNCTION✿: jump\n✿ARGS✿: {}", '✿FUNCTION✿: plus\n✿ARGS✿: {"by": 1}']
    plan = Plan("s", [LINE], 2, 0, max_steps=3)
    result = run_evaluation(plan, make, lambda spec: ScriptedPolicy(script)).tasks[0]
    assert made[0].seeds == [0, 1]
    row = result.to_json()
    assert row["outcomes"] == {"step_limit": 2}
    assert row["answer_errors"] == {"unparsable": 2, "unknown": 2, "illegal": 2}


def test_both_success_rules_are_reported_where_the_raw_reward_is_known() -> None:
    class Rewarding(NumberLineEnvironment):
        def step(  # type: ignore[override]
            self, action: Action
        ) -> tuple[Observation, float, bool, bool, StepInfo]:
            observation, reward, _, _, _ = super().step(action)
            raw = {0: 1.0, 1: 0.4, 2: -1.0}[self.seed]
            info = StepInfo(verdict=raw == 1.0, details={"raw_reward": raw})
            return observation, reward, True, False, info

        def reset(  # type: ignore[override]
            self, **options: Any
        ) -> tuple[Observation, StepInfo]:
            self.seed = options["seed"]
            return super().reset(seed=self.seed)

    policy = ScriptedPolicy([Plus()])
    evaluation = run_evaluation(Plan("s", [LINE], 3, 0), lambda s: Rewarding(), lambda s: policy)
    row = evaluation.tasks[0].to_json()
    assert row["successes"] == 1
    assert row["success_rules"] == {"raw_reward == 1": 1, "raw_reward > 0": 2}


def test_the_blind_control_sees_the_neighbouring_seeds_screen() -> None:
    seen: list[Observation] = []

    class Seeing(Knowing):
        def decide(self, observation: Observation) -> Decision:
            seen.append(observation)
            return Decision(action=Plus())

    plan = Plan("s", [LINE], 2, 10, max_steps=1)
    evaluation = run_evaluation(plan, line, lambda spec: BlindPolicy(Seeing()))
    shown = [NumberLineEnvironment().reset(seed=seed)[0].pixels for seed in (11, 10)]
    assert [np.array_equal(a.pixels, b) for a, b in zip(seen, shown, strict=True)] == [True, True]
    assert evaluation.to_json()["policy"] == "knowing-blind"


@pytest.mark.parametrize(("keep", "kept"), [("all", 4), ("failures", 2), ("none", 0)])
def test_trajectories_are_kept_as_asked(tmp_path: Path, keep: Any, kept: int) -> None:
    class Half(Knowing):
        def decide(self, observation: Observation) -> Decision:
            decision = super().decide(observation)
            return decision if self.even else Decision()

        def start(
            self, task: str, action_space: ActionSpace, seed: int | None = None
        ) -> Conversation:
            self.even = not (seed or 0) % 2
            return super().start(task, action_space, seed)

    plan = Plan("s", [LINE], 4, 0, max_steps=6, out=tmp_path / "e", keep=keep)
    evaluation = run_evaluation(plan, line, lambda spec: Half())
    assert evaluation.tasks[0].rate.successes == 2
    folders = sorted(path.parent for path in (tmp_path / "e").glob("*/*/episode.jsonl"))
    assert len(folders) == kept
    for folder in folders:
        assert read_trajectory(folder).outcome is not None
    saved = json.loads((tmp_path / "e" / "evaluation.json").read_text())
    assert saved == evaluation.to_json()


def test_an_evaluation_is_never_overwritten(tmp_path: Path) -> None:
    plan = Plan("s", [LINE], 1, 0, out=tmp_path / "e")
    run_evaluation(plan, line, lambda spec: Knowing())
    with pytest.raises(UsageError, match="already holds an evaluation"):
        run_evaluation(plan, line, lambda spec: Knowing())


def test_ctrl_c_ends_it_with_the_counts_so_far(tmp_path: Path) -> None:
    class Stopped(Knowing):
        def start(
            self, task: str, action_space: ActionSpace, seed: int | None = None
        ) -> Conversation:
            if seed == 2:
                raise KeyboardInterrupt
            return super().start(task, action_space, seed)

    make, made = crashing({})
    plan = Plan("s", [LINE], 5, 0, out=tmp_path / "e")
    evaluation = run_evaluation(plan, make, lambda spec: Stopped())
    assert not evaluation.finished
    assert evaluation.tasks[0].rate.trials == 2
    assert made[0].closed
    assert json.loads((tmp_path / "e" / "evaluation.json").read_text())["finished"] is False


def test_a_full_disk_ends_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Any, record: Any) -> None:
        raise RecordingFailed("the disk is full")

    monkeypatch.setattr("eyehand.agent.trajectory.writer.TrajectoryWriter.write", full)
    make, made = crashing({})
    with pytest.raises(RecordingFailed, match="the disk is full"):
        run_evaluation(Plan("s", [LINE], 5, 0, out=tmp_path), make, lambda spec: Knowing())
    assert made[0].seeds == [0]


def test_plans_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1 episode"):
        Plan("s", [LINE], episodes=0)
    with pytest.raises(UsageError, match="first seed of at least 0"):
        Plan("s", [LINE], first_seed=-1)


def test_suites_are_names_specs_and_lists_of_both() -> None:
    assert suite_specs("number-line") == [LINE]
    assert suite_specs("miniwob:click-tab, number-line,miniwob:click-tab") == [
        "miniwob:click-tab",
        LINE,
    ]
    assert len(suite_specs("miniwob")) == 125
    assert LINE in suite_specs("cards")


def test_an_unknown_suite_names_the_closest_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'miniwob'"):
        suite_specs("miniwobs")
    with pytest.raises(UsageError, match="no suite is named"):
        suite_specs(" , ")


def test_without_a_limit_each_task_has_its_own() -> None:
    plan = Plan("s", ["cards:number-line", "minigrid:four-rooms", "web:https://example.org"])
    own = [plan.steps_of(spec) for spec in plan.specs]
    assert own[0] == 10
    assert own[1] is not None
    assert own[1] > 30
    assert own[2] is None  # the environment's own, else 30
    assert Plan("s", [LINE], max_steps=4).steps_of(LINE) == 4
