"""What the kill trials kill, in which evaluation, and when."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from benchmarks.trials.trial_processes import below

BROWSER_SUITE = "miniwob:click-tab,miniwob:enter-text"
WORKERS_SUITE = "cards:number-line,miniwob:click-tab"
PHONE_SUITE = "phone:add-contact,phone:set-alarm"
LOOK_AGAIN_S = 0.004
START_S = 0.8
"""The longest that a starting part is given before it is killed."""
STEP_S = 0.4
"""The longest from a step's end to the kill."""

Wanted = Callable[[bytes], bool]


@dataclass(frozen=True)
class Kind:
    """A kind of death.

    Attributes:
        what: What dies, in words.
        suite: What is evaluated meanwhile.
        policy: Who decides.
        episodes: Episodes a task.
        wanted: Whether a command line is a victim's; None is the evaluator itself.
        every: Whether all of them die at once, else one that is drawn.
        at_start: Whether the first one dies soon after it appears, else in mid-evaluation.
        hangs: Whether it is stopped (SIGSTOP) rather than killed.
        workers: Numbers of workers, used in turn.
        ray: Whether the workers are actors on a cluster of two nodes.
        kills: Kills an evaluation, each at another moment; a start costs more than an episode.
    """

    what: str
    suite: str
    wanted: Wanted | None
    policy: str = "random"
    episodes: int = 1
    every: bool = False
    at_start: bool = False
    hangs: bool = False
    workers: tuple[int, ...] = (1, 1, 2)
    ray: bool = False
    kills: int = 2


def is_driver(command: bytes) -> bool:
    """Return whether a command line is that of Playwright's driver."""
    return b" run-driver" in command


def is_chromium(command: bytes) -> bool:
    """Return whether a command line is that of Chromium's first process."""
    return b"--remote-debugging-pi" in command and b"--type=" not in command


def is_renderer(command: bytes) -> bool:
    """Return whether a command line is that of a process that runs pages."""
    return b"--type=renderer" in command


def is_gpu(command: bytes) -> bool:
    """Return whether a command line is that of the process that draws."""
    return b"--type=gpu-process" in command


def _phone(command: bytes) -> bool:
    parts = (is_chromium, is_driver, is_renderer, is_gpu)
    return any(is_part(command) for is_part in parts)


KINDS = {
    "worker": Kind(
        "a worker process",
        WORKERS_SUITE,
        lambda command: b"eyehand.agent.evaluation.worker_process" in command,
        episodes=6,
        workers=(2,),
    ),
    "evaluator": Kind(
        "the evaluator, which goes on with `--resume`",
        WORKERS_SUITE,
        None,
        episodes=6,
        workers=(2,),
        kills=1,
    ),
    "actor": Kind(
        "a worker on a Ray cluster of two nodes",
        WORKERS_SUITE,
        lambda command: command.startswith(b"ray::StationActor"),
        episodes=6,
        workers=(2,),
        ray=True,
    ),
    "driver": Kind("the browser's driver", BROWSER_SUITE, is_driver),
    "hanging-driver": Kind(
        "the driver hangs (SIGSTOP)", BROWSER_SUITE, is_driver, hangs=True, kills=1
    ),
    "chromium-start": Kind("Chromium as it starts", BROWSER_SUITE, is_chromium, at_start=True),
    "chromium": Kind("Chromium in mid-step", BROWSER_SUITE, is_chromium),
    "renderer": Kind("the renderers", BROWSER_SUITE, is_renderer, every=True),
    "gpu": Kind("the GPU process", BROWSER_SUITE, is_gpu),
    "adb-server": Kind(
        "the adb server",
        PHONE_SUITE,
        lambda command: b" fork-server server" in command,
        policy="expert",
    ),
    "phone": Kind(
        "a process of the simulated phone: its Chromium, a renderer, its GPU process or driver",
        PHONE_SUITE,
        _phone,
        policy="expert",
    ),
}  # fmt: skip


def moments(kind: Kind, steps: int, draw: random.Random) -> list[int]:
    """Draw when to kill: after how many records of an evaluation that writes so many."""
    return sorted(draw.sample(range(1, max(2 + kind.kills, steps - 2)), kind.kills))


def await_moment(
    kind: Kind,
    folder: Path,
    running: "Popen[bytes]",
    moment: int,
    draw: random.Random,
    before: frozenset[int],
) -> None:
    """Wait until the moment of a kill, or until the evaluation has ended.

    Args:
        kind: What is to be killed.
        folder: Where the evaluation writes.
        running: The evaluation.
        moment: After how many records.
        draw: Draws how long after.
        before: Victims of earlier kills.
    """
    if kind.at_start:
        _wait(running, lambda: bool(living(kind, running).keys() - before))
        time.sleep(draw.uniform(0, START_S))
        return
    _wait(running, lambda: records(folder, kind.ray) >= moment)
    time.sleep(draw.uniform(0, STEP_S))


def records(folder: Path, rows: bool) -> int:
    """Return how many records an evaluation has written: steps, or rows only."""
    names = "episodes.jsonl" if rows else "*/*/episode.jsonl"
    return sum(path.read_bytes().count(b"\n") for path in folder.glob(names))


def living(kind: Kind, running: "Popen[bytes]") -> dict[int, bytes]:
    """Return who could be killed, with their command lines."""
    if kind.wanted is None:
        return {running.pid: b"eyehand"}
    ancestor = None if kind.ray or kind.what == "the adb server" else running.pid
    return {pid: command for pid, command in below(ancestor).items() if kind.wanted(command)}


def victims(kind: Kind, running: "Popen[bytes]", draw: random.Random) -> dict[int, bytes]:
    """Return whom to kill, with their command lines; nobody where there is none."""
    found = living(kind, running)
    if kind.every or not found:
        return found
    pid = draw.choice(sorted(found))
    return {pid: found[pid]}


def _wait(running: "Popen[bytes]", reached: Callable[[], bool]) -> None:
    while running.poll() is None and not reached():
        time.sleep(LOOK_AGAIN_S)
