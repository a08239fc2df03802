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
from collections.abc import Sequence
from contextlib import suppress

from adbutils import AdbClient, adb_path
from adbutils.errors import AdbError, AdbTimeout

from eyehand.envs.android.addresses import (
    HOW_TO_LISTEN,
    PROBE_TIMEOUT_S,
    is_address,
    is_local,
    server_address,
    why_unreachable,
    with_port,
)
from eyehand.envs.android.listing import HOW_TO_ATTACH, Listed, parse_listing, present
from eyehand.envs.packages import ADB, apt_command
from eyehand.errors import (
    DeviceDisconnected,
    DeviceTimeout,
    DeviceUnauthorized,
    EnvironmentFault,
    MissingProgram,
    UsageError,
)

START_TIMEOUT_S = 20.0
QUERY_TIMEOUT_S = 5.0
POLL_PAUSE_S = 0.05
PATIENCE_S = 2.0
"""How long a state is waited for that will not pass by itself: a phone that is just greeted is
listed as unauthorized for a moment, and a server that just started lists nothing."""

# Two environments that find no server at the same moment must not both start one.
_STARTING = threading.Lock()


def adb_program() -> str:
    """Return the path of adb: what ADBUTILS_ADB_PATH names, else the system's, else adbutils' own.

    Raises:
        MissingProgram: there is none; adbutils brings none for some processors.
    """
    try:
        return str(adb_path())
    except AdbError as error:
        raise MissingProgram(f"adb is not installed; {apt_command(ADB)}", ADB) from error


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


