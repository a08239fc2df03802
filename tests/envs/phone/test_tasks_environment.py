"""Tasks on the simulated phone, driven through a real adb server."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from tests.envs.step_contract import check_step

from eyehand.actions import Action
from eyehand.actions.android import Answer, Finish, OpenApp, Tap
from eyehand.envs import make
from eyehand.envs.check import check_environment
from eyehand.envs.env import Observation
from eyehand.envs.phone.environment import PhoneEnvironment
from eyehand.errors import DeviceUnauthorized, UnknownAction, UsageError

pytestmark = pytest.mark.usefixtures("browser_ends")

MakePhone = Callable[[str], PhoneEnvironment]


@pytest.fixture
def make_phone(own_adb: Any) -> Iterator[MakePhone]:
    made: list[PhoneEnvironment] = []

    def make_one(task: str) -> PhoneEnvironment:
        made.append(PhoneEnvironment(task, adb_port=own_adb.port))
        return made[-1]

    yield make_one
    for environment in made:
        environment.close()


def tap(environment: PhoneEnvironment, seen: Observation, key: str) -> tuple[Any, ...]:
    """Tap the part with this key, as the agent would, and return the step's answer."""
    place = environment.screen.locate(key)
    assert place is not None
    assert place.point is not None
    return environment.step(Tap(point=seen.geometry.to_point(*place.point)))


def test_the_environment_keeps_the_contract(make_phone: MakePhone) -> None:
    names = ("tap", "swipe", "open_app", "scroll")
    report = check_environment(make_phone("wifi"), seeds=(3,), max_steps=3, action_names=names)
    assert report.skipped == []


def test_reaching_the_goal_ends_the_episode_with_success(make_phone: MakePhone) -> None:
    environment = make_phone("wifi")
    environment.reset(seed=1)
    wanted = environment.assignment.parameters["value"]
    assert environment.instruction == f"Turn {'on' if wanted else 'off'} Wi-Fi."
    seen, *_ = environment.step(OpenApp(app="Settings"))
    seen, reward, ended, *_ = tap(environment, seen, "network")
    assert (reward, ended) == (0.0, False)
    _, reward, ended, truncated, info = tap(environment, seen, "wifi")
    assert (reward, ended, truncated, info["verdict"]) == (1.0, True, False, True)
    assert environment.screen.state()["settings"]["wifi"] is wanted
    with pytest.raises(UsageError, match="call reset"):
        environment.step(OpenApp(app="Settings"))


def test_a_claim_without_the_goal_fails_and_says_what_is_missing(make_phone: MakePhone) -> None:
    environment = make_phone("delete-note")
    environment.reset(seed=1)
    _, reward, ended, _, info = environment.step(Finish(status="success"))
    assert (reward, ended, info["verdict"]) == (0.0, True, False)
    assert info["details"]["not_as_wanted"] == ["notes"]


@pytest.mark.parametrize("right", [True, False])
def test_an_answer_ends_the_episode_and_is_compared(make_phone: MakePhone, right: bool) -> None:
    environment = make_phone("count-alarms")
    environment.reset(seed=2)
    assert environment.assignment.answer is not None
    answer = environment.assignment.answer.text if right else "77"
    _, reward, ended, _, info = environment.step(Answer(text=answer))
    assert (reward, ended, info["verdict"]) == (float(right), True, right)


def test_an_action_that_the_task_does_not_permit_is_refused(make_phone: MakePhone) -> None:
    environment = make_phone("wifi")
    environment.reset(seed=2)
    with pytest.raises(UnknownAction, match="answer"):
        environment.step(Answer(text="on"))


def test_a_step_goes_the_same_way_as_everywhere(make_phone: MakePhone) -> None:
    check_step(make_phone("wifi"))


def test_what_a_handler_does_over_adb_is_judged(make_phone: MakePhone) -> None:
    class TurnOn(Action):
        """Turn the Wi-Fi on or off."""

    def turn_on(action: TurnOn, given: PhoneEnvironment) -> str:
        wanted = given.assignment.parameters["value"]
        given.device.shell(f"svc wifi {'enable' if wanted else 'disable'}")
        return "done over adb"

    environment = make_phone("wifi")
    environment.action_space = environment.action_space.extended(TurnOn, turn_on)
    environment.reset(seed=1)
    observation, reward, ended, _, info = environment.step(TurnOn())
    assert (reward, ended, info["verdict"]) == (1.0, True, True)
    assert observation.feedback.endswith("done over adb")


def test_two_phones_stand_side_by_side(make_phone: MakePhone, own_adb: Any) -> None:
    first, second = make_phone("bluetooth"), make_phone("dark-theme")
    seen_first, _ = first.reset(seed=4)
    seen_second, _ = second.reset(seed=5)
    listed = {device.serial for device in own_adb.device_list()}
    assert {first.serial, second.serial} <= listed
    seen_first, *_ = first.step(OpenApp(app="Settings"))
    seen_second, *_ = second.step(OpenApp(app="Clock"))
    assert first.screen.foreground()[0] == "com.android.settings"
    assert second.screen.foreground()[0] == "com.android.clock"
    assert not np.array_equal(seen_first.pixels, seen_second.pixels)


def test_a_closed_phone_leaves_the_server_and_can_be_opened_again(
    make_phone: MakePhone, own_adb: Any
) -> None:
    environment = make_phone("pin-note")
    before, _ = environment.reset(seed=6)
    address = environment.serial
    environment.close()
    assert address not in [listed.serial for listed in own_adb.list()]
    after, _ = environment.reset(seed=6)
    assert np.array_equal(before.pixels, after.pixels)
    assert environment.instruction is not None


def test_an_episode_begins_on_a_clean_phone_whatever_the_last_one_did(
    make_phone: MakePhone,
) -> None:
    environment = make_phone("set-timer")
    first, _ = environment.reset(seed=7)
    environment.step(OpenApp(app="Clock"))
    environment.screen.set_rotation(1)
    again, _ = environment.reset(seed=7)
    assert again == first
    assert environment.screen.state() == environment.assignment.start


def test_a_phone_that_does_not_permit_debugging_is_a_fault_of_the_start(
    make_phone: MakePhone,
) -> None:
    environment = make_phone("wifi")
    environment.faults.unauthorized = True
    with pytest.raises(DeviceUnauthorized, match="debugging"):
        environment.reset(seed=8)
    environment.faults.unauthorized = False
    environment.reset(seed=8)


def test_an_unknown_task_names_the_closest() -> None:
    with pytest.raises(UsageError, match="did you mean 'set-alarm'"):
        make("phone:set-alrm")
