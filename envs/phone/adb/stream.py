"""One stream of a connection: bytes both ways, one unanswered packet at a time."""

import threading
from collections.abc import Callable
from contextlib import suppress

from eyehand.envs.phone.adb.packet import CLSE, OKAY, WRTE, Payload


class StreamClosed(Exception):
    """The client left, or the connection is gone; the command ends quietly."""


class Stream:
    """A service's end of a stream.

    A service runs on a thread of its own and calls `accept`, `write`, `read` and `close`; the
    connection's thread calls `on_okay`, `on_data` and `on_close`.

    Args:
        send: Sends a packet: command, arg0, arg1, payload.
        local_id: This side's number of the stream.
        peer_id: The adb server's number of it.
        max_payload_bytes: How much one packet may carry.
    """

    def __init__(
        self,
        send: Callable[[int, int, int, Payload], None],
        local_id: int,
        peer_id: int,
        max_payload_bytes: int,
    ) -> None:
        self.local_id = local_id
        self.peer_id = peer_id
        self.max_payload_bytes = max_payload_bytes
        self.closed = threading.Event()
        self._send = send
        self._changed = threading.Condition()
        self._may_write = False
        self._received = bytearray()

    # --- the service's thread ---------------------------------------------------------------

    def accept(self) -> None:
        """Answer the opening."""
        with self._changed:
            self._may_write = True
        self._transmit(OKAY)

    def refuse(self) -> None:
        """Answer the opening with "no such service".

        Raises:
            StreamClosed: always, so that nothing more is sent.
        """
        self.on_close()
        self._send(CLSE, 0, self.peer_id, b"")
        raise StreamClosed

    def write(self, data: Payload) -> None:
        """Send bytes; returns when the last packet is on its way.

        Raises:
            StreamClosed: the client left meanwhile.
        """
        view = memoryview(data)
        for start in range(0, len(view), self.max_payload_bytes):
            self._await_turn()
            self._transmit(WRTE, view[start : start + self.max_payload_bytes])

    def read(self, count: int) -> bytes:
        """Return exactly `count` bytes from the client.

        Raises:
            StreamClosed: the client left before.
        """
        with self._changed:
            self._changed.wait_for(lambda: len(self._received) >= count or self.closed.is_set())
            if len(self._received) < count:
                raise StreamClosed
            data = bytes(self._received[:count])
            del self._received[:count]
            return data

    def close(self) -> None:
        """End the stream once everything written has arrived. Closing twice is fine."""
        with suppress(StreamClosed, OSError):
            self._await_turn()
            self.on_close()
            self._send(CLSE, self.local_id, self.peer_id, b"")

    def wait_closed(self) -> None:
        """Wait until the client leaves, then raise StreamClosed."""
        self.closed.wait()
        raise StreamClosed

    def _await_turn(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._may_write or self.closed.is_set())
            if self.closed.is_set():
                raise StreamClosed
            self._may_write = False

    def _transmit(self, command: int, payload: Payload = b"") -> None:
        try:
            self._send(command, self.local_id, self.peer_id, payload)
        except OSError as error:
            self.on_close()
            raise StreamClosed from error

    # --- the connection's thread --------------------------------------------------------------

    def on_okay(self) -> None:
        """The client has taken the last packet."""
        with self._changed:
            self._may_write = True
            self._changed.notify_all()

    def on_data(self, data: bytes) -> None:
        """The client sent bytes; they are taken at once, whatever the service does."""
        with self._changed:
            self._received += data
            self._changed.notify_all()
        self._send(OKAY, self.local_id, self.peer_id, b"")

    def on_close(self) -> None:
        """The client left, or the connection ended."""
        with self._changed:
            self.closed.set()
            self._changed.notify_all()
