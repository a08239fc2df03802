"""What goes wrong with the simulated phone, as the real adb server and adbutils show it."""

import io
import threading
import time
from typing import Any

import numpy as np
import pytest
from adbutils.errors import AdbError, AdbTimeout
from PIL import Image

from eyehand.envs.phone import AdbDevice, Faults


def test_a_dropped_device_goes_offline_and_returns(own_adb: Any, adb: Any, faults: Faults) -> None:
    assert adb.shell("echo before") == "before"
    faults.drop(back_after_s=0.2)
    _until(lambda: _state(own_adb, adb.serial) != "device")
    _until(lambda: _state(own_adb, adb.serial) == "device")
    assert adb.shell("echo after") == "after"


def test_a_device_that_stays_away_is_gone(own_adb: Any, adb: Any, device: AdbDevice) -> None:
    device.drop()
    _until(lambda: _state(own_adb, adb.serial) != "device")
    assert _refusal(own_adb, adb.serial)
    assert device.commands == []


def test_it_may_go_away_in_the_middle_of_its_output(
    own_adb: Any, adb: Any, faults: Faults, phone: Any
) -> None:
    faults.drop_in_output, faults.only_for = True, "screencap"
    data = adb.shell("screencap", encoding=None)
    assert 0 < len(data) < 16 + 108 * 240 * 4
    faults.clear()
    _until(lambda: _state(own_adb, adb.serial) == "device")
    assert len(adb.shell("screencap", encoding=None)) == 16 + 108 * 240 * 4


def test_an_opening_may_hang(adb: Any, faults: Faults, phone: Any) -> None:
    faults.hang_in_open, faults.only_for = True, "input"
    with adb.open_transport(timeout=2) as connection:
        connection.send_command("shell:input tap 1 1")
        with pytest.raises(AdbTimeout):
            connection.check_okay()
    assert adb.shell("echo others work") == "others work"
    assert phone.calls == []


def test_an_output_may_hang(adb: Any, faults: Faults) -> None:
    faults.hang_in_output = True
    with pytest.raises(AdbTimeout):
        adb.shell("echo 12345678", timeout=0.3)
    faults.clear()
    assert adb.shell("echo 12345678") == "12345678"


def test_a_png_may_be_cut_short(adb: Any, faults: Faults) -> None:
    faults.truncated_png = True
    png = adb.shell("screencap -p", encoding=None)
    assert png.startswith(b"\x89PNG")
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO(png)).load()


@pytest.mark.parametrize("reason", ["black_frame", "secure"])
def test_a_capture_may_be_black(adb: Any, faults: Faults, phone: Any, reason: str) -> None:
    setattr(faults if reason == "black_frame" else phone, reason, True)
    assert not np.asarray(adb.screenshot(error_ok=False)).any()


def test_a_foldable_warns_before_its_png(adb: Any, faults: Faults) -> None:
    faults.displays, faults.active_display = 2, 1
    assert adb.shell("screencap -p", encoding=None).startswith(b"[Warning] Multiple displays")
    assert not np.asarray(adb.screenshot(display_id=0, error_ok=False)).any()
    assert np.asarray(adb.screenshot(display_id=1, error_ok=False)).any()


def test_a_display_that_is_not_there_fails(adb: Any) -> None:
    result = adb.shell2("screencap -p -d 7", v2=True)
    assert (result.returncode, result.stdout) == (1, "")
    assert "Display Id '7' is not valid" in result.stderr


def test_a_person_may_not_allow_it_until_later(own_adb: Any, phone: Any) -> None:
    with AdbDevice(phone, faults=Faults(unauthorized=True)) as device:
        own_adb.connect(device.address, timeout=10)
        _until(lambda: _state(own_adb, device.address) == "unauthorized")
        assert "unauthorized" in _refusal(own_adb, device.address)
        device.allow()
        _until(lambda: _state(own_adb, device.address) == "device")
        assert own_adb.device(device.address).shell("echo in") == "in"
        own_adb.disconnect(device.address)


def test_a_shell_may_be_slow(adb: Any, faults: Faults) -> None:
    faults.slow_shell_s = 0.4
    start = time.monotonic()
    assert adb.shell("echo slow") == "slow"
    assert time.monotonic() - start >= 0.4


def _state(own_adb: Any, serial: str) -> str:
    return next((d.state for d in own_adb.list() if d.serial == serial), "gone")


def _refusal(own_adb: Any, serial: str) -> str:
    """Return why the server gives no transport (adbutils would leave its socket open)."""
    with own_adb.make_connection(timeout=10) as connection:
        connection.send_command(f"host:tport:serial:{serial}")
        with pytest.raises(AdbError) as error:
            connection.check_okay()
    return str(error.value)


def _until(condition: Any, limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it never happened"
        threading.Event().wait(0.01)
