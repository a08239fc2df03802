"""What this process holds: threads, open files, memory, what runs below it, temporary folders."""

import gc
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from eyehand.actions import Action
from eyehand.envs.env import Environment
from eyehand.envs.registry import make
from eyehand.errors import ModelFeedback

KIB = 1024


@dataclass(frozen=True)
class Footprint:
    """What a process holds.

    Attributes:
        threads: Its threads.
        files: Its open files, sockets and pipes.
        children: Processes below it, an adb server and Python's resource tracker aside, which stay.
        folders: Names in its folder for temporary files, an adb server's log aside.
        memory_mb: Its resident memory.
        below_mb: What the processes below it have, shared memory by their share.
    """

    threads: int
    files: int
    children: int
    folders: int
    memory_mb: float
    below_mb: float

    @classmethod
    def now(cls) -> "Footprint":
        """Return this process's."""
        gc.collect()
        below = list(_below(os.getpid()))
        return cls(
            len(os.listdir("/proc/self/task")),
            len(os.listdir("/proc/self/fd")),
            len(below),
            sum(not name.startswith("adb.") for name in os.listdir(tempfile.gettempdir())),
            _field_mb(Path("/proc/self/status"), "VmRSS:"),
            sum(_field_mb(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") for pid in below),
        )


def _field_mb(path: Path, name: str) -> float:
    with suppress(OSError, IndexError):  # it has ended meanwhile
        return int(path.read_text().split(name)[1].split()[0]) / KIB
    return 0.0


def _below(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, task.read_text().split()):
                if not _stays(child):
                    yield child
                    yield from _below(child)


_PYTHONS_OWN = (b"multiprocessing.resource_tracker", b"multiprocessing.forkserver")
"""Processes that Python keeps until a program ends, where it has started others."""


def _stays(pid: int) -> bool:
    program, *words = _command(pid)
    return program.endswith(b"adb") or any(name in w for w in words for name in _PYTHONS_OWN)


def _command(pid: int) -> list[bytes]:
    with suppress(OSError):  # it has ended meanwhile
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return [b""]


def wait_for_none_below(timeout_s: float = 60.0) -> None:
    """Wait until the processes below this one have ended; fails where some have not in that time.

    Processes that end take a while on a busy machine, also after whoever ended them looked away.
    """
    end_s = time.monotonic() + timeout_s
    while Footprint.now().children:
        if time.monotonic() > end_s:
            left = {pid: _command(pid) for pid in _below(os.getpid())}
            raise AssertionError(f"below this process after {timeout_s} s: {left}")
        time.sleep(0.05)


def use(spec: str, seed: int) -> None:
    """Open an environment, begin an episode, act once, close it."""
    with make(spec) as environment:
        environment.reset(seed=seed)
        with suppress(ModelFeedback):
            environment.step(drawn(environment, seed))


def drawn(environment: Environment, seed: int) -> Action:
    """Draw a permitted action that waits for nothing."""
    space = environment.action_space
    space.seed(seed)
    names = [name for name in space.names if name not in ("wait", "answer", "finish")]
    return space.restricted(names or space.names).sample()
