"""What this process holds: threads, open files, memory, what runs below it, temporary folders."""

import gc
import os
import tempfile
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
        children: Processes below it, an adb server aside.
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
                if not _is_adb(child):
                    yield child
                    yield from _below(child)


def _is_adb(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].endswith(b"adb")
    return False


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
