"""A simulated phone leaves the adb server's list when its program ends, however that comes.

A program that is killed cannot say anything any more, and the server would list its phones as
"offline" for good. So a small process waits for the program's end: this file, run by its path,
which therefore imports nothing of ours at the top.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eyehand.envs.android.server import AdbServer

TIMEOUT_S = 5.0
CLOSED = b"closed"
"""What the waiting process is told when there is nothing left to do."""


@contextmanager
def listed_until_the_end(server: "AdbServer", address: str) -> Iterator[None]:
    """Take a phone off the server's list on leaving, or when this process dies before that.

    Args:
        server: The adb server.
        address: The phone's HOST:PORT.
    """
    waiting = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, server.host, str(server.port), address],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # what ends this process's group shall not end it
    )
    try:
        yield
    finally:
        server.disconnect(address)
        try:
            with suppress(OSError):
                waiting.communicate(CLOSED, TIMEOUT_S)
        except subprocess.TimeoutExpired:  # a busy machine: there is nothing left to wait for
            waiting.kill()
            waiting.wait()


def main(host: str, port: int, address: str) -> None:
    """Wait until standard input ends; then, unless all was closed before, disconnect."""
    if sys.stdin.buffer.read() == CLOSED:
        return
    request = f"host:disconnect:{address}".encode()
    with suppress(OSError), socket.create_connection((host, port), TIMEOUT_S) as connection:
        connection.sendall(b"%04x%b" % (len(request), request))
        connection.recv(4)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
