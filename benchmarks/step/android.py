"""A step on the simulated phone by part, beside plain adbutils, in one run.

Both sides drive the same simulated phone through the same adb server, taking turns. The phone's
own time, which a physical phone would spend otherwise, is taken from the phone and shown apart.
"""

import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from xml.etree import ElementTree

import numpy as np

from benchmarks.step.android_readers import READERS, Reading
from eyehand.actions import Point
from eyehand.actions.android import OpenApp, Tap, Wait
from eyehand.envs.android.environment import AndroidEnvironment
from eyehand.envs.android.server import AdbServer
from eyehand.envs.phone.adb.device import AdbDevice
from eyehand.envs.phone.screen import PhoneScreen
from eyehand.errors import EnvironmentFault

PARTS = ("act", "settle", "capture", "other")
OURS, PLAIN = "eyehand", "adbutils: click, screenshot"
_BOUNDS = re.compile(r"\[(\d+),(\d+)\]\[(\d+),(\d+)\]")

Progress = Callable[[str], None]


@dataclass
class Turn:
    """Steps of one side in one round, in seconds.

    Attributes:
        step_s: Each step, whole.
        parts_s: Each step by part.
        phone_s: Of each step, the time in which the phone drew its own screen.
    """

    step_s: list[float]
    parts_s: list[dict[str, float]]
    phone_s: list[float]


@dataclass
class Wired:
    """The simulated phone, and both ways to it."""

    screen: PhoneScreen
    phone: AdbDevice
    environment: AndroidEnvironment
    target: tuple[int, int] = (0, 0)

    @property
    def plain(self) -> Any:
        """The device as adbutils has it."""
        return self.environment.device


def bench_android(rounds: int, steps: int, progress: Progress) -> dict[str, Any]:
    """Measure and return the document that `--json` prints.

    Args:
        rounds: In each, every side takes `steps` steps and reads one capture in each way.
        steps: Taps a round and side.
        progress: Told each round as it begins.

    Raises:
        EnvironmentFault: the phone, the adb server or the browser failed.
    """
    turns: dict[str, list[Turn]] = {OURS: [], PLAIN: []}
    readings: dict[str, list[Reading]] = {name: [] for name in READERS}
    with simulated_phone() as wired:
        sides = {OURS: our_steps, PLAIN: plain_steps}
        progress("warming up, not counted")
        for play in sides.values():
            play(wired, 1)
        for number in range(1, rounds + 1):
            progress(f"round {number} of {rounds}")
            for name in list(sides)[:: 1 if number % 2 else -1]:
                turns[name].append(sides[name](wired, steps))
            for name in list(READERS)[:: 1 if number % 2 else -1]:
                readings[name].append(_checked(name, READERS[name](wired.environment), wired))
        return {
            "screen": list(wired.screen.current_size),
            "rounds": rounds,
            "steps": steps,
            "machine": _machine(wired.environment),
            "rows": [_row(name, made) for name, made in turns.items()],
            "captures": [_capture_row(name, made) for name, made in readings.items()],
            "ratios": [
                {"against": name, **_spread(_quotients(readings[name], readings[OURS]))}
                for name in READERS
                if name != OURS
            ],
        }


@contextmanager
def simulated_phone() -> Iterator[Wired]:
    """Switch a phone of 1080x2400 on, connect it, and open a page with a switch on it."""
    with ExitStack() as stack:
        screen = stack.enter_context(PhoneScreen())
        screen.open()
        phone = stack.enter_context(AdbDevice(screen))
        server = AdbServer()
        stack.callback(server.client.disconnect, phone.address)
        environment = AndroidEnvironment(phone.address)
        stack.callback(environment.close)
        environment.reset()
        wired = Wired(screen, phone, environment)
        environment.step(OpenApp(app="Settings"))
        _tap_node(wired, lambda node: node.get("resource-id", "").endswith("/network"))
        wired.target = _middle(wired, lambda node: node.get("checkable") == "true")
        yield wired


