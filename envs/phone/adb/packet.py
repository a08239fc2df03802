"""adb's transport packets: 24 bytes of header, then the payload.

Source: the protocol's description in AOSP, packages/modules/adb/protocol.txt.
"""

import socket
import struct
from dataclasses import dataclass

from eyehand.errors import EyehandError


def _word(name: str) -> int:
    return int.from_bytes(name.encode(), "little")


CNXN = _word("CNXN")
AUTH = _word("AUTH")
OPEN = _word("OPEN")
OKAY = _word("OKAY")
WRTE = _word("WRTE")
CLSE = _word("CLSE")

HEADER = struct.Struct("<6I")  # command, arg0, arg1, length, checksum, command ^ 0xffffffff
VERSION = 0x01000001  # from this version on nobody checks checksums
MAX_PAYLOAD_BYTES = 1024 * 1024
AUTH_TOKEN = 1
TOKEN_BYTES = 20

Payload = bytes | bytearray | memoryview


class ProtocolError(EyehandError):
    """The other side does not speak adb's protocol."""


@dataclass(frozen=True)
class Packet:
    """One packet: a command, its two arguments and the payload."""

    command: int
    arg0: int
    arg1: int
    payload: bytes = b""


def send_packet(
    connection: socket.socket, command: int, arg0: int, arg1: int, payload: Payload = b""
) -> None:
    """Send a packet.

    Raises:
        OSError: the connection is gone.
    """
    checksum = sum(payload) if command in (CNXN, AUTH) else 0
    header = HEADER.pack(command, arg0, arg1, len(payload), checksum, command ^ 0xFFFFFFFF)
    if len(payload) <= 4096:
        connection.sendall(header + bytes(payload))  # one segment on the wire
    else:
        connection.sendall(header)
        connection.sendall(payload)


def read_packet(connection: socket.socket) -> Packet | None:
    """Read the next packet; None where the connection ended.

    Raises:
        ProtocolError: the bytes are no packet.
        OSError: the connection broke.
    """
    header = _read_exactly(connection, HEADER.size)
    if header is None:
        return None
    command, arg0, arg1, length, _, magic = HEADER.unpack(header)
    if magic != command ^ 0xFFFFFFFF or length > MAX_PAYLOAD_BYTES:
        raise ProtocolError(f"expected an adb packet, received {header.hex()}")
    payload = _read_exactly(connection, length)
    return None if payload is None else Packet(command, arg0, arg1, payload)


def _read_exactly(connection: socket.socket, count: int) -> bytes | None:
    buffer = bytearray(count)
    view = memoryview(buffer)
    filled = 0
    while filled < count:
        received = connection.recv_into(view[filled:])
        if not received:
            return None
        filled += received
    return bytes(buffer)
