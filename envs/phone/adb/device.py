"""The device: listens on loopback, and answers adb servers as a phone's daemon does."""

import random
import socket
import struct
import threading
from contextlib import suppress

from eyehand.envs.phone.adb.connection import Connection
from eyehand.envs.phone.adb.shell_service import run_command
from eyehand.envs.phone.adb.stream import Stream
from eyehand.envs.phone.adb.sync_service import serve_sync
from eyehand.envs.phone.faults import Faults
from eyehand.envs.phone.shell.files import MemoryFiles
from eyehand.envs.phone.shell.hardware import PhoneHardware
from eyehand.envs.phone.shell.properties import MODEL, PRODUCT
from eyehand.envs.phone.shell.screencap import capture, to_rgba
from eyehand.envs.phone.shell.system import CommandRecord, PhoneSystem
from eyehand.errors import EyehandError, UsageError

HOST = "127.0.0.1"
# Below the range from which outgoing connections take their ports, so that a device that dropped
# finds its port free; adb takes 5555 to 5585 for emulators by itself.
PORTS = range(20000, 30000)
ATTEMPTS = 100
JOIN_TIMEOUT_S = 5.0
FEATURES = "shell_v2,cmd,stat_v2,ls_v2,fixed_push_mkdir"
FRAMEBUFFER_HEADER = struct.Struct("<13I")


class AdbDevice:
    """A simulated phone that real adb servers connect to: `adb connect ADDRESS`.

    Nothing of the host is reached: commands are Python functions, files are in memory.

    Args:
        screen: The phone's screen.
        faults: What goes wrong; may be switched while it runs.
        serial_name: Its `ro.serialno`.
        port: The port to listen on; 0 takes a free one.

    Attributes:
        faults: The switches.
        system: The phone behind the shell: its files, settings and log.
    """

    def __init__(
        self,
        screen: PhoneHardware,
        *,
        faults: Faults | None = None,
        serial_name: str = "EYEHAND0001",
        port: int = 0,
    ) -> None:
        self.faults = faults if faults is not None else Faults()
        self.system = PhoneSystem(screen, self.faults, serial_name)
        self.port = port
        self._lock = threading.RLock()
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._connections: set[Connection] = set()
        self._comeback: threading.Timer | None = None
        self.reset()

    @property
    def address(self) -> str:
        """Its host and port, which is its serial for adb clients."""
        return f"{HOST}:{self.port}"

    @property
    def commands(self) -> list[str]:
        """Every command line that reached the phone's shell, in order."""
        return [record.line for record in self.system.log]

    @property
    def log(self) -> list[CommandRecord]:
        """The same with what ran, what was found in it and how long it took."""
        return self.system.log

    @property
    def injections(self) -> list[str]:
        """Every `$(...)` and back-tick substitution that reached the shell; none was run."""
        return [each for record in self.system.log for each in record.injections]

    def start(self) -> None:
        """Listen. Starting twice is fine; a dropped device comes back on its port.

        Raises:
            UsageError: the port is taken.
        """
        with self._lock:
            self._cancel_comeback()
            if self._listener is not None:
                return
            self._listener = self._bind()
            self.port = self._listener.getsockname()[1]
            self._acceptor = threading.Thread(
                target=self._accept, args=(self._listener,), name="phone-adbd", daemon=True
            )
            self._acceptor.start()
        self.faults.attach(self.drop)

    def drop(self, back_after_s: float | None = None) -> None:
        """Vanish: cut all connections and listen no more.

        Args:
            back_after_s: Seconds until it listens again; None: not before `start`.
        """
        with self._lock:
            self._vanish()
            if back_after_s is not None:
                self._comeback = threading.Timer(back_after_s, self._come_back)
                self._comeback.daemon = True
                self._comeback.start()

    def allow(self) -> None:
        """Tap "Allow" on the phone: connections that wait unauthorised are let in."""
        self.faults.unauthorized = False
        for connection in tuple(self._connections):
            connection.allow()

    def reset(self) -> None:
        """Forget files, settings and the log, for the next episode; the screen is not touched."""
        system = self.system
        system.files = MemoryFiles()
        system.settings.clear()
        system.log.clear()
        system.enabled_imes = {system.screen.ime, *system.screen.imes[:1]}

    def close(self) -> None:
        """End everything. Closing twice is fine."""
        self.faults.detach(self.drop)
        with self._lock:
            self._vanish()
        acceptor = self._acceptor
        if acceptor is not None and acceptor is not threading.current_thread():
            acceptor.join(JOIN_TIMEOUT_S)

    def __enter__(self) -> "AdbDevice":
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _bind(self) -> socket.socket:
        wanted = [self.port] * ATTEMPTS if self.port else random.sample(PORTS, ATTEMPTS)
        for port in wanted:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, port))
                listener.listen()
            except OSError:
                listener.close()
                continue
            return listener
        raise UsageError(f"cannot listen on {HOST}:{self.port or PORTS}: close what uses the port")

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(
                connected, self._banner(), self._serve, lambda: not self.faults.unauthorized
            )
            with self._lock:
                if self._listener is not listener:
                    connection.cut()
                    return
                self._connections.add(connection)
            threading.Thread(
                target=self._run, args=(connection,), name="phone-connection", daemon=True
            ).start()

    def _run(self, connection: Connection) -> None:
        connection.run()
        with self._lock:
            self._connections.discard(connection)

    def _vanish(self) -> None:
        self._cancel_comeback()
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            self._listener.close()
            self._listener = None
        for connection in tuple(self._connections):
            connection.cut()

    def _come_back(self) -> None:
        with self._lock:
            if self._comeback is not None:
                self.start()

    def _cancel_comeback(self) -> None:
        if self._comeback is not None:
            self._comeback.cancel()
            self._comeback = None

    def _banner(self) -> str:
        return (
            f"device::ro.product.name={PRODUCT};ro.product.model={MODEL};"
            f"ro.product.device={PRODUCT};features={FEATURES}"
        )

    def _serve(self, service: str, stream: Stream) -> None:
        """Run a service by its name; one that is not here is refused by closing the stream."""
        kind = service.partition(":")[0]
        if kind.partition(",")[0] in ("shell", "exec"):
            run_command(service, stream, self.system, self.drop)
        elif kind == "sync":
            self._await_open(service, stream)
            serve_sync(stream, self.system.files)
        elif kind == "framebuffer":
            self._await_open(service, stream)
            self._send_framebuffer(stream)
        else:
            stream.refuse()

    def _await_open(self, service: str, stream: Stream) -> None:
        if self.faults.hang_in_open and self.faults.hits(service):
            stream.wait_closed()
        stream.accept()

    def _send_framebuffer(self, stream: Stream) -> None:
        """Send one picture: version, depth, size and the place of each colour, then RGBA."""
        record = CommandRecord("", "framebuffer")
        try:
            pixels = to_rgba(capture(self.system, record, 0))
        except EyehandError:
            return  # a phone that cannot capture closes the stream without a word
        height, width = pixels.shape[:2]
        red, green, blue, alpha = ((shift, 8) for shift in (0, 8, 16, 24))
        colours = (*red, *blue, *green, *alpha)
        stream.write(FRAMEBUFFER_HEADER.pack(1, 32, pixels.nbytes, width, height, *colours))
        stream.write(pixels.data.cast("B"))
