import numpy as np
import pytest

from eyehand.agent.episode import run_episode
from eyehand.agent.experts import expert_for
from eyehand.envs import make
from eyehand.envs.check import check_environment
from eyehand.envs.suites import suite_named

TASKS = [task.spec for task in suite_named("minigrid").tasks]


def test_there_are_at_least_ten() -> None:
    assert len(TASKS) >= 10


@pytest.mark.parametrize("spec", ["minigrid:empty-random-6x6", "minigrid:put-near"])
def test_they_keep_the_contract(spec: str) -> None:
    check_environment(make(spec), seeds=(0, 1), max_steps=6)


@pytest.mark.parametrize("spec", TASKS)
def test_the_expert_solves_it_within_its_limit(spec: str) -> None:
    environment, task = make(spec), next(t for t in suite_named("minigrid").tasks if t.spec == spec)
    episode = run_episode(expert_for(spec), environment, seed=3, max_steps=task.max_steps or 1)
    assert episode.verdict is True
    environment.close()


def test_the_mission_is_the_instruction_and_seeds_differ() -> None:
    environment = make("minigrid:go-to-door")
    first, _ = environment.reset(seed=1)
    assert environment.instruction is not None
    assert environment.instruction.startswith("go to the")
    assert not np.array_equal(first.pixels, environment.reset(seed=2)[0].pixels)
    assert environment.reset(seed=1)[0] == first


def test_only_the_calls_that_a_task_needs_are_on_offer() -> None:
    assert make("minigrid:empty-5x5").action_space.names == ("turn_left", "turn_right", "forward")
    assert "toggle" in make("minigrid:unlock").action_space.names


def test_an_option_of_the_environment_may_be_replaced() -> None:
    wide = make("minigrid:empty-5x5?tile_size=16").reset(seed=0)[0]
    assert wide.pixels.shape == (80, 80, 3)
