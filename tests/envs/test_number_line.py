import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st

from eyehand.actions.action import Action
from eyehand.envs.cards.draw import number_line
from eyehand.envs.cards.number_line import STEP_LIMIT, Minus, NumberLineEnvironment, Plus
from eyehand.envs.env import StepInfo
from eyehand.errors import UnknownAction, UsageError


def play(
    start: int, target: int, actions: list[Action]
) -> tuple[list[float], bool, bool, StepInfo]:
    environment = NumberLineEnvironment()
    environment.reset(options={"start": start, "target": target})
    rewards: list[float] = []
    for action in actions:
        _, reward, terminated, truncated, info = environment.step(action)
        rewards.append(reward)
    return rewards, terminated, truncated, info


def test_the_shortest_way_succeeds() -> None:
    rewards, terminated, truncated, info = play(1, 4, [Plus(), Plus(), Plus()])
    assert rewards == [0, 0, 1]
    assert (terminated, truncated, info["verdict"]) == (True, False, True)


def test_a_wrong_move_fails_although_the_target_is_reached() -> None:
    rewards, terminated, _, info = play(2, 3, [Minus(), Plus(), Plus()])
    assert rewards == [-1, 0, 1]
    assert (terminated, info["verdict"]) == (True, False)


def test_a_move_at_the_end_of_the_line_stays_and_is_punished() -> None:
    rewards, _, _, info = play(0, 2, [Minus()])
    assert rewards == [-1]
    assert info["effect"] == "moved from 0 to 0"
    assert info["verdict"] is None


def test_ten_steps_without_reaching_truncate() -> None:
    rewards, terminated, truncated, info = play(0, 5, [Minus()] * STEP_LIMIT)
    assert rewards == [-1] * STEP_LIMIT
    assert (terminated, truncated, info["verdict"]) == (False, True, False)


def test_reaching_at_the_tenth_step_terminates() -> None:
    moves: list[Action] = [Minus(), Plus()] * 4 + [Plus(), Plus()]
    _, terminated, truncated, _ = play(1, 3, moves)
    assert (terminated, truncated) == (True, False)


@given(st.integers(0, 2**31 - 1))
def test_seeds_draw_different_numbers_of_the_line(seed: int) -> None:
    environment = NumberLineEnvironment()
    environment.reset(seed=seed)
    assert 0 <= environment.current <= 5
    assert 0 <= environment.target <= 5
    assert environment.current != environment.target


def test_all_thirty_starts_are_drawn_about_equally_often() -> None:
    environment = NumberLineEnvironment()
    environment.reset(seed=0)
    counts = np.zeros((6, 6), int)
    for _ in range(3000):
        environment.reset()
        counts[environment.current, environment.target] += 1
    off_diagonal = counts[~np.eye(6, dtype=bool)]
    assert np.trace(counts) == 0
    assert off_diagonal.min() > 60
    assert off_diagonal.max() < 140


def test_every_state_has_a_picture_of_its_own() -> None:
    pictures = {number_line(c, t, 5).tobytes() for c in range(6) for t in range(6)}
    assert len(pictures) == 36


def test_the_picture_is_that_of_the_state_and_may_be_changed() -> None:
    environment = NumberLineEnvironment()
    observation, _ = environment.reset(options={"start": 1, "target": 4})
    observation.pixels[:] = 0
    assert np.array_equal(environment.render(), number_line(1, 4, 5))
    assert environment.render().shape == (300, 300, 3)


def test_the_picture_does_not_depend_on_the_working_directory(tmp_path: Path) -> None:
    code = (
        "from eyehand.envs.cards.draw import number_line as n; import zlib;"
        "print(zlib.crc32(n(1, 3, 5).tobytes()))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert int(ran.stdout) == zlib.crc32(number_line(1, 3, 5).tobytes())


def test_a_foreign_action_is_refused_and_costs_no_step() -> None:
    class Jump(Action):
        """Jump."""

    environment = NumberLineEnvironment()
    before, _ = environment.reset(options={"start": 1, "target": 4})
    with pytest.raises(UnknownAction, match="the permitted actions are: minus, plus"):
        environment.step(Jump())
    assert np.array_equal(environment.render(), before.pixels)


def test_stepping_without_an_episode_names_reset() -> None:
    environment = NumberLineEnvironment()
    with pytest.raises(UsageError, match="reset"):
        environment.step(Plus())
    environment.reset(options={"start": 1, "target": 2})
    environment.step(Plus())
    with pytest.raises(UsageError, match="reset"):
        environment.step(Plus())


@pytest.mark.parametrize("options", [{"start": 6}, {"target": -1}, {"start": "2"}])
def test_options_outside_the_line_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"0\.\.5"):
        NumberLineEnvironment().reset(options=options)


def test_equal_start_and_target_are_refused() -> None:
    with pytest.raises(UsageError, match="differ"):
        NumberLineEnvironment().reset(options={"start": 2, "target": 2})


def test_gymnasium_accepts_it() -> None:
    check_env(NumberLineEnvironment(), skip_render_check=True)
