"""`sync:`: files to and from the phone (packages/modules/adb/SYNC.TXT)."""

import posixpath
import stat
import struct
from collections.abc import Callable

from eyehand.envs.phone.adb.stream import Stream
from eyehand.envs.phone.shell.files import DIRECTORY_MODE, FILE_MODE, Entry, MemoryFiles

REQUEST = struct.Struct("<4sI")
STAT_V1 = struct.Struct("<4s3I")  # id, mode, size, time
STAT_V2 = struct.Struct("<4sI2Q4IQ3q")  # id, error, dev, ino, mode, links, uid, gid, size, times
DENT_V1 = struct.Struct("<4s4I")  # id, mode, size, time, length of the name
DENT_V2 = struct.Struct("<4sI2Q4IQ3qI")
DATA_BYTES = 64 * 1024
NO_SUCH_FILE = 2
SHELL_USER = 2000


def serve_sync(stream: Stream, files: MemoryFiles) -> None:
    """Answer sync requests until QUIT.

    Raises:
        StreamClosed: the client left.
    """
    while True:
        name, length = REQUEST.unpack(stream.read(REQUEST.size))
        handler = HANDLERS.get(name)
        if name == b"QUIT" or handler is None:
            return
        path = stream.read(length).decode("utf-8", "replace")
        handler(stream, files, path)


def _stat_v1(stream: Stream, files: MemoryFiles, path: str) -> None:
    entry = files.get(path)
    mode, size, time_s = _numbers(entry)
    stream.write(STAT_V1.pack(b"STAT", mode, size, time_s))


def _stat_v2(name: bytes) -> Callable[[Stream, MemoryFiles, str], None]:
    def answer(stream: Stream, files: MemoryFiles, path: str) -> None:
        stream.write(STAT_V2.pack(name, *_numbers_v2(files.get(path))))

    return answer


def _list_v1(stream: Stream, files: MemoryFiles, path: str) -> None:
    for name, entry in files.entries(path).items():
        encoded = name.encode()
        stream.write(DENT_V1.pack(b"DENT", *_numbers(entry), len(encoded)) + encoded)
    stream.write(DENT_V1.pack(b"DONE", 0, 0, 0, 0))


def _list_v2(stream: Stream, files: MemoryFiles, path: str) -> None:
    for name, entry in files.entries(path).items():
        encoded = name.encode()
        stream.write(DENT_V2.pack(b"DNT2", *_numbers_v2(entry), len(encoded)) + encoded)
    stream.write(DENT_V2.pack(b"DONE", *[0] * 12))


def _receive(stream: Stream, files: MemoryFiles, path: str) -> None:
    """RECV: the client pulls a file."""
    entry = files.get(path)
    if entry is None or entry.is_directory:
        reason = "No such file or directory" if entry is None else "read failed: Is a directory"
        _fail(stream, reason)
        return
    content = memoryview(entry.content)
    for start in range(0, len(content), DATA_BYTES):
        piece = content[start : start + DATA_BYTES]
        stream.write(REQUEST.pack(b"DATA", len(piece)) + piece)
    stream.write(REQUEST.pack(b"DONE", 0))


def _send(stream: Stream, files: MemoryFiles, path_and_mode: str) -> None:
    """SEND: the client pushes a file, "PATH,MODE" with the mode in decimal."""
    path, _, mode = path_and_mode.rpartition(",")
    content = bytearray()
    while True:
        name, number = REQUEST.unpack(stream.read(REQUEST.size))
        if name == b"DONE":
            break
        content += stream.read(number)
    permissions = stat.S_IMODE(int(mode)) if mode.isdecimal() else stat.S_IMODE(FILE_MODE)
    files.make_directory(posixpath.dirname(path))
    if files.write(path, bytes(content), stat.S_IFREG | permissions):
        stream.write(REQUEST.pack(b"OKAY", 0))
    else:
        _fail(stream, f"couldn't create file: {path}")


def _fail(stream: Stream, reason: str) -> None:
    message = reason.encode()
    stream.write(REQUEST.pack(b"FAIL", len(message)) + message)


def _numbers(entry: Entry | None) -> tuple[int, int, int]:
    if entry is None:
        return 0, 0, 0
    return entry.mode, len(entry.content), entry.modified_s


def _numbers_v2(entry: Entry | None) -> tuple[int, ...]:
    mode, size, time_s = _numbers(entry)
    error = NO_SUCH_FILE if entry is None else 0
    links = 2 if mode == DIRECTORY_MODE else 1
    user = SHELL_USER
    return (error, 1, 1, mode, links, user, user, size, time_s, time_s, time_s)


HANDLERS: dict[bytes, Callable[[Stream, MemoryFiles, str], None]] = {
    b"STAT": _stat_v1,
    b"STA2": _stat_v2(b"STA2"),
    b"LST2": _stat_v2(b"LST2"),
    b"LIST": _list_v1,
    b"LIS2": _list_v2,
    b"RECV": _receive,
    b"SEND": _send,
}