def our_steps(wired: Wired, steps: int) -> Turn:
    """Tap the switch through the environment: act, settle, capture."""
    turn = Turn([], [], [])
    width, height = wired.screen.current_size
    x, y = wired.target
    action = Tap(point=Point(x=(x + 0.5) / width, y=(y + 0.5) / height))
    # See what the other side did meanwhile, or the first tap would seem to have changed nothing.
    wired.environment.step(Wait(seconds=0.1))
    for _ in range(steps):
        logged, began_s = len(wired.phone.log), time.perf_counter()
        observation, *_, info = wired.environment.step(action)
        step_s = time.perf_counter() - began_s
        if observation.feedback:
            raise EnvironmentFault(f"the tap changed nothing: {observation.feedback}")
        _add(turn, wired, logged, step_s, info["timings_s"])
    return turn


def plain_steps(wired: Wired, steps: int) -> Turn:
    """Tap the switch and capture with adbutils alone, which does not settle."""
    turn = Turn([], [], [])
    device = wired.plain
    for _ in range(steps):
        logged, began_s = len(wired.phone.log), time.perf_counter()
        device.click(*wired.target)
        clicked_s = time.perf_counter()
        pixels = np.asarray(device.screenshot())
        ended_s = time.perf_counter()
        if not pixels.any():
            raise EnvironmentFault("adbutils gave a black screen: its capture failed")
        parts = {"act": clicked_s - began_s, "capture": ended_s - clicked_s}
        _add(turn, wired, logged, ended_s - began_s, parts)
    return turn


def _add(turn: Turn, wired: Wired, logged: int, step_s: float, parts_s: dict[str, float]) -> None:
    turn.step_s.append(step_s)
    turn.parts_s.append({**parts_s, "other": step_s - sum(parts_s.values())})
    turn.phone_s.append(sum(record.capture_s for record in wired.phone.log[logged:]))


def _checked(name: str, reading: Reading, wired: Wired) -> Reading:
    """Return a reading of the right size; anything else is no measurement."""
    height, width = reading.pixels.shape[:2]
    if (width, height) != wired.screen.current_size or not reading.pixels.any():
        raise EnvironmentFault(f"{name} gave {width}x{height}, or a black screen")
    return reading


def _tap_node(wired: Wired, wanted: Callable[[ElementTree.Element], bool]) -> None:
    width, height = wired.screen.current_size
    x, y = _middle(wired, wanted)
    wired.environment.step(Tap(point=Point(x=x / width, y=y / height)))


def _middle(wired: Wired, wanted: Callable[[ElementTree.Element], bool]) -> tuple[int, int]:
    """Return the middle of the first node that is wanted, in device pixels."""
    for node in ElementTree.fromstring(wired.screen.hierarchy()).iter("node"):
        bounds = _BOUNDS.fullmatch(node.get("bounds", ""))
        if bounds and wanted(node):
            left, top, right, bottom = map(int, bounds.groups())
            return (left + right) // 2, (top + bottom) // 2
    raise EnvironmentFault("the simulated phone's settings show nothing to tap")


def _row(name: str, turns: list[Turn]) -> dict[str, Any]:
    """Return a side's times, JSON-ready, in seconds."""
    parts = [step for turn in turns for step in turn.parts_s]
    return {
        "name": name,
        "step_s": _spread([s for turn in turns for s in turn.step_s]),
        "parts_s": {p: round(statistics.median(s.get(p, 0.0) for s in parts), 5) for p in PARTS},
        "phone_s": _spread([s for turn in turns for s in turn.phone_s]),
    }


def _capture_row(name: str, readings: list[Reading]) -> dict[str, Any]:
    return {
        "name": name,
        "phone_s": _spread([r.phone_s for r in readings]),
        "move_s": _spread([r.move_s for r in readings]),
        "decode_s": _spread([r.decode_s for r in readings]),
        "move_and_decode_s": _spread([r.move_s + r.decode_s for r in readings]),
        "bytes": readings[-1].size_bytes,
    }


def _quotients(above: list[Reading], below: list[Reading]) -> list[float]:
    pairs = zip(above, below, strict=True)
    return [(a.move_s + a.decode_s) / (b.move_s + b.decode_s) for a, b in pairs]


def _spread(values: list[float]) -> dict[str, float]:
    numbers = {"median": statistics.median(values), "low": min(values), "high": max(values)}
    return {name: round(value, 5) for name, value in numbers.items()}


def _machine(environment: AndroidEnvironment) -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "adbutils": version("adbutils"),
        "adb_server": environment.server.client.server_version(),
    }
