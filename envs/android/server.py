"""The adb server: found or started, never killed, asked with a time limit.

adbutils' exceptions become ours here and in `link.py`, and nowhere else:

| adbutils / socket               | eyehand              |
|---------------------------------|----------------------|
| `AdbTimeout`, `TimeoutError`    | `DeviceTimeout`      |
| `AdbError`, `OSError`           | `DeviceDisconnected` |
"""

import os
import socket
import subprocess
import threading
import time
from dataclasses import dataclass

from adbutils import AdbClient, adb_path
from adbutils.errors import AdbError, AdbTimeout

from eyehand.errors import (
    DeviceDisconnected,
    DeviceTimeout,
    DeviceUnauthorized,
    EnvironmentFault,
    UsageError,
)

DEFAULT_PORT = 5037
START_TIMEOUT_S = 20.0
PROBE_TIMEOUT_S = 2.0
QUERY_TIMEOUT_S = 5.0
POLL_PAUSE_S = 0.05
UNAUTHORIZED_PATIENCE_S = 2.0
"""A phone that is just greeted is listed as unauthorized for a moment."""

# Two environments that find no server at the same moment must not both start one.
_STARTING = threading.Lock()

HOW_TO_AUTHORIZE = (
    "unlock the phone, accept the question 'Allow USB debugging?' and try again; where no "
    "question appears, revoke the USB debugging authorisations in its developer options and "
    "plug it in again"
)
HOW_TO_ATTACH = (
    "connect a phone with USB debugging switched on, or name one in the network as "
    "android:HOST:PORT"
)


class Deadline:
    """A moment by which a call must have ended, whatever it consists of.

    Args:
        timeout_s: Seconds from now.
        what: What is being waited for, for the message.
    """

    def __init__(self, timeout_s: float, what: str) -> None:
        self.timeout_s = timeout_s
        self.what = what
        self._end_s = time.monotonic() + timeout_s

    @property
    def passed(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._end_s

    def left_s(self) -> float:
        """Return the seconds that are left.

        Raises:
            DeviceTimeout: none are.
        """
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise self.timeout()
        return left_s

    def timeout(self) -> DeviceTimeout:
        """Return the exception to raise when the time is over."""
        return DeviceTimeout(f"{self.what}: no answer within {self.timeout_s:g} s")


@dataclass(frozen=True)
class Listed:
    """A device as the adb server lists it.

    Attributes:
        serial: Its serial number, or HOST:PORT in the network.
        state: "device", "offline", "unauthorized", ...
        transport_id: The server's number for this connection; another one after a reconnect.
    """

    serial: str
    state: str
    transport_id: int


class AdbServer:
    """One adb server.

    Args:
        port: Its port; None takes ANDROID_ADB_SERVER_PORT, else 5037.

    Raises:
        UsageError: the port is no port.
    """

    def __init__(self, port: int | None = None) -> None:
        self.host = os.environ.get("ANDROID_ADB_SERVER_HOST") or "127.0.0.1"
        self.port = _port(port)
        self.client = AdbClient(self.host, self.port, socket_timeout=QUERY_TIMEOUT_S)

    def ensure(self) -> None:
        """See that the server runs; start it where it does not.

        adbutils would start one on its own default port, whatever port it was told.

        Raises:
            EnvironmentFault: it cannot be started.
        """
        if self._answers():
            return
        with _STARTING:
            if self._answers():
                return
            command = [adb_path(), "-P", str(self.port), "start-server"]
            try:
                ended = subprocess.run(command, capture_output=True, timeout=START_TIMEOUT_S)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise EnvironmentFault(f"the adb server could not be started: {error}") from error
            if ended.returncode or not self._answers():
                said = ended.stderr.decode("utf-8", "replace").strip()[-300:]
                raise EnvironmentFault(
                    f"the adb server does not run on port {self.port}: {said or 'no reason given'}"
                )

    def devices(self) -> list[Listed]:
        """Return the devices that the server knows, whatever their state.

        Raises:
            DeviceTimeout: the server did not answer.
            EnvironmentFault: it cannot be started.
        """
        self.ensure()
        try:
            infos = self.client.list(extended=True)
        except AdbTimeout as error:
            raise DeviceTimeout(f"the adb server gave no list of devices: {error}") from error
        except (AdbError, OSError) as error:
            raise DeviceDisconnected(f"the adb server gave no list of devices: {error}") from error
        return [Listed(i.serial, i.state, int(i.tags.get("transport_id", 0))) for i in infos]

    def choose(self) -> str:
        """Return the serial of ANDROID_SERIAL, else of the only device.

        Devices that are ready come before those that are not.

        Raises:
            DeviceDisconnected: there is none.
            UsageError: there are several.
        """
        if named := os.environ.get("ANDROID_SERIAL"):
            return named
        devices = self.devices()
        ready = [device.serial for device in devices if device.state == "device"]
        serials = ready or [device.serial for device in devices]
        if not serials:
            raise DeviceDisconnected(f"adb lists no device: {HOW_TO_ATTACH}")
        if len(serials) > 1:
            listed = ", ".join(f"android:{serial}" for serial in serials)
            raise UsageError(f"there are several devices; name one of them: {listed}")
        return serials[0]

    def await_device(self, serial: str, timeout_s: float) -> int:
        """Wait until a device is ready and return its transport's number.

        A serial of the form HOST:PORT is connected to where the server does not list it.

        Raises:
            DeviceUnauthorized: it is there and does not permit debugging.
            DeviceDisconnected: it is not there within `timeout_s`.
        """
        deadline = Deadline(timeout_s, serial)
        refused = Deadline(min(timeout_s, UNAUTHORIZED_PATIENCE_S), serial)
        state, said = "not listed", ""
        while True:
            listed = {device.serial: device for device in self.devices()}
            found = listed.get(serial)
            state = found.state if found else "not listed"
            if found is not None and state == "device":
                return found.transport_id
            if found is None and is_address(serial):
                said = self._connect(serial, deadline)
            if deadline.passed or (state == "unauthorized" and refused.passed):
                break
            time.sleep(POLL_PAUSE_S)
        if state == "unauthorized":
            raise DeviceUnauthorized(f"{serial} does not permit debugging: {HOW_TO_AUTHORIZE}")
        raise DeviceDisconnected(
            f"{serial} was not ready within {timeout_s:g} s: it is {state}"
            f"{f' ({said})' if said else ''}; {HOW_TO_ATTACH}"
        )

    def _connect(self, address: str, deadline: Deadline) -> str:
        """Ask the server to connect to an address; return what it says, which is no verdict."""
        try:
            timeout_s = min(QUERY_TIMEOUT_S, max(deadline.left_s(), POLL_PAUSE_S))
            return str(self.client.connect(address, timeout=timeout_s))
        except (AdbError, OSError, DeviceTimeout) as error:
            return str(error)

    def _answers(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), PROBE_TIMEOUT_S).close()
        except OSError:
            return False
        return True


def is_address(serial: str) -> bool:
    """Return whether a serial is HOST:PORT, which `adb connect` takes."""
    host, colon, port = serial.rpartition(":")
    return bool(host and colon and port.isdecimal())


def _port(port: int | None) -> int:
    written = str(port) if port is not None else os.environ.get("ANDROID_ADB_SERVER_PORT", "")
    if not written:
        return DEFAULT_PORT
    if not written.isdecimal() or not 0 < int(written) < 65536:
        raise UsageError(f"the adb server's port is a number of 1 to 65535; got {written!r}")
    return int(written)
