"""What adb lists, whom it lists, and what is said of a phone that cannot be used."""

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eyehand.envs.android.addresses import server_address, why_unreachable, with_port
from eyehand.envs.android.environment import AndroidEnvironment
from eyehand.envs.android.listing import Listed, parse_listing
from eyehand.envs.android.server import AdbServer
from eyehand.errors import DeviceUnauthorized, EnvironmentFault, StartUnreachable, UsageError

BLANK = "adb-2233fd19-9mU6UL (2)._adb-tls-connect._tcp"
UDEV = (
    "no permissions (user in plugdev group; are your udev rules wrong?); "
    "see [http://developer.android.com/tools/device.html]"
)
TAGS = "product:a model:Pixel_8 device:b transport_id:4"


class Lists(socketserver.StreamRequestHandler):
    """Lists what it is told to, and refuses everything else."""

    told = ""

    def handle(self) -> None:
        while length := self.rfile.read(4):
            request = self.rfile.read(int(length, 16))
            listed = request.startswith(b"host:devices")
            answer = self.told if listed else "device offline"
            status = b"OKAY" if listed else b"FAIL"
            self.wfile.write(b"%b%04x%b" % (status, len(answer), answer.encode()))


@pytest.fixture
def listing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """An adb server that lists what it is told to."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Lists) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        monkeypatch.setenv("ADB_SERVER_SOCKET", f"tcp:localhost:{server.server_address[1]}")
        yield lambda text: monkeypatch.setattr(Lists, "told", text)
        server.shutdown()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"{BLANK} device {TAGS}", Listed(BLANK, "device", 4, "Pixel_8")),
        (f"{BLANK}\tdevice", Listed(BLANK, "device")),
        (f"R5CT1                  device {TAGS}", Listed("R5CT1", "device", 4, "Pixel_8")),
        (
            f"???????????? {UDEV} usb:1-2 transport_id:1",
            Listed("????????????", "no permissions", 1),
        ),
        (f"(no serial number)     {UDEV} usb:1", Listed("(no serial number)", "no permissions")),
        (f"????????????\t{UDEV}", Listed("????????????", "no permissions")),
        ("192.168.1.5:5555 offline transport_id:1", Listed("192.168.1.5:5555", "offline", 1)),
        ("my device   recovery usb:1-1.2 transport_id:9", Listed("my device", "recovery", 9)),
        ("R5CT1 unauthorized usb:3-1 transport_id:2", Listed("R5CT1", "unauthorized", 2)),
        ("R5CT1 sleeping transport_id:2", Listed("R5CT1", "sleeping", 2)),
    ],
)
def test_a_line_of_a_listing_is_read_whole(line: str, expected: Listed) -> None:
    assert parse_listing(f"\n{line}\n") == [expected]


def test_the_real_servers_listing_is_read(make_phone: Callable[..., Any], adb_port: int) -> None:
    phone = make_phone()
    phone.environment.reset()
    listed = {device.serial: device for device in AdbServer(adb_port).devices()}
    found = listed[phone.device.address]
    assert found.ready
    assert found.transport_id > 0
    assert found.model == "eyehand_simulated_phone"


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (f"???????????? {UDEV} usb:1-2 transport_id:1", r"udev rules"),
        ("R5CT1 recovery transport_id:2", r"R5CT1 was not ready.*in recovery mode; restart it"),
        ("R5CT1 sideload transport_id:2", r"waits for an update"),
        ("R5CT1 bootloader transport_id:2", r"in its bootloader"),
        ("192.168.1.5:5555 offline transport_id:1", r"is offline.*wake the phone"),
        ("R5CT1 sleeping transport_id:1", r"in the state 'sleeping'"),
        ("", r"adb lists no device: connect a phone"),
    ],
)
def test_a_state_is_told_in_words_with_what_to_do(
    listing: Callable[[str], None], listed: str, expected: str
) -> None:
    listing(listed)
    with pytest.raises(StartUnreachable, match=expected):
        AndroidEnvironment(reconnect_s=0.3).reset()


@pytest.mark.parametrize("state", ["unauthorized", "authorizing"])
def test_a_phone_that_asks_is_no_phone_that_is_gone(
    listing: Callable[[str], None], state: str
) -> None:
    listing(f"R5CT1 {state} transport_id:2")
    with pytest.raises(DeviceUnauthorized, match="accept the question"):
        AndroidEnvironment(reconnect_s=0.3).reset()


def test_a_serial_that_is_absent_names_those_present(listing: Callable[[str], None]) -> None:
    listing(f"R5CT1 device {TAGS}\n{BLANK} offline transport_id:5\n")
    with pytest.raises(StartUnreachable) as refusal:
        AndroidEnvironment("R5CT2", reconnect_s=0.3).reset()
    assert "R5CT2 was not ready" in str(refusal.value)
    assert f"adb lists R5CT1 (Pixel_8), {BLANK} (offline)" in str(refusal.value)


def test_a_serial_with_blanks_is_found_and_addressed(listing: Callable[[str], None]) -> None:
    listing(f"{BLANK} device {TAGS}")
    for environment in (AndroidEnvironment(), AndroidEnvironment(BLANK)):
        with pytest.raises(StartUnreachable) as refusal:
            environment.reset()
        assert str(refusal.value) == f"{BLANK} is gone: device offline"


def test_several_devices_are_named_as_a_command_line_takes_them(
    listing: Callable[[str], None],
) -> None:
    listing(f"{BLANK} device {TAGS}\n192.168.86.190:37571 device {TAGS}\nR1 offline usb:1\n")
    with pytest.raises(UsageError) as refusal:
        AndroidEnvironment().reset()
    assert f"'android:{BLANK}' (Pixel_8), android:192.168.86.190:37571" in str(refusal.value)
    assert "may be one phone that is connected twice" in str(refusal.value)
    assert "R1" not in str(refusal.value)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"ADB_SERVER_SOCKET": "tcp:5038"}, ("127.0.0.1", 5038)),
        ({"ADB_SERVER_SOCKET": "tcp:far.example:5039"}, ("far.example", 5039)),
        (
            {"ADB_SERVER_SOCKET": "tcp:5038", "ANDROID_ADB_SERVER_PORT": "6000"},
            ("127.0.0.1", 5038),
        ),
        ({"ANDROID_ADB_SERVER_ADDRESS": "far.example"}, ("far.example", 5037)),
        ({}, ("127.0.0.1", 5037)),
    ],
)
def test_the_server_is_looked_for_where_adb_looks(
    variables: dict[str, str], expected: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ADB_SERVER_SOCKET", "ANDROID_ADB_SERVER_ADDRESS", "ANDROID_ADB_SERVER_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("ANDROID_ADB_SERVER_PORT", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert server_address() == expected
    assert server_address(7000)[1] == 7000


@pytest.mark.parametrize("written", ["5038", "tcp:", "localfilesystem:/tmp/adb", "tcp:[::1]:5037"])
def test_a_server_socket_that_cannot_be_used_is_refused(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADB_SERVER_SOCKET", written)
    with pytest.raises(UsageError, match="expected tcp:PORT or tcp:HOST:PORT"):
        AdbServer()


def test_the_real_server_is_found_by_its_socket(
    make_phone: Callable[..., Any], adb_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = make_phone()
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "1")
    monkeypatch.setenv("ADB_SERVER_SOCKET", f"tcp:localhost:{adb_port}")
    with AndroidEnvironment(phone.device.address) as environment:
        observation, _ = environment.reset()
    assert observation.pixels.shape == (600, 270, 3)


def test_a_server_elsewhere_is_never_started_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADB_SERVER_SOCKET", "tcp:adb.invalid:5037")
    with pytest.raises(EnvironmentFault, match=r"no adb server answers at adb\.invalid:5037"):
        AdbServer().ensure()


def test_a_failed_connect_says_why_and_leaves_nothing_on_the_list(adb_port: int) -> None:
    with socket.socket() as taken, socket.socket() as free:
        for each in (taken, free):
            each.bind(("127.0.0.1", 0))
        taken.listen()
        silent, refused = (f"127.0.0.1:{each.getsockname()[1]}" for each in (taken, free))
        said = r"(?i)within 2 s.*connection refused.*adb tcpip 5555"
        with pytest.raises(StartUnreachable, match=said):
            AndroidEnvironment(refused, adb_port=adb_port).reset()
        with pytest.raises(StartUnreachable, match=r"something answers there, which adb does not"):
            AndroidEnvironment(silent, adb_port=adb_port, reconnect_s=0.3).reset()
    listed = [device.serial for device in AdbServer(adb_port).devices()]
    assert not {silent, refused} & set(listed)


def test_reasons_are_in_words() -> None:
    assert why_unreachable("nobody.invalid:5555") == (
        "the name 'nobody.invalid' is not known in this network"
    )
    assert why_unreachable("127.0.0.1:99999") == "99999 is no port"


@pytest.mark.parametrize(
    ("serial", "expected"),
    [
        ("192.168.1.77", "192.168.1.77:5555"),
        ("::1", "[::1]:5555"),
        ("192.168.1.77:4000", "192.168.1.77:4000"),
        ("R5CT1", "R5CT1"),
        ("emulator-5554", "emulator-5554"),
    ],
)
def test_a_bare_ip_address_gets_adbs_port(serial: str, expected: str) -> None:
    assert with_port(serial) == expected
