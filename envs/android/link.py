"""One device: commands to its shell and bytes from it, every call with a limit that holds.

What can be asked again (`ask`, `stream`) is asked again after a reconnect. What acts (`act`) never
is: no input is performed twice. `Undelivered` says that nothing of it can have been performed.
"""

import re
import shlex
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from adbutils import AdbDevice
from adbutils.errors import AdbError, AdbTimeout

from eyehand.envs.android.server import AdbServer, Deadline
from eyehand.errors import DeviceDisconnected, DeviceTimeout, EnvironmentFault

CALL_TIMEOUT_S = 10.0
RECONNECT_S = 10.0
CHUNK_BYTES = 256 * 1024
_FIRST_CAPACITY = 1 << 20
TOO_OLD = (
    "the adb server is older than 1.0.41 (2019): end it with `adb kill-server`, and start it with "
    "a newer adb"
)
# Shell protocol, version 2 (packages/modules/adb/shell_protocol.h): id, length, payload.
_PACKET = struct.Struct("<BI")
_STDOUT, _STDERR, _EXIT = 1, 2, 3

# "java.lang.SecurityException: uid 2000 does not have ...", and what follows it.
_REASON = re.compile(r"(?:[\w$.]*(?:Exception|Error)): (\S.*)")
_THROWN = re.compile(r"(?:[\w$]+\.)+[\w$]*(?:Exception|Error)\b")

_T = TypeVar("_T")


class Undelivered(DeviceDisconnected):
    """The device could not be reached, and nothing of the command can have been performed."""


@dataclass(frozen=True)
class ShellResult:
    """What a command said.

    Attributes:
        stdout: Its output, decoded; bytes that are no UTF-8 are replaced.
        stderr: Its error output.
        exit_code: 0 where it succeeded; many of Android's commands fail with 0 too.
    """

    stdout: str
    stderr: str
    exit_code: int

    @property
    def said(self) -> str:
        """Everything it said, on one line."""
        return " ".join(f"{self.stdout} {self.stderr}".split())

    @property
    def refusal(self) -> str:
        """Why it failed, in the phone's words without a stack trace; empty where it did not."""
        lines = [line.strip() for line in f"{self.stderr}\n{self.stdout}".splitlines()]
        # Older Androids end with 0 all the same.
        if not self.exit_code and not any(map(_THROWN.match, lines)):
            return ""
        reasons = [found.group(1) for line in lines if (found := _REASON.match(line))]
        told = next(iter([*reasons, *filter(None, lines)]), f"status {self.exit_code}")
        return told[:200].rstrip(".")


