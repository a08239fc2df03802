"""The runtime's own time a step, beside BrowserGym's, in one run."""

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from benchmarks.browsergym.interpreter import Peer
from benchmarks.step.runners import (
    PEER_VIEWPORT,
    RECOLOUR,
    START,
    WITHOUT_CANVAS,
    OurSide,
    PeerSide,
    Side,
    Times,
    pages_served,
)
from eyehand.envs.miniwob.environment import MiniWobEnvironment
from eyehand.envs.miniwob.tasks import pages_folder
from eyehand.envs.registry import make
from eyehand.envs.web.browser import Browser, find_chromium
from eyehand.envs.web.environment import WebEnvironment
from eyehand.errors import UsageError

FIRST_SEED = 1_000_000
PARTS = ("act", "settle", "capture", "text", "record", "other")
"""The parts of a step, in the order of the table; "text" is what is read beside the pixels."""

# BrowserGym waits at two places: before it observes, and, in its MiniWoB++ tasks, after each
# input event (Playwright's slow_mo).
PEER_VARIANTS: dict[str, dict[str, float]] = {
    "BrowserGym, as it comes": {},
    "BrowserGym, zero delay": {"pre_observation_delay": 0.0},
    "BrowserGym, zero delay and slow_mo": {"pre_observation_delay": 0.0, "slow_mo": 0},
}
CLAIMS_AGAINST = "BrowserGym, zero delay and slow_mo"
"""The row without any delay: the only one that a claim of speed may be made against."""

Progress = Callable[[str], None]


@dataclass
class Row:
    """What a side came to.

    Attributes:
        side: Who.
        first_reset_s: The reset of the uncounted first episode, with the browser's start.
        episodes: The counted episodes, one a round.
    """

    side: Side
    first_reset_s: float = 0.0
    episodes: list[Times] = field(default_factory=list)

    def medians_s(self, without: str = "") -> list[float]:
        """Return the median step of each round, less the part named `without`."""
        return [
            statistics.median(
                step - parts.get(without, 0.0)
                for step, parts in zip(times.step_s, times.parts_s, strict=True)
            )
            for times in self.episodes
        ]

    def parts_s(self) -> dict[str, float]:
        """Return the median of each part over all steps; 0 where a side has no such part."""
        steps = [parts for times in self.episodes for parts in times.parts_s]
        return {p: statistics.median(step.get(p, 0.0) for step in steps) for p in PARTS}

    def to_json(self) -> dict[str, Any]:
        """Return the row, JSON-ready, in seconds."""
        return {
            "name": self.side.name,
            "ours": self.side.ours,
            "extracts": self.side.extracts,
            "screen": list(self.episodes[0].screen),
            "step_s": spread([s for times in self.episodes for s in times.step_s]),
            "parts_s": {name: round(value, 5) for name, value in self.parts_s().items()},
            "reset_s": spread([times.reset_s for times in self.episodes]),
            "first_reset_s": round(self.first_reset_s, 5),
        }


def bench_step(
    task: str,
    episodes: int,
    steps: int,
    peer_python: str | None,
    progress: Progress,
    scale: float = 1.0,
    canvas: bool = True,
) -> dict[str, Any]:
    """Measure all sides in alternation and return the document that `--json` prints.

    Args:
        task: A name of MiniWoB++.
        episodes: Counted rounds; in each, every side plays one episode.
        steps: Clicks an episode.
        peer_python: An interpreter with BrowserGym; None measures our side alone.
        progress: Told each episode as it begins.
        scale: Pixels in a CSS pixel, of WebEnvironment's screens and BrowserGym's.
        canvas: Whether the page keeps its canvas.

    Raises:
        UsageError: the task, the peer or Chromium cannot be used.
        EnvironmentFault: a side failed.
    """
    miniwob = make(f"miniwob:{task}")
    if not isinstance(miniwob, MiniWobEnvironment):
        raise UsageError(f"miniwob:{task} is not the environment that comes with eyehand")
    with ExitStack() as stack:
        peer = None
        if peer_python is not None:
            peer = stack.enter_context(Peer(peer_python, pages_folder(), find_chromium()))
        scripts = [RECOLOUR] if canvas else [WITHOUT_CANVAS, RECOLOUR]
        ours = _our_sides(miniwob, task, scale, scripts, stack)
        sides = [*ours, *_peer_sides(peer, task, scale, scripts)]
        rows = play_rounds(sides, episodes, steps, progress)
        return {
            "task": task,
            "scale": scale,
            "canvas": canvas,
            "episodes": episodes,
            "steps": steps,
            "machine": machine(),
            "peer": peer.versions if peer else None,
            "rows": [row.to_json() for row in rows],
            "ratios": ratios(rows),
            "claims_against": CLAIMS_AGAINST if peer else None,
        }


def play_rounds(sides: Sequence[Side], episodes: int, steps: int, progress: Progress) -> list[Row]:
    """Play one uncounted round and `episodes` counted ones, every second one backwards.

    A machine that grows slower or faster meanwhile thus does so for all sides alike.
    """
    rows = [Row(side) for side in sides]
    for row in rows:
        progress(f"first episode, not counted: {row.side.name}")
        row.first_reset_s = row.side.play(FIRST_SEED, 1).reset_s
    for number in range(1, episodes + 1):
        for row in rows if number % 2 else reversed(rows):
            progress(f"round {number} of {episodes}: {row.side.name}")
            row.episodes.append(row.side.play(FIRST_SEED + number, steps))
    return rows


def ratios(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return how many of our steps fit into one of the peer's, round by round.

    "without_text" is the same with what the peer reads beside the pixels taken off its steps.
    """
    return [
        {
            "ours": ours.side.name,
            "peer": peer.side.name,
            **spread(_quotients(peer.medians_s(), ours.medians_s())),
            "without_text": spread(_quotients(peer.medians_s("text"), ours.medians_s())),
        }
        for ours in rows
        if ours.side.ours
        for peer in rows
        if not peer.side.ours
    ]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median, the lowest and the highest value."""
    numbers = {"median": statistics.median(values), "low": min(values), "high": max(values)}
    return {name: round(value, 5) for name, value in numbers.items()}


def _quotients(above: Sequence[float], below: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(above, below, strict=True)]


def _our_sides(
    miniwob: MiniWobEnvironment, task: str, scale: float, scripts: list[str], stack: ExitStack
) -> list[Side]:
    address = stack.enter_context(pages_served(pages_folder().parent))
    web = WebEnvironment(f"{address}/miniwob/{task}.html", PEER_VIEWPORT, scale)
    sides = [
        OurSide("eyehand, MiniWobEnvironment", miniwob, scripts),
        OurSide("eyehand, WebEnvironment", web, [START, *scripts]),
    ]
    for side in sides:
        stack.callback(side.close)
    return list(sides)


def _peer_sides(peer: Peer | None, task: str, scale: float, scripts: list[str]) -> list[Side]:
    if peer is None:
        return []
    return [
        PeerSide(name, peer, task, options, scale, scripts)
        for name, options in PEER_VARIANTS.items()
    ]


def machine() -> dict[str, Any]:
    """Return what the numbers depend on beside the code: the machine and the browser."""
    return {
        "cores": os.cpu_count(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "chromium": Browser.shared().version,
        "playwright": version("playwright"),
    }
