"""One raw capture through several readers, each cut in the phone's time, the move and the decode.

The phone's time ends with the first byte that arrives; from then on the bytes are moved.
"""

import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eyehand.envs.android.capture import read_raw
from eyehand.envs.android.environment import AndroidEnvironment
from eyehand.envs.android.link import read_all
from eyehand.envs.android.server import Deadline
from eyehand.envs.env import Pixels
from eyehand.errors import EnvironmentFault

LIMIT_S = 120.0
HEADER_BYTES = 16


@dataclass
class Reading:
    """One capture that was read.

    Attributes:
        phone_s: From the request to the first byte.
        move_s: From the first byte to the last.
        decode_s: From the last byte to RGB pixels.
        size_bytes: How many bytes came.
        pixels: RGB uint8 (H, W, 3).
    """

    phone_s: float
    move_s: float
    decode_s: float
    size_bytes: int
    pixels: Pixels


def read_ours(environment: AndroidEnvironment) -> Reading:
    """Read with eyehand's own reader: 256 KB pieces into one buffer, channel by channel."""
    link = environment.link
    deadline = Deadline(LIMIT_S, "screencap")
    began_s = time.perf_counter()
    opened = link.open("exec:screencap", deadline)
    with opened:
        _await_first_byte(opened)
        first_s = time.perf_counter()
        data = read_all(opened, deadline, environment.capture_bytes)
    moved_s = time.perf_counter()
    frame = read_raw(data)
    if frame.failure:
        raise EnvironmentFault(f"the capture failed: {frame.failure}")
    pixels = frame.pixels()
    ended_s = time.perf_counter()
    return Reading(first_s - began_s, moved_s - first_s, ended_s - moved_s, len(data), pixels)


def read_shell(environment: AndroidEnvironment) -> Reading:
    """Read as `AdbDevice.shell("screencap", encoding=None)` does, with its own functions."""
    device = environment.device
    began_s = time.perf_counter()
    connection = device.open_shell("screencap")
    try:
        connection.conn.settimeout(LIMIT_S)
        _await_first_byte(connection.conn)
        first_s = time.perf_counter()
        data: bytes = connection.read_until_close(encoding=None)
    finally:
        connection.close()
    moved_s = time.perf_counter()
    width, height = np.frombuffer(data, np.uint32, 2)
    sent = np.frombuffer(data, np.uint8, offset=HEADER_BYTES).reshape(int(height), int(width), 4)
    pixels = np.ascontiguousarray(sent[:, :, :3])
    ended_s = time.perf_counter()
    return Reading(first_s - began_s, moved_s - first_s, ended_s - moved_s, len(data), pixels)


def _await_first_byte(opened: socket.socket) -> None:
    """Wait until a socket has something to read."""
    if not select.select([opened], [], [], LIMIT_S)[0]:
        raise EnvironmentFault(f"the phone sent nothing in {LIMIT_S:g} s")


READERS: dict[str, Callable[[AndroidEnvironment], Reading]] = {
    "eyehand": read_ours,
    "adbutils: shell(encoding=None)": read_shell,
}
"""Every reader by the name of its row."""
