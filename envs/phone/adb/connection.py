"""One adb server's connection: the handshake, then streams side by side."""

import itertools
import os
import socket
import threading
from collections.abc import Callable

from eyehand.envs.phone.adb.packet import (
    AUTH,
    AUTH_TOKEN,
    CLSE,
    CNXN,
    MAX_PAYLOAD_BYTES,
    OKAY,
    OPEN,
    TOKEN_BYTES,
    VERSION,
    WRTE,
    Packet,
    Payload,
    ProtocolError,
    read_packet,
    send_packet,
)
from eyehand.envs.phone.adb.stream import Stream, StreamClosed

Serve = Callable[[str, Stream], None]


class Connection:
    """Speaks with one adb server until either side ends it.

    Args:
        connection: The connected socket; it is closed in the end.
        banner: What the device says of itself, `device::ro.product.name=...;features=...`.
        serve: Runs a service on a stream, on a thread of its own; returns when it has ended, and
            raises StreamClosed where the client left.
        is_authorized: Whether a new connection is let in.
    """

    def __init__(
        self,
        connection: socket.socket,
        banner: str,
        serve: Serve,
        is_authorized: Callable[[], bool],
    ) -> None:
        self._socket = connection
        self._banner = banner
        self._serve = serve
        self._is_authorized = is_authorized
        self._send_lock = threading.Lock()
        self._streams: dict[int, Stream] = {}
        self._ids = itertools.count(1)
        self._max_payload_bytes = 4096
        self._waits_for_person = False

    def run(self) -> None:
        """Handle packets until the connection ends."""
        handlers = {
            CNXN: self._on_connect,
            AUTH: self._on_auth,
            OPEN: self._on_open,
            OKAY: self._on_okay,
            WRTE: self._on_write,
            CLSE: self._on_close,
        }
        try:
            while (packet := read_packet(self._socket)) is not None:
                handler = handlers.get(packet.command)
                if handler is not None:
                    handler(packet)
        except (OSError, ProtocolError):
            pass  # the adb server is told by the end of the connection
        finally:
            self.cut()

    def cut(self) -> None:
        """End the connection at once; its commands stop. Cutting twice is fine."""
        for stream in tuple(self._streams.values()):
            stream.on_close()
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is not connected any more
        self._socket.close()

    def allow(self) -> None:
        """Let a waiting adb server in, as when the person taps "Allow"."""
        if self._waits_for_person:
            self._waits_for_person = False
            self._send(CNXN, VERSION, MAX_PAYLOAD_BYTES, self._banner.encode())

    def _send(self, command: int, arg0: int, arg1: int, payload: Payload = b"") -> None:
        with self._send_lock:
            send_packet(self._socket, command, arg0, arg1, payload)

    def _on_connect(self, packet: Packet) -> None:
        self._max_payload_bytes = min(packet.arg1, MAX_PAYLOAD_BYTES)
        self._waits_for_person = True
        if self._is_authorized():
            self.allow()
        else:
            self._send(AUTH, AUTH_TOKEN, 0, os.urandom(TOKEN_BYTES))

    def _on_auth(self, packet: Packet) -> None:
        """Ask again after a signature; no key is known, and the person decides."""
        if packet.arg0 == 2:
            self._send(AUTH, AUTH_TOKEN, 0, os.urandom(TOKEN_BYTES))

    def _on_open(self, packet: Packet) -> None:
        stream = Stream(self._send, next(self._ids), packet.arg0, self._max_payload_bytes)
        self._streams[stream.local_id] = stream
        service = packet.payload.rstrip(b"\0").decode("utf-8", "replace")
        threading.Thread(
            target=self._run_service, args=(service, stream), name="phone-stream", daemon=True
        ).start()

    def _run_service(self, service: str, stream: Stream) -> None:
        try:
            self._serve(service, stream)
        except (StreamClosed, OSError):
            pass  # nobody is left to tell
        finally:
            stream.close()
            self._streams.pop(stream.local_id, None)

    def _on_okay(self, packet: Packet) -> None:
        stream = self._streams.get(packet.arg1)
        if stream is not None:
            stream.on_okay()

    def _on_write(self, packet: Packet) -> None:
        stream = self._streams.get(packet.arg1)
        if stream is None:
            self._send(CLSE, 0, packet.arg0)
        else:
            stream.on_data(packet.payload)

    def _on_close(self, packet: Packet) -> None:
        """End a stream; one that was never answered is known by the server's number only."""
        stream = self._streams.get(packet.arg1)
        if stream is None:
            peers = (s for s in tuple(self._streams.values()) if s.peer_id == packet.arg0)
            stream = next(peers, None)
        if stream is not None and not stream.closed.is_set():
            stream.on_close()
            self._send(CLSE, stream.local_id, stream.peer_id)