class AdbServer:
    """One adb server.

    Args:
        port: Its port; None takes what `server_address` finds.

    Raises:
        UsageError: the port is no port, or a variable cannot be read.
    """

    def __init__(self, port: int | None = None) -> None:
        self.host, self.port = server_address(port)
        self.client = AdbClient(self.host, self.port, socket_timeout=QUERY_TIMEOUT_S)

    def ensure(self) -> None:
        """See that the server runs; start it where it does not and is to run on this computer.

        adbutils would start one on its own default port, whatever port it was told.

        Raises:
            EnvironmentFault: it cannot be started.
            MissingProgram: there is no adb to start it with.
        """
        if self.answers():
            return
        if not is_local(self.host):
            raise EnvironmentFault(
                f"no adb server answers at {self.host}:{self.port}; start it there with "
                "`adb -a nodaemon server start`"
            )
        with _STARTING:
            if self.answers():
                return
            command = [adb_program(), "-P", str(self.port), "start-server"]
            try:
                ended = subprocess.run(command, capture_output=True, timeout=START_TIMEOUT_S)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise EnvironmentFault(f"the adb server could not be started: {error}") from error
            if ended.returncode or not self.answers():
                said = ended.stderr.decode("utf-8", "replace").strip()[-300:]
                raise EnvironmentFault(
                    f"the adb server does not run on port {self.port}: {said or 'no reason given'}"
                )

    def answers(self) -> bool:
        """Return whether something listens at the server's address."""
        try:
            socket.create_connection((self.host, self.port), PROBE_TIMEOUT_S).close()
        except OSError:
            return False
        return True

    def devices(self) -> list[Listed]:
        """Return the devices that the server knows, whatever their state.

        Raises:
            DeviceTimeout: the server did not answer.
            EnvironmentFault: it cannot be started.
        """
        self.ensure()
        try:
            # Not AdbClient.list: it cuts serials and states at their first blank.
            with self.client.make_connection() as connection:
                connection.send_command("host:devices-l")
                connection.check_okay()
                return parse_listing(connection.read_string_block())
        except AdbTimeout as error:
            raise DeviceTimeout(
                f"the adb server at {self.host}:{self.port} gave no list of devices within "
                f"{QUERY_TIMEOUT_S:g} s"
            ) from error
        except (AdbError, OSError, ValueError) as error:
            raise DeviceDisconnected(f"the adb server gave no list of devices: {error}") from error

    def choose(self, serial: str | None = None) -> str:
        """Return the serial to work with: a given one, that of ANDROID_SERIAL, or the only one.

        Devices that are ready come before those that are not. A bare IP address gets adb's port.

        Raises:
            DeviceDisconnected: there is none.
            UsageError: there are several.
        """
        if named := (serial or os.environ.get("ANDROID_SERIAL", "")).strip():
            return with_port(named)
        devices = self.devices()
        candidates = [device for device in devices if device.ready] or devices
        if not candidates:
            raise DeviceDisconnected(f"adb lists no device: {HOW_TO_ATTACH}")
        if len(candidates) > 1:
            raise UsageError(_several(candidates))
        return candidates[0].serial

    def await_device(self, serial: str, timeout_s: float, known: bool = False) -> int:
        """Wait until a device is ready and return its transport's number.

        A serial of the form HOST:PORT is connected to where the server does not list it, and
        taken off the list again where nothing comes of it.

        Args:
            serial: The device.
            timeout_s: How long to wait where that may help.
            known: Whether the device was there before; then it is waited for while it is absent.

        Raises:
            DeviceUnauthorized: it is there and does not permit debugging.
            DeviceDisconnected: it is not there within `timeout_s`.
        """
        deadline = Deadline(timeout_s, serial)
        patience = Deadline(min(timeout_s, PATIENCE_S), serial)
        connected, said = False, ""
        while True:
            devices = self.devices()
            found = next((device for device in devices if device.serial == serial), None)
            if found is not None and found.ready:
                return found.transport_id
            if found is None and is_address(serial) and not deadline.passed:
                connected, said = True, self._connect(serial, deadline)
            may_come = found.may_get_ready if found else known or _may_answer(serial, said)
            if deadline.passed or (patience.passed and not may_come):
                break
            time.sleep(POLL_PAUSE_S)
        waited = deadline if deadline.passed else patience
        refusal = self._refusal(serial, devices, said, waited.timeout_s)
        if connected and not known and not isinstance(refusal, DeviceUnauthorized):
            self.disconnect(serial)
        raise refusal

    def disconnect(self, address: str) -> None:
        """Take HOST:PORT off the server's list; a server that does not run needs nothing.

        Asked on a socket of our own, because adbutils would start a server to ask it that.
        """
        request = f"host:disconnect:{address}".encode()
        with suppress(OSError), socket.create_connection((self.host, self.port)) as connection:
            connection.settimeout(QUERY_TIMEOUT_S)
            connection.sendall(b"%04x%b" % (len(request), request))
            connection.recv(4)

    def _connect(self, address: str, deadline: Deadline) -> str:
        """Ask the server to connect to an address; return what it says, which is no verdict."""
        try:
            timeout_s = min(QUERY_TIMEOUT_S, max(deadline.left_s(), POLL_PAUSE_S))
            return str(self.client.connect(address, timeout=timeout_s))
        except AdbTimeout:
            return "adb could not connect in time"
        except (AdbError, OSError, DeviceTimeout) as error:
            return str(error)

    def _refusal(
        self, serial: str, devices: Sequence[Listed], said: str, waited_s: float
    ) -> EnvironmentFault:
        """Return what to raise about a device that was not ready in time.

        Args:
            serial: The device.
            devices: What the server lists.
            said: What it said when it was asked to connect; empty where it was not.
            waited_s: How long the device was waited for.
        """
        found = next((device for device in devices if device.serial == serial), None)
        if found is not None and found.asks:
            return DeviceUnauthorized(f"{serial} {found.trouble}")
        others = present([device for device in devices if device is not found])
        if found is not None and not said:
            why = found.trouble
        elif is_address(serial):
            why = (
                f"cannot be connected to ({self._reason(serial, said)}); {HOW_TO_LISTEN}; {others}"
            )
        else:
            why = f"is not connected; {others}; {HOW_TO_ATTACH}"
        return DeviceDisconnected(f"{serial} was not ready within {waited_s:g} s: it {why}")

    def _reason(self, address: str, said: str) -> str:
        """Return why an address cannot be connected to; adb gives no reason where it gave up."""
        if not is_local(self.host):
            return said
        reason = why_unreachable(address)
        return said if reason in said.lower() else f"{said}: {reason}"


def _may_answer(serial: str, said: str) -> bool:
    """Return whether an address that was not connected to yet may be, by what adb said."""
    refused = any(word in said.lower() for word in ("refused", "resolve", "bad port"))
    return is_address(serial) and not refused


def _several(devices: Sequence[Listed]) -> str:
    """Return the message that asks for one of several devices."""
    listed = ", ".join(
        f"{device.as_spec()}{f' ({device.model})' if device.model else ''}"
        f"{'' if device.ready else f', which {device.trouble}'}"
        for device in devices
    )
    same = devices[0].model and len({device.model for device in devices}) == 1
    hint = "; these may be one phone that is connected twice, then either will do" if same else ""
    return f"there are several devices; name one of them: {listed}{hint}"
