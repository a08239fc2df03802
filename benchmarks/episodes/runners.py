"""The sides of the throughput benchmark: each plays the same episodes, one or more at a time."""

import tempfile
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.browsergym.interpreter import Peer, first_of
from benchmarks.episodes.answers import Clicks, ScriptedAnswers
from benchmarks.step.runners import PEER_EXTRACTS, RECOLOUR
from eyehand.agent.evaluation.evaluate import ComputeConfig, SilentObserver, run_evaluation
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.agent.trajectory.writer import SCREENS_FOLDER
from eyehand.envs.env import Environment
from eyehand.envs.miniwob.environment import MiniWobEnvironment
from eyehand.envs.web.browser import Browser
from eyehand.errors import EnvironmentFault

Answers = dict[str, dict[int, Clicks]]
"""Task to seed to clicks: the episodes to play; every task has the same seeds."""


@dataclass(frozen=True)
class Run:
    """When the episodes of one turn ended.

    Attributes:
        ends_s: Seconds from the start of the turn, ascending, one an episode.
        at_a_time: How many run side by side.
    """

    ends_s: list[float]
    at_a_time: int

    @property
    def a_minute(self) -> float:
        """Episodes a minute under way: from the end of the first ones to the end of the last."""
        counted = len(self.ends_s) - self.at_a_time
        return 60.0 * counted / (self.ends_s[-1] - self.ends_s[self.at_a_time - 1])

    @property
    def whole_a_minute(self) -> float:
        """Episodes a minute from the start of the turn."""
        return 60.0 * len(self.ends_s) / self.ends_s[-1]


class Crew(ABC):
    """One row of the table.

    Attributes:
        name: Of the row.
        ours: Whether it is eyehand's.
        at_a_time: How many episodes it plays side by side.
        keeps: What it reads and what it writes.
    """

    name: str
    ours: bool
    at_a_time: int
    keeps: str

    @abstractmethod
    def play(self, answers: Answers) -> Run:
        """Play every episode once.

        Raises:
            EnvironmentFault: a browser failed, or an episode was not solved by its answers.
            KeyboardInterrupt: a person stopped it.
        """


class OurCrew(Crew):
    """eyehand's evaluator, as `eyehand eval --workers N` runs it, trajectories on disk.

    A turn begins without a browser and without workers: their start is in its time.

    Args:
        workers: 1 runs in this process.
    """

    ours = True
    keeps = "reads pixels; writes the trajectory (PNG, JSON lines) and the evaluation's rows"

    def __init__(self, workers: int) -> None:
        self.name = f"eyehand, {_count(workers, 'worker')}"
        self.at_a_time = workers

    def play(self, answers: Answers) -> Run:
        """Evaluate a policy that plays the answers."""
        Browser.close_shared()
        seeds = _seeds(answers)
        observer = _Ends()
        with tempfile.TemporaryDirectory(prefix="eyehand-bench-") as folder:
            plan = Plan(
                "bench",
                [f"miniwob:{task}" for task in answers],
                episodes=len(seeds),
                first_seed=seeds[0],
                max_steps=max(len(c) for clicks in answers.values() for c in clicks.values()),
                out=Path(folder),
            )
            evaluation = run_evaluation(
                plan,
                _recoloured,
                lambda spec: ScriptedAnswers(_task(spec), answers[_task(spec)]),
                observer,
                compute=ComputeConfig(self.at_a_time),
            )
            if not evaluation.finished:
                raise KeyboardInterrupt
            for row in observer.rows:
                _check(row, len(answers[_task(row.spec)][row.seed]), Path(folder))
        return Run(observer.ends_s, self.at_a_time)


class PeerCrew(Crew):
    """BrowserGym in interpreters of its own, which take the next episode when they are free.

    Their start is not in a turn's time.

    Args:
        variant: Of the row: how BrowserGym is set.
        peers: The interpreters; the caller closes them.
        options: Of BrowserGym's environment.
    """

    ours = False
    keeps = f"reads {PEER_EXTRACTS}; writes nothing"

    def __init__(self, variant: str, peers: Sequence[Peer], options: dict[str, float]) -> None:
        self.name = f"{variant}, {_count(len(peers), 'process')}"
        self.at_a_time = len(peers)
        self._peers = peers
        self._options = options

    def play(self, answers: Answers) -> Run:
        """Hand out the episodes and note when each answer comes."""
        queue = deque(
            self._request(task, seed, clicks)
            for task, scripts in answers.items()
            for seed, clicks in scripts.items()
        )
        free, busy = [*self._peers], list[Peer]()
        began_s, ends_s = time.perf_counter(), list[float]()
        while queue or busy:
            while queue and free:
                busy.append(free.pop(0))
                busy[-1].ask(queue.popleft())
            ready = first_of(busy)
            ready.answer()
            ends_s.append(time.perf_counter() - began_s)
            busy.remove(ready)
            free.append(ready)
        return Run(ends_s, self.at_a_time)

    def _request(self, task: str, seed: int, clicks: Clicks) -> dict[str, Any]:
        return {
            "task": task,
            "seed": seed,
            "clicks": clicks,
            "solves": True,
            "script": RECOLOUR,
            "options": self._options,
        }


class _Ends(SilentObserver):
    """Notes when each episode ends."""

    def __init__(self) -> None:
        self._began_s = time.perf_counter()
        self.ends_s: list[float] = []
        self.rows: list[EpisodeResult] = []

    def episode_ended(self, row: EpisodeResult) -> None:
        """Note the time."""
        self.ends_s.append(time.perf_counter() - self._began_s)
        self.rows.append(row)


def _recoloured(spec: str) -> Environment:
    """Make the environment of a spec whose page changes its colour at each click."""
    environment = MiniWobEnvironment(_task(spec))
    environment.page_scripts.append(RECOLOUR)
    return environment


def _check(row: EpisodeResult, steps: int, folder: Path) -> None:
    """Refuse an episode that is no measurement: unsolved, retried, or with screens that repeat."""
    if row.faults or not row.succeeded or row.steps != steps:
        raise EnvironmentFault(
            f"{row.spec}, seed {row.seed}: {row.outcome} after {row.steps} of {steps} steps "
            f"{' '.join(row.faults)}"
        )
    screens = len(list((folder / row.folder / SCREENS_FOLDER).glob("*.png"))) if row.folder else 0
    if screens < steps:
        raise EnvironmentFault(f"{row.spec}, seed {row.seed}: the screen did not change every step")


def _seeds(answers: Answers) -> list[int]:
    return list(next(iter(answers.values())))


def _task(spec: str) -> str:
    return spec.partition(":")[2]


def _count(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun}{'es' if noun.endswith('s') else 's'}"