class DeviceLink:
    """A device of an adb server, addressed by its serial.

    Args:
        server: The adb server, 1.0.41 (2019) or newer.
        serial: The device; HOST:PORT is connected to where the server does not know it.
        call_timeout_s: Limit of one call, the opening of its stream included.
        reconnect_s: How long a device that dropped may take to return.

    Attributes:
        reconnects: How often the device was away; an older screen may no longer be shown.
    """

    def __init__(
        self,
        server: AdbServer,
        serial: str,
        call_timeout_s: float = CALL_TIMEOUT_S,
        reconnect_s: float = RECONNECT_S,
    ) -> None:
        self.server = server
        self.serial = serial
        self.call_timeout_s = call_timeout_s
        self.reconnect_s = reconnect_s
        self.reconnects = 0
        self._transport_id = 0

    @property
    def device(self) -> Any:
        """The device as an object of adbutils, for actions of one's own."""
        return AdbDevice(self.server.client, serial=self.serial)

    def connect(self, timeout_s: float | None = None) -> None:
        """Wait until the device is ready, at most `reconnect_s`.

        Raises:
            DeviceUnauthorized: it does not permit debugging.
            DeviceDisconnected: it is not there.
        """
        limit_s = self.reconnect_s if timeout_s is None else timeout_s
        known = self._transport_id != 0
        self._transport_id = self.server.await_device(self.serial, limit_s, known)

    def ask(self, *argv: str, timeout_s: float | None = None) -> ShellResult:
        """Run a command that changes nothing; after a reconnect it is run again.

        Args:
            argv: The command and its arguments; each is quoted for the device's shell.
            timeout_s: Limit of the call; `call_timeout_s` by default.

        Raises:
            DeviceTimeout: it took longer.
            DeviceDisconnected: the device is gone and did not return in time.
        """
        return self.ask_all(argv, timeout_s=timeout_s)

    def ask_all(self, *commands: tuple[str, ...], timeout_s: float | None = None) -> ShellResult:
        """Run commands that may be run again, each where the one before succeeded, in one call.

        Raises:
            DeviceTimeout: they took longer.
            DeviceDisconnected: the device is gone and did not return in time.
        """
        return self._again(lambda: self._shell(joined(commands), timeout_s))

    def ask_line(self, line: str, timeout_s: float | None = None) -> ShellResult:
        """Run a line of the user's own as it is written; after a reconnect it is run again.

        Nothing that a model wrote may be part of it.

        Raises:
            DeviceTimeout: it took longer.
            DeviceDisconnected: the device is gone and did not return in time.
        """
        return self._again(lambda: self._shell(line, timeout_s))

    def act(self, *commands: tuple[str, ...], timeout_s: float | None = None) -> ShellResult:
        """Run commands that act, one after another in one call.

        The second runs only where the first succeeded, and so on.

        Raises:
            DeviceTimeout: they took longer; they may have been performed.
            Undelivered: the device is gone, and none was performed.
            DeviceDisconnected: the device went away meanwhile; they may have been performed.
        """
        return self._shell(joined(commands), timeout_s)

    def stream(self, *argv: str, capacity: int = 0, timeout_s: float | None = None) -> bytearray:
        """Run a command that changes nothing and return all bytes of its standard output.

        Args:
            argv: The command and its arguments.
            capacity: About how many bytes are expected; a good guess saves copies.
            timeout_s: Limit of the call.

        Raises:
            DeviceTimeout: it took longer.
            DeviceDisconnected: the device is gone and did not return in time.
        """

        def read() -> bytearray:
            deadline = self._deadline(argv[0], timeout_s)
            opened = self.open(f"exec:{quoted(argv)}", deadline)
            try:
                return read_all(opened, deadline, capacity)
            finally:
                opened.close()

        return self._again(read)

    # --- one call -------------------------------------------------------------------------

    def _again(self, call: Callable[[], _T]) -> _T:
        """Call; where the device went away, wait until it is back and call once more."""
        try:
            return call()
        except DeviceDisconnected:
            self.connect()
            self.reconnects += 1
        try:
            return call()
        except Undelivered as error:
            raise DeviceDisconnected(str(error)) from error

    def _shell(self, line: str, timeout_s: float | None) -> ShellResult:
        deadline = self._deadline(line.split(" ", 1)[0], timeout_s)
        opened = self.open(f"shell,v2:{line}", deadline)
        try:
            return parse_packets(read_all(opened, deadline), self.serial)
        finally:
            opened.close()

    def open(self, service: str, deadline: Deadline) -> socket.socket:
        """Open a stream to a service of the device; the caller closes it.

        Raises:
            DeviceTimeout: the deadline passed.
            Undelivered: the device is gone; the service was not asked for.
            DeviceDisconnected: it went away while the stream was opened, or refuses.
            EnvironmentFault: the adb server is too old.
        """
        self.server.ensure()
        try:
            # Not AdbDevice.open_transport: it leaves the socket open where the server refuses.
            connection = self.server.client.make_connection(timeout=deadline.left_s())
        except AdbTimeout as error:
            raise deadline.timeout() from error
        except (AdbError, OSError) as error:
            raise Undelivered(f"the adb server is gone: {error}") from error
        opened: socket.socket = connection.conn
        delivered = False
        try:
            # By serial: a server that was restarted gives old transport numbers to other devices.
            connection.send_command(f"host:tport:serial:{self.serial}")
            connection.check_okay()
            self._noticed(int.from_bytes(connection.read_exact(8), "little"))
            opened.settimeout(deadline.left_s())
            delivered = True
            connection.send_command(service)
            connection.check_okay()
            return opened
        except (AdbTimeout, TimeoutError) as error:
            opened.close()
            raise deadline.timeout() from error
        except (AdbError, OSError, EOFError, ValueError) as error:
            opened.close()
            if "unknown host service" in str(error):
                raise EnvironmentFault(TOO_OLD) from error
            if not delivered:
                raise Undelivered(f"{self.serial} is gone: {error}") from error
            # The device may have received it: a refusal and a death look alike.
            raise DeviceDisconnected(f"{self.serial} gave no stream: {error}") from error
        except DeviceTimeout:
            opened.close()
            raise

    def _noticed(self, transport_id: int) -> None:
        """Count a reconnect that happened between two calls: the transport has a new number."""
        if self._transport_id not in (0, transport_id):
            self.reconnects += 1
        self._transport_id = transport_id

    def _deadline(self, command: str, timeout_s: float | None) -> Deadline:
        limit_s = self.call_timeout_s if timeout_s is None else timeout_s
        return Deadline(limit_s, f"{self.serial}: {command}")


def quoted(argv: tuple[str, ...]) -> str:
    """Return a command line for the device's POSIX shell: every argument arrives as it is."""
    return " ".join(shlex.quote(argument) for argument in argv)


def joined(commands: tuple[tuple[str, ...], ...]) -> str:
    """Return a command line in which each command runs where the one before succeeded."""
    return " && ".join(quoted(argv) for argv in commands)


def read_all(opened: socket.socket, deadline: Deadline, capacity: int = 0) -> bytearray:
    """Read until the stream ends, in pieces of up to 256 KB into one buffer.

    Args:
        opened: The stream.
        deadline: When to give up.
        capacity: About how many bytes are expected.

    Raises:
        DeviceTimeout: the stream did not end in time.
        DeviceDisconnected: the connection broke.
    """
    buffer = bytearray(max(capacity, _FIRST_CAPACITY if capacity else 4096))
    filled = 0
    try:
        while True:
            if filled == len(buffer):
                buffer.extend(bytes(len(buffer)))
            opened.settimeout(deadline.left_s())
            with memoryview(buffer) as view:
                count = opened.recv_into(view[filled : filled + CHUNK_BYTES])
            if not count:
                del buffer[filled:]
                return buffer
            filled += count
    except TimeoutError as error:
        raise deadline.timeout() from error
    except OSError as error:
        raise DeviceDisconnected(f"{deadline.what}: the connection broke: {error}") from error


def parse_packets(data: bytearray, serial: str) -> ShellResult:
    """Split a shell stream into standard output, standard error and the exit code.

    Raises:
        DeviceDisconnected: the stream ended before the exit code: the device went away.
    """
    parts: dict[int, list[bytes]] = {_STDOUT: [], _STDERR: []}
    place = 0
    while place + _PACKET.size <= len(data):
        kind, length = _PACKET.unpack_from(data, place)
        place += _PACKET.size
        payload = bytes(data[place : place + length])
        place += length
        if kind == _EXIT and len(payload) == 1:
            out, err = (b"".join(parts[k]).decode("utf-8", "replace") for k in (_STDOUT, _STDERR))
            return ShellResult(out, err, payload[0])
        if kind in parts:
            parts[kind].append(payload)
    raise DeviceDisconnected(f"{serial} went away in the middle of a command")
