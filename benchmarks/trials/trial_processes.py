"""Processes below this one, also those that left their parents, and what is left of them."""

import ctypes
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
LOOK_AGAIN_S = 0.05


def keep_orphans() -> None:
    """Let processes whose parents die become this one's children, so that none gets away."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def below(ancestor: int | None = None) -> dict[int, bytes]:
    """Return the living processes below one, this one by default, with their command lines."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended in the meantime
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents.setdefault(int(parent), []).append(int(stat.parent.name))
    found: dict[int, bytes] = {}
    waiting = [ancestor or os.getpid()]
    while waiting:
        for pid in parents.get(waiting.pop(), []):
            waiting.append(pid)
            with suppress(OSError):
                found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
    return found


def left(expected: set[int], ignored: tuple[bytes, ...], timeout_s: float) -> dict[int, bytes]:
    """Return what still runs below this process once it had time to end.

    Args:
        expected: Processes that may be there.
        ignored: Words of command lines that may be there.
        timeout_s: How long to wait for the others to end.
    """
    end_s = time.monotonic() + timeout_s
    while True:
        found = {
            pid: command
            for pid, command in below().items()
            if pid not in expected and command and not any(word in command for word in ignored)
        }
        if not found or time.monotonic() > end_s:
            return found
        time.sleep(LOOK_AGAIN_S)


def reap() -> None:
    """Forget the orphans that have ended; call it while no child of one's own is waited for."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def end(processes: dict[int, bytes]) -> None:
    """Kill processes that this one started."""
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
