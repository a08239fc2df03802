"""The experts of the Fetch tasks, on the environment that the agent gets, by its own calls."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from eyehand.actions import Action
from eyehand.agent.episode import run_episode
from eyehand.agent.experts import expert_for
from eyehand.agent.experts.robot.control import on_grid
from eyehand.agent.experts.robot.expert import begin
from eyehand.agent.experts.robot.planning import Simulation
from eyehand.agent.experts.robot.slide import best_trial
from eyehand.envs.suite_file.make import DeclaredEnvironment, make_built_in

HELD_OUT = 1_000_000
FIELDS = ("forward", "left", "up")
FAR_SIDE_SEEDS = (HELD_OUT + 10, HELD_OUT + 13)
"""Here the goal of FetchPush is nearer to the robot than the block: it is pushed from beyond."""


@contextmanager
def robot(task: str) -> Iterator[DeclaredEnvironment]:
    with closing(make_built_in("robot", task)) as environment:
        yield environment


def state(world: Any) -> NDArray[np.float64]:
    """Return all that decides how MuJoCo goes on."""
    mujoco = import_module("mujoco")
    kind = mujoco.mjtState.mjSTATE_INTEGRATION
    numbers = np.empty(mujoco.mj_stateSize(world.model, kind))
    mujoco.mj_getState(world.model, world.data, numbers, kind)
    return numbers


def own(call: Action) -> NDArray[np.float64]:
    """Return a call in the environment's own numbers, for the arm alone."""
    written = call.model_dump()
    return np.array([*(written[name] / 5.0 for name in FIELDS), 0.0])


def played(task: str, seed: int, calls: list[Action] | None = None) -> tuple[list[Action], Any]:
    """Play an episode by the expert, or by given calls; return the calls and the last state."""
    with robot(task) as environment:
        environment.reset(seed=seed)
        world: Any = environment.inner.unwrapped
        again = (environment.action_space.build(c.name, c.model_dump()) for c in calls or ())
        decide = begin(environment)
        made: list[Action] = []
        ended = False
        while not ended:
            action = decide().action if calls is None else next(again)
            assert action is not None
            made.append(action)
            *_, terminated, truncated, _ = environment.step(action)
            ended = terminated or truncated
        return made, state(world)


@pytest.fixture(scope="module")
def slide() -> tuple[list[Action], Any]:
    """An episode of sliding: its calls and the last state; the strike takes long to plan."""
    return played("fetch-slide", HELD_OUT)


@pytest.mark.parametrize(
    ("task", "seeds"),
    [
        ("fetch-reach", range(HELD_OUT, HELD_OUT + 2)),
        ("fetch-push", (HELD_OUT, *FAR_SIDE_SEEDS)),
        ("fetch-slide", (HELD_OUT + 2, HELD_OUT + 3, HELD_OUT + 6)),
        ("fetch-pick-and-place", range(HELD_OUT, HELD_OUT + 2)),
    ],
)
def test_the_expert_solves_it(task: str, seeds: range | tuple[int, ...]) -> None:
    with robot(task) as environment:
        for seed in seeds:
            episode = run_episode(expert_for(f"robot:{task}"), environment, seed=seed, max_steps=50)
            assert episode.verdict is True, seed
            assert len(episode.steps) < 50  # it ends at the goal


def test_planning_leaves_the_episode_as_it_is() -> None:
    with robot("fetch-slide") as environment:
        world: Any = environment.inner.unwrapped
        environment.reset(seed=HELD_OUT)
        before, data, random = state(world), world.data, world.np_random.bit_generator.state
        best_trial(world)
        assert np.array_equal(state(world), before)
        assert world.data is data
        assert world.np_random.bit_generator.state == random


def test_an_episode_with_planning_is_the_same_as_its_calls_alone(
    slide: tuple[list[Action], Any],
) -> None:
    calls, end = slide
    replayed, same_end = played("fetch-slide", HELD_OUT, calls)
    assert [call.model_dump() for call in replayed] == [call.model_dump() for call in calls]
    assert np.array_equal(end, same_end)


def test_the_same_seed_gets_the_same_strike_and_the_puck_stops_at_the_goal() -> None:
    trials = []
    for _ in range(2):
        with robot("fetch-slide") as environment:
            environment.reset(seed=HELD_OUT)
            trials.append(best_trial(environment.inner.unwrapped))
    assert trials[0].strike == trials[1].strike
    assert np.array_equal(trials[0].went, trials[1].went)
    assert trials[0].reached
    assert trials[0].missed_m < 0.03


def test_a_simulation_says_to_the_last_bit_what_the_episode_does(
    slide: tuple[list[Action], Any],
) -> None:
    calls, end = slide
    with robot("fetch-slide") as environment:
        environment.reset(seed=HELD_OUT)
        simulation = Simulation(environment.inner.unwrapped)
        start = simulation.save()
        for _ in range(2):
            reached = [simulation.step(own(call)) for call in calls]
            assert reached == [False] * (len(calls) - 1) + [True]
            assert np.array_equal(state(simulation.world), end)
            simulation.restore(start)


def test_moves_are_whole_millimetres_within_bounds() -> None:
    assert on_grid(np.array([0.333, -2.0, 0.0099, 1.0])) == pytest.approx([0.34, -1.0, 0.0, 1.0])
    calls, _ = played("fetch-reach", HELD_OUT)
    written = [call.model_dump(include=set(FIELDS)) for call in calls]
    assert all(round(n, 1) == n and abs(n) <= 5 for move in written for n in move.values())
