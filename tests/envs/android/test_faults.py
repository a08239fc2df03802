"""Faults in mid-episode: typed outcomes, no wrong action, no hang, and a server that lives on."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adbutils import AdbClient

from eyehand.actions import Point
from eyehand.actions.android import Finish, Press, Tap
from eyehand.agent.episode import run_episode
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.envs.android.environment import AndroidEnvironment
from eyehand.envs.phone.faults import Faults
from eyehand.errors import (
    ActionHadNoEffect,
    CaptureFailed,
    DeviceDisconnected,
    DeviceTimeout,
    DeviceUnauthorized,
    StaleScreen,
    StartUnreachable,
)

MIDDLE = Tap(point=Point(x=0.5, y=0.5))
CALL_TIMEOUT_S = 3.0
SLACK_S = 60.0
"""What a loaded machine may add to a time limit."""


@pytest.fixture(autouse=True)
def _server_lives_on(phone: Any, adb_port: int) -> Any:
    """Another client of the adb server still gets its answers afterwards."""
    version = AdbClient(port=adb_port).server_version()
    yield
    client = AdbClient(port=adb_port, socket_timeout=SLACK_S)
    assert client.server_version() == version
    assert isinstance(client.list(), list)


def test_a_phone_that_drops_and_returns_is_picked_up_and_the_tap_performed_once(
    phone: Any,
) -> None:
    phone.device.drop(back_after_s=1.0)
    observation, _ = phone.step(MIDDLE)
    assert phone.screen.events == [("tap", 135, 300)]
    assert observation.feedback == ""


def test_a_phone_that_returns_with_another_screen_is_not_tapped(phone: Any) -> None:
    phone.device.drop(back_after_s=1.0)
    phone.screen.launch("com.android.settings")
    observation, info = phone.step(MIDDLE)
    assert phone.screen.events == []
    assert "not performed; look again" in observation.feedback
    assert info["details"]["error"] == "ActionHadNoEffect"


def test_a_phone_that_stays_away_ends_the_episode_with_its_trajectory_whole(
    phone: Any, tmp_path: Path
) -> None:
    def watch(record: Any) -> None:
        if type(record).__name__ == "StepRecord":
            phone.device.drop()

    policy = ScriptedPolicy([Press(key="volume_up"), MIDDLE, Finish(status="success")])
    began_s = time.monotonic()
    episode = run_episode(
        policy, phone.environment, task="tap", trajectory=tmp_path / "episode", watch=watch
    )
    assert episode.outcome is Outcome.ENVIRONMENT_FAULT
    assert "DeviceDisconnected" in episode.message
    assert time.monotonic() - began_s < 4.0 + 3 * SLACK_S
    assert len(read_trajectory(tmp_path / "episode").steps) >= 1


def test_a_drop_in_the_middle_of_a_tap_is_told_and_never_repeated(phone: Any) -> None:
    tapped: list[tuple[int, int]] = []

    def tap(x: int, y: int) -> None:
        tapped.append((x, y))
        phone.device.drop(back_after_s=0.5)

    phone.screen.tap = tap
    observation, info = phone.step(MIDDLE)
    assert tapped == [(135, 300)]
    assert info["effect"].startswith("interrupted: tapped")
    assert "may or may not have happened" in observation.feedback
    assert info["details"]["error"] == "ActionHadNoEffect"


@pytest.mark.parametrize(
    ("fault", "service", "taps"),
    [
        ("hang_in_open", "screencap", 1),
        ("hang_in_output", "screencap", 1),
        ("hang_in_open", "input tap", 0),
        ("hang_in_open", "dumpsys", 0),
        ("hang_in_output", "dumpsys", 0),
    ],
)
def test_a_phone_that_hangs_is_a_timeout_within_its_limit(
    phone: Any, fault: str, service: str, taps: int
) -> None:
    phone.device.faults.only_for = service
    setattr(phone.device.faults, fault, True)
    began_s = time.monotonic()
    with pytest.raises(DeviceTimeout, match=r"no answer within 3 s"):
        phone.step(MIDDLE)
    assert time.monotonic() - began_s < CALL_TIMEOUT_S + SLACK_S
    assert len(phone.screen.events) == taps


def test_a_shell_that_is_slow_only_takes_longer(phone: Any) -> None:
    phone.device.faults.slow_shell_s = 0.2
    phone.step(MIDDLE)
    assert phone.screen.events == [("tap", 135, 300)]


def test_a_shell_that_is_slower_than_the_limit_is_a_timeout(phone: Any) -> None:
    phone.device.faults.slow_shell_s = 60.0
    with pytest.raises(DeviceTimeout):
        phone.step(MIDDLE)
    assert phone.screen.events == []


@pytest.mark.parametrize("form", ["raw", "png"])
def test_captures_that_are_cut_off_fail_after_one_more_try(phone: Any, form: str) -> None:
    phone.environment._episode._observer.camera.form = form
    phone.device.faults.truncated_png = True
    with pytest.raises(CaptureFailed, match=r"failed, 2 times.*cut off"):
        phone.step(MIDDLE)
    lines = phone.device.commands
    tapped = lines.index("input tap 135 300")
    assert sum(line.startswith("screencap") for line in lines[tapped:]) == 2


def test_one_capture_that_is_cut_off_is_taken_again(
    phone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off = iter([True])  # the next capture, and none after it
    monkeypatch.setattr(
        Faults, "truncated_png", property(lambda _: next(cut_off, False), lambda *_: None)
    )
    observation, info = phone.step(MIDDLE)
    assert next(cut_off, None) is None
    assert info["details"]["capture"] == "captured"
    assert observation.pixels.shape == (600, 270, 3)


def test_a_secure_screen_is_told_and_no_black_frame_is_shown(phone: Any) -> None:
    phone.screen.secure = True
    observation, info = phone.step(MIDDLE)
    assert info["details"]["capture"] == "secure screen"
    assert "forbids captures" in observation.text
    assert observation.pixels.any()
    with pytest.raises(ActionHadNoEffect, match="nothing of this screen can be seen"):
        phone.step(MIDDLE)
    with pytest.raises(StaleScreen):
        phone.step(Tap(point=Point(x=0.5, y=0.5, screen="display0:270x600:160dpi:0deg")))
    assert len(phone.screen.events) == 1
    phone.screen.secure = False
    observation, info = phone.step(Press(key="back"))
    assert info["details"]["capture"] == "captured"


def test_a_black_frame_without_a_reason_is_told_as_such(phone: Any) -> None:
    phone.device.faults.black_frame = True
    observation, info = phone.step(MIDDLE)
    assert info["details"]["capture"] == "black"
    assert "entirely black although no app forbids captures" in observation.text


def test_a_screen_that_is_off_is_told(phone: Any) -> None:
    phone.screen.screen_on = False
    phone.device.faults.black_frame = True
    observation, info = phone.step(Press(key="volume_up"))
    assert observation.text == "The phone's screen is off: press wake_up."
    assert info["details"]["capture"] == "black"


@pytest.mark.parametrize("rotation", [1, 2, 3])
def test_a_phone_that_was_turned_is_not_tapped_at_the_old_place(phone: Any, rotation: int) -> None:
    phone.screen.set_rotation(rotation)
    observation, info = phone.step(MIDDLE)
    assert phone.screen.events == []
    assert "changed by itself" in observation.feedback
    assert info["effect"].startswith("not performed")
    assert observation.geometry.screen.endswith(f":{90 * rotation}deg")
    phone.step(MIDDLE)
    assert phone.screen.events == [("tap", *((300, 135) if rotation % 2 else (135, 300)))]


@pytest.mark.parametrize("size", [(180, 400), (540, 1200)])
def test_a_size_override_in_mid_episode_is_noticed(phone: Any, size: tuple[int, int]) -> None:
    phone.screen.set_size_override(size)
    observation, _ = phone.step(MIDDLE)
    assert phone.screen.events == []
    assert (observation.geometry.width_px, observation.geometry.height_px) == size
    phone.step(MIDDLE)
    assert phone.screen.events == [("tap", size[0] // 2, size[1] // 2)]


def test_an_unauthorised_phone_says_what_to_do(make_phone: Callable[..., Any]) -> None:
    phone = make_phone(reconnect_s=3.0)
    phone.device.faults.unauthorized = True
    with pytest.raises(DeviceUnauthorized, match="accept the question 'Allow USB debugging"):
        phone.environment.reset()


def test_an_authorisation_that_is_lost_in_mid_episode_is_told(phone: Any) -> None:
    phone.device.faults.unauthorized = True
    phone.device.drop(back_after_s=0.2)
    with pytest.raises(DeviceUnauthorized):
        phone.step(MIDDLE)
    assert phone.screen.events == []


def test_a_phone_that_is_not_there_cannot_be_started_on(make_phone: Callable[..., Any]) -> None:
    phone = make_phone(reconnect_s=1.0)
    phone.device.close()
    began_s = time.monotonic()
    with pytest.raises(StartUnreachable, match="was not ready within 1 s"):
        phone.environment.reset()
    assert time.monotonic() - began_s < 1.0 + 2 * SLACK_S


def test_a_foldable_is_captured_on_the_panel_that_is_lit(make_phone: Callable[..., Any]) -> None:
    phone = make_phone()
    phone.device.faults.displays = 2
    phone.device.faults.active_display = 1
    observation, info = phone.environment.reset()
    assert info["details"]["capture"] == "captured"
    assert observation.pixels.any()
    before = observation.geometry.screen
    phone.device.faults.active_display = 0
    observation, _ = phone.step(MIDDLE)
    assert phone.screen.events == []
    assert observation.geometry.screen != before


def test_a_screen_that_never_rests_ends_the_wait_at_its_bound(
    make_phone: Callable[..., Any],
) -> None:
    phone = make_phone(settle_timeout_s=0.5)
    phone.environment.reset()
    phone.screen.restless = True
    began_s = time.monotonic()
    observation, _ = phone.step(MIDDLE)
    assert time.monotonic() - began_s < 0.5 + SLACK_S
    assert observation.text == "The screen keeps changing by itself."


def test_two_phones_at_once_each_get_their_own_actions(
    phone: Any, make_phone: Callable[..., Any]
) -> None:
    other = make_phone()
    other.environment.reset()
    phones = {phone: 0.25, other: 0.75}
    failures: list[BaseException] = []

    def work(one: Any, y: float) -> None:
        try:
            for step in range(4):
                one.step(Tap(point=Point(x=step / 4, y=y)))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=item) for item in phones.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for one, y in phones.items():
        assert [event[2] for event in one.screen.events] == [int(600 * y)] * 4


def test_one_phone_that_drops_leaves_the_other_alone(
    phone: Any, make_phone: Callable[..., Any]
) -> None:
    other = make_phone()
    other.environment.reset()
    phone.environment._episode.link.reconnect_s = 0.5
    phone.device.drop()
    with pytest.raises(DeviceDisconnected):
        phone.step(MIDDLE)
    observation, _, _, _, _ = other.environment.step(MIDDLE)
    assert other.screen.events == [("tap", 135, 300)]
    assert np.array_equal(observation.pixels, other.environment.render())


def test_an_adb_server_that_was_restarted_never_mixes_phones_up(
    make_phone: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    client = AdbClient(port=port)
    one, other = make_phone(), make_phone()
    mine, theirs = (AndroidEnvironment(p.device.address, adb_port=port) for p in (one, other))
    mine.reset()
    theirs.reset()
    client.server_kill()
    theirs.step(Press(key="volume_up"))  # restarts the server; this phone is the first there now
    mine.step(MIDDLE)
    assert one.screen.events == [("tap", 135, 300)]
    assert other.screen.events == [("key", "VOLUME_UP")]
    client.server_kill()
