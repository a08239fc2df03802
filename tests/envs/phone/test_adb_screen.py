"""The device with the real screen behind it: Chromium, adbd, adb server and adbutils in a row."""

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from eyehand.envs.phone import AdbDevice
from eyehand.envs.phone.screen import PhoneScreen


@pytest.fixture(scope="module")
def screen() -> Iterator[PhoneScreen]:
    with PhoneScreen(540, 1200, 210) as screen:
        screen.open()
        yield screen


@pytest.fixture
def connected(own_adb: Any, screen: PhoneScreen) -> Iterator[Any]:
    screen.open()
    with AdbDevice(screen) as device:
        own_adb.connect(device.address, timeout=10)
        yield own_adb.device(device.address)
        own_adb.disconnect(device.address)


def test_the_screen_is_what_adbutils_captures(connected: Any, screen: PhoneScreen) -> None:
    assert np.array_equal(np.asarray(connected.screenshot(error_ok=False)), screen.capture())
    assert connected.window_size() == (540, 1200)


def test_apps_start_and_fingers_reach_the_page(connected: Any, screen: PhoneScreen) -> None:
    connected.app_start("com.android.notes")
    assert connected.app_current().package == "com.android.notes"
    connected.click(270, 600)
    touch = screen.touches()[-1]
    assert (touch.x, touch.y) == (270, 600)
    connected.keyevent("HOME")
    assert connected.app_current().package == "com.android.launcher"
    assert "Notes" in connected.dump_hierarchy()


def test_rotation_and_size_turn_the_capture(connected: Any, screen: PhoneScreen) -> None:
    connected.shell("wm user-rotation lock 1; wm size 360x800")
    assert screen.state()["settings"]["auto_rotate"] is False
    assert connected.screenshot(error_ok=False).size == (800, 360)
    assert connected.window_size() == (800, 360)


def test_settings_and_keyboards_are_the_screens_own(connected: Any, screen: PhoneScreen) -> None:
    connected.shell("settings put global airplane_mode_on 1")
    assert screen.state()["settings"]["airplane_mode"] is True
    keyboard = screen.imes[-1]
    connected.shell(f"ime enable {keyboard}; ime set {keyboard}")
    assert screen.ime == keyboard
    text = base64.b64encode(b"nowhere to go").decode()
    said = connected.shell(f"am broadcast -a ADB_INPUT_B64 --es msg {text}")
    assert said.endswith("result=0")


def test_a_size_that_no_phone_has_is_refused(connected: Any, screen: PhoneScreen) -> None:
    result = connected.shell2("wm size 1x1", v2=True)
    assert result.returncode == 1
    assert "200 to 8000" in result.stderr
    assert screen.override_size is None
