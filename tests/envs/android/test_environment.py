import socket
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from adbutils import AdbClient
from tests.envs.step_contract import check_step

from eyehand.actions import Action, ActionSpace, Point
from eyehand.actions.android import (
    ANDROID_ACTIONS,
    Answer,
    DoubleTap,
    Finish,
    OpenApp,
    Press,
    Tap,
    TypeText,
    Wait,
)
from eyehand.envs.android.addresses import is_address
from eyehand.envs.android.environment import AndroidEnvironment
from eyehand.envs.android.server import AdbServer
from eyehand.envs.check import check_environment
from eyehand.envs.registry import make
from eyehand.errors import InvalidArgument, StaleScreen, UsageError

MIDDLE = Point(x=0.5, y=0.5)


def test_the_contract_of_an_environment_is_kept(make_phone: Callable[..., Any]) -> None:
    names = ("tap", "double_tap", "swipe", "drag", "long_press", "type_text", "press", "open_app")
    report = check_environment(
        make_phone().environment, seeds=(0,), max_steps=5, action_names=names
    )
    assert {"spaces", "resets", "refusals", "points", "closing"} <= set(report.passed)


def test_make_knows_the_scheme_with_and_without_a_serial() -> None:
    named, only = make("android:emulator-5554"), make("android:")
    assert isinstance(named, AndroidEnvironment)
    assert isinstance(only, AndroidEnvironment)
    assert (named.serial, only.serial) == ("emulator-5554", None)
    assert named.action_space == ActionSpace(ANDROID_ACTIONS)


def test_the_only_device_is_chosen_and_several_are_not_chosen_between(
    make_phone: Callable[..., Any], adb_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_phone()
    first.environment.reset()
    only = AndroidEnvironment(adb_port=adb_port)
    only.reset()
    only.close()
    second = make_phone()
    second.environment.reset()
    with pytest.raises(UsageError, match=f"several devices.*{second.device.address}"):
        only.reset()
    monkeypatch.setenv("ANDROID_SERIAL", first.device.address)
    only.reset()
    only.step(Tap(point=MIDDLE))
    assert (len(first.screen.events), len(second.screen.events)) == (1, 0)


def test_the_servers_port_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "23456")
    assert AdbServer().port == 23456
    assert AdbServer(34567).port == 34567
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "adb")
    with pytest.raises(UsageError, match="a number of 1 to 65535; got 'adb'"):
        AdbServer()


def test_a_server_that_is_not_there_is_started_on_its_own_port(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = AdbServer(port)
    assert server.devices() == []
    client = AdbClient(port=port)
    assert client.server_version() > 0
    client.server_kill()


def test_a_step_tells_its_effect_its_parts_and_whether_anything_changed(phone: Any) -> None:
    observation, info = phone.step(Tap(point=MIDDLE))
    assert info["effect"] == "tapped (135, 300)"
    assert set(info["timings_s"]) == {"act", "settle", "capture"}
    assert observation.feedback == ""
    phone.screen.tap = lambda x, y: None
    observation, _ = phone.step(Tap(point=MIDDLE))
    assert observation.feedback == "Nothing visible changed."


def test_a_double_tap_is_one_call(phone: Any) -> None:
    phone.step(DoubleTap(point=MIDDLE))
    assert phone.inputs == ["input tap 135 300 && input tap 135 300"]


def test_an_app_is_opened_by_its_label_and_by_its_package(phone: Any) -> None:
    _, info = phone.step(OpenApp(app="Settings"))
    assert phone.screen.foreground()[0] == "com.android.settings"
    assert info["effect"] == "opened com.android.settings"
    phone.step(OpenApp(app="com.android.notes"))
    assert phone.screen.foreground()[0] == "com.android.notes"


def test_an_app_that_does_not_come_to_the_front_is_told(phone: Any) -> None:
    phone.screen.launch = lambda package: True
    observation, info = phone.step(OpenApp(app="Notes"))
    assert "not in front: com.android.launcher" in observation.feedback
    assert info["details"]["error"] == "ActionHadNoEffect"


def test_an_unknown_app_is_refused_before_anything_is_started(phone: Any) -> None:
    with pytest.raises(InvalidArgument, match="no app 'Banking'"):
        phone.step(OpenApp(app="Banking"))
    assert phone.inputs == []


def test_a_point_of_another_screen_is_refused(phone: Any) -> None:
    with pytest.raises(StaleScreen):
        phone.step(Tap(point=Point(x=0.5, y=0.5, screen="display0:600x270:160dpi:90deg")))
    assert phone.inputs == []


def test_png_is_used_and_remembered_where_raw_is_not_supported(
    phone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = phone.environment._episode._observer.camera
    monkeypatch.setattr("eyehand.envs.android.capture._FORMATS", {})
    observation, _ = phone.step(Tap(point=MIDDLE))
    phone.step(Tap(point=MIDDLE))
    lines = [line for line in phone.device.commands if line.startswith("screencap")]
    raw_before = lines[:-4].count("screencap")
    assert camera.form == "png"
    assert lines.count("screencap") == raw_before + lines[-4:].count("screencap")
    assert lines[-3:] == ["screencap -p"] * 3
    assert np.array_equal(observation.pixels[0, 0], [250, 250, 250])


@pytest.mark.parametrize("action", [Answer(text="42"), Finish(status="success")])
def test_the_models_word_ends_the_episode(phone: Any, action: Action) -> None:
    _, reward, terminated, truncated, info = phone.environment.step(action)
    assert (reward, terminated, truncated, info["verdict"]) == (0.0, True, False, None)
    with pytest.raises(UsageError, match="has ended"):
        phone.environment.step(action)


def test_waiting_and_keys_without_effect_are_not_complained_of(phone: Any) -> None:
    assert phone.step(Wait(seconds=0.1))[0].feedback == ""
    assert phone.step(Press(key="volume_up"))[0].feedback == ""
    assert phone.screen.events == [("key", "VOLUME_UP")]


def test_a_step_goes_the_same_way_as_everywhere(make_phone: Callable[..., Any]) -> None:
    check_step(make_phone().environment)


def test_a_custom_action_gets_adbutils_own_device(make_phone: Callable[..., Any]) -> None:
    class Model(Action):
        """Read the phone's model."""

    def read(action: Model, environment: AndroidEnvironment) -> str:
        return f"model {environment.device.prop.model}"

    space = ActionSpace(ANDROID_ACTIONS).extended(Model, read)
    phone = make_phone(action_space=space)
    phone.environment.reset()
    _, info = phone.step(Model())
    assert info["effect"].startswith("model ")
    assert len(info["effect"]) > len("model ")


def test_text_with_enter_keys_where_there_is_no_extra_keyboard(phone: Any) -> None:
    phone.screen.imes = phone.screen.imes[:1]
    phone.step(TypeText(text="one\ntwo"))
    assert phone.screen.text == "one\ntwo"
    assert "input keyevent KEYCODE_ENTER" in phone.device.commands


@pytest.mark.parametrize(
    ("serial", "address"),
    [("127.0.0.1:4000", True), ("phone.local:5555", True), ("emulator-5554", False), ("R5", False)],
)
def test_addresses_are_told_from_serials(serial: str, address: bool) -> None:
    assert is_address(serial) is address
