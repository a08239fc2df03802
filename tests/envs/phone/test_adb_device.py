"""The simulated phone's daemon, spoken to by the real adb server and adbutils."""

import io
import struct
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adbutils.errors import AdbError
from PIL import Image

from eyehand.envs.phone import AdbDevice, Faults
from eyehand.envs.phone.adb.device import PORTS
from eyehand.errors import UsageError


def test_the_server_lists_it_as_a_device(own_adb: Any, adb: Any, device: AdbDevice) -> None:
    assert adb.get_state() == "device"
    assert device.port in PORTS
    assert "shell_v2" in adb.get_features()


def test_a_command_answers_with_output(adb: Any) -> None:
    assert adb.shell("echo 'a  b' c") == "a  b c"


def test_the_shell_protocol_keeps_errors_and_status_apart(adb: Any) -> None:
    result = adb.shell2("echo out; ls /nowhere", v2=True)
    assert result.stdout == "out\n"
    assert result.stderr == "ls: /nowhere: No such file or directory\n"
    assert result.returncode == 1


def test_without_it_the_status_comes_through_echo(adb: Any) -> None:
    assert adb.shell2("nonsense").returncode == 127


def test_a_raw_capture_is_a_header_and_rgba(adb: Any, phone: Any) -> None:
    data = adb.shell("screencap", encoding=None)
    assert struct.unpack("<4I", data[:16]) == (108, 240, 1, 1)
    rgba = np.frombuffer(data[16:], np.uint8).reshape(240, 108, 4)
    assert np.array_equal(rgba[..., :3], phone.capture())
    assert (rgba[..., 3] == 255).all()


def test_a_capture_larger_than_a_packet_arrives_whole(adb: Any, phone: Any) -> None:
    phone.physical_size = (1080, 2400)
    png = _read(adb, "exec:screencap -p")
    image = Image.open(io.BytesIO(png)).convert("RGB")
    assert np.array_equal(np.asarray(image), phone.capture())
    assert len(_read(adb, "exec:screencap")) == 16 + 1080 * 2400 * 4


def test_adbutils_own_calls_work(adb: Any, phone: Any) -> None:
    phone.launch("com.android.notes")
    assert adb.window_size() == (108, 240)
    assert adb.rotation() == 0
    assert adb.app_current().package == "com.android.notes"
    assert adb.dump_hierarchy() == phone.hierarchy()
    assert np.array_equal(np.asarray(adb.screenshot()), phone.capture())
    assert adb.list_packages(["-3"]) == ["com.android.adbkeyboard"]
    assert adb.is_screen_on()
    assert adb.prop.model == "eyehand simulated phone"
    assert adb.app_info("com.android.notes").version_name == "1.0"


def test_the_framebuffer_is_the_screen_too(adb: Any, phone: Any) -> None:
    data = _read(adb, "framebuffer:")
    assert struct.unpack("<5I", data[:20]) == (1, 32, 108 * 240 * 4, 108, 240)
    rgba = np.frombuffer(data[13 * 4 :], np.uint8).reshape(240, 108, 4)
    assert np.array_equal(rgba[..., :3], phone.capture())


def test_window_size_follows_rotation(adb: Any, phone: Any) -> None:
    phone.set_rotation(1)
    assert adb.window_size() == (240, 108)
    assert adb.screenshot().size == (240, 108)


def test_taps_and_swipes_arrive(adb: Any, phone: Any) -> None:
    adb.click(10, 20)
    adb.swipe(1, 2, 3, 4, 0.5)
    adb.keyevent("BACK")
    assert phone.calls == [("tap", 10, 20), ("swipe", 1, 2, 3, 4, 500), ("key", "BACK")]


def test_files_go_there_and_back(adb: Any, tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(content)
    assert adb.sync.push(tmp_path / "a", "/sdcard/new/a", check=True) == len(content)
    assert adb.sync.pull("/sdcard/new/a", tmp_path / "b") == len(content)
    assert (tmp_path / "b").read_bytes() == content
    assert [each.path for each in adb.sync.list("/sdcard/new")] == ["a"]
    assert not adb.sync.exists("/sdcard/none")
    with pytest.raises(AdbError, match="No such file"):
        adb.sync.read_bytes("/sdcard/none")


def test_the_adb_program_itself_pushes_and_pulls(
    own_adb: Any, adb: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(own_adb.port))
    (tmp_path / "a").write_bytes(b"over there")
    adb.adb_output("push", str(tmp_path / "a"), "/sdcard/Download")
    adb.adb_output("pull", "/sdcard/Download/a", str(tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == b"over there"
    assert adb.adb_output("shell", "echo", "hello") == "hello\n"


def test_streams_run_side_by_side(adb: Any) -> None:
    waiting = adb.shell("sleep 30; echo late", stream=True)
    assert adb.shell("echo meanwhile") == "meanwhile"
    waiting.close()


def test_a_client_that_leaves_stops_its_command(adb: Any, device: AdbDevice, phone: Any) -> None:
    stream = adb.shell("sleep 30; input tap 1 1", stream=True)
    stream.close()
    _until(lambda: device.log[-1].exit_status is not None or device.log[-1].seconds > 0)
    assert device.log[-1].seconds < 10
    assert phone.calls == []


def test_a_reader_that_leaves_in_mid_output_stops_the_writer(
    adb: Any, device: AdbDevice, phone: Any
) -> None:
    phone.physical_size = (2000, 2000)
    stream = adb.shell("screencap; input tap 1 1", stream=True)
    stream.conn.recv(1000)
    stream.close()
    _until(lambda: device.log[-1].seconds > 0)
    assert phone.calls == []
    assert adb.shell("echo fine") == "fine"


def test_an_unknown_service_is_refused(adb: Any) -> None:
    with pytest.raises(AdbError, match="closed"):
        adb.create_connection("tcp", 80)


def test_no_substitution_is_run_and_each_is_kept(adb: Any, device: AdbDevice, phone: Any) -> None:
    assert adb.shell('echo "a$(rm -rf /)b" `reboot`') == "ab"
    assert device.injections == ["$(rm -rf /)", "`reboot`"]
    assert device.commands == ['echo "a$(rm -rf /)b" `reboot`']
    assert device.log[0].executed == [("echo", "ab")]
    assert adb.shell(["echo", "$(rm -rf /)"]) == "$(rm -rf /)"
    assert len(device.injections) == 2


def test_two_devices_stand_side_by_side(own_adb: Any, adb: Any, phone: Any) -> None:
    with AdbDevice(type(phone)(), serial_name="SECOND") as other:
        own_adb.connect(other.address, timeout=10)
        assert own_adb.device(other.address).shell("getprop ro.serialno") == "SECOND"
        assert adb.shell("getprop ro.serialno") == "EYEHAND0001"
        own_adb.disconnect(other.address)


def test_a_taken_port_is_named(device: AdbDevice, phone: Any) -> None:
    with pytest.raises(UsageError, match=str(device.port)):
        AdbDevice(phone, port=device.port).start()


def test_closing_leaves_no_thread(phone: Any) -> None:
    before = threading.active_count()
    device = AdbDevice(phone, faults=Faults())
    device.start()
    device.close()
    device.close()
    assert threading.active_count() <= before


def _read(adb: Any, service: str) -> bytes:
    """Read a service's stream quickly; adbutils' own reader is quadratic."""
    connection = adb.open_transport()
    connection.send_command(service)
    connection.check_okay()
    content = bytearray()
    while piece := connection.conn.recv(1 << 18):
        content += piece
    connection.close()
    return bytes(content)


def _until(condition: Any, limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it never happened"
        threading.Event().wait(0.005)
