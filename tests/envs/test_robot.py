import gc
import os
from contextlib import closing

import numpy as np
import pytest

from eyehand.agent.cli.doctor.screens import check_mujoco
from eyehand.envs import make
from eyehand.envs.check import check_environment
from eyehand.envs.gym import display as gym_display
from eyehand.errors import MissingExtra, OutOfRange


def test_reaching_keeps_the_contract_and_shows_two_views() -> None:
    environment = make("robot:fetch-reach")
    assert environment.reset(seed=0)[0].pixels.shape == (280, 560, 3)
    assert os.environ[gym_display.VARIABLE] in gym_display.PLATFORMS
    check_environment(environment, seeds=(0,), max_steps=4)


def test_moves_are_in_centimetres_and_bounded() -> None:
    environment = make("robot:fetch-reach-one-camera")
    schema = environment.action_space.type_named("move").model_json_schema()
    assert "in cm" in schema["properties"]["forward"]["description"]
    with pytest.raises(OutOfRange):
        environment.action_space.build("move", {"forward": 6, "left": 0, "up": 0})
    environment.close()


def test_two_robots_in_one_process_each_see_their_own_scene() -> None:
    one, other = make("robot:fetch-reach-one-camera"), make("robot:fetch-reach-one-camera")
    alone = one.reset(seed=1)[0].pixels
    other.reset(seed=2)
    assert np.array_equal(one.reset(seed=1)[0].pixels, alone)
    assert not np.array_equal(other.reset(seed=2)[0].pixels, alone)
    one.close()
    other.close()


def test_a_robot_that_python_collects_later_leaves_the_next_ones_screen() -> None:
    gc.collect()
    gc.disable()
    try:
        old = [make("robot:fetch-reach-one-camera") for _ in range(2)]
        for robot in old:
            robot.reset(seed=0)
            robot.close()
        del robot
        with closing(make("robot:fetch-push")) as push:
            before = push.reset(seed=1)[0].pixels
            old.clear()
            gc.collect()
            assert np.array_equal(push.reset(seed=1)[0].pixels, before)
    finally:
        gc.enable()


@pytest.mark.parametrize("spec", ["robot:fetch-reach-one-camera", "gym:InvertedPendulum-v5"])
def test_closing_one_of_two_leaves_the_others_screen(spec: str) -> None:
    with closing(make("gym:Hopper-v5")) as hopper:
        before = hopper.reset(seed=1)[0].pixels
        with closing(make(spec)) as other:
            alone = other.reset(seed=1)[0].pixels
            assert np.array_equal(hopper.reset(seed=1)[0].pixels, before)
            assert np.array_equal(other.reset(seed=1)[0].pixels, alone)
        assert np.array_equal(hopper.reset(seed=1)[0].pixels, before)


def test_no_way_to_render_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(gym_display.VARIABLE, raising=False)
    monkeypatch.setattr(gym_display, "PLATFORMS", ("nothing",))
    with pytest.raises(MissingExtra, match="libosmesa6"):
        gym_display.prepare_display()


def test_a_platform_that_the_user_chose_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gym_display.VARIABLE, "glfw")
    assert gym_display.prepare_display() == "glfw"


def test_the_doctor_says_which_platform_renders() -> None:
    check = check_mujoco()
    assert check.fine
    assert "works" in check.found
