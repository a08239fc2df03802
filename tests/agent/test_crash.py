"""A browser that is killed in mid-episode: a fault of the environment, never the policy's."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from eyehand.actions import Point
from eyehand.actions.web import Click
from eyehand.agent.episode import run_episode
from eyehand.agent.evaluation.evaluate import run_evaluation
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.random import RandomPolicy
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.agent.report import write_report
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.agent.trajectory.records import AnyRecord, StepRecord
from eyehand.envs.env import Environment
from eyehand.envs.registry import make

TASK = "miniwob:grid-coordinate"

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def children() -> dict[int, list[int]]:
    """Return the process ids of every process's children."""
    found: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold spaces; the state and the parent's id follow it.
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended in the meantime
            continue
        found.setdefault(parent, []).append(int(stat.parent.name))
    return found


def kill_browser() -> None:
    """Kill the Chromium that this process started."""
    tree, waiting, killed = children(), [os.getpid()], 0
    while waiting:
        for pid in tree.get(waiting.pop(), []):
            waiting.append(pid)
            with suppress(OSError):  # one that has ended in the meantime
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                if b"--remote-debugging-pi" in command and b"--type=" not in command:
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
    assert killed == 1


def test_a_killed_browser_ends_the_episode_with_a_readable_trajectory(tmp_path: Path) -> None:
    def watch(record: AnyRecord) -> None:
        if isinstance(record, StepRecord) and record.index == 1:
            kill_browser()

    nowhere = ScriptedPolicy([Click(point=Point(x=0.01, y=0.99))] * 9)
    with make(TASK) as environment:
        episode = run_episode(
            nowhere, environment, seed=1, max_steps=9, trajectory=tmp_path / "e", watch=watch
        )
    assert episode.outcome is Outcome.ENVIRONMENT_FAULT, episode.message
    kept = read_trajectory(tmp_path / "e")
    assert kept.outcome is not None
    assert kept.outcome.outcome is Outcome.ENVIRONMENT_FAULT
    assert len(kept.steps) >= 2
    assert "environment fault" in write_report(tmp_path / "e").read_text(encoding="utf-8")


def test_an_evaluation_goes_on_with_a_new_browser_and_counts_the_crash_apart() -> None:
    made: list[Environment] = []

    def make_and_crash_once(spec: str) -> Environment:
        environment = make(spec)
        made.append(environment)
        if len(made) == 1:
            environment.reset(seed=0)
            kill_browser()
        return environment

    plan = Plan("s", [TASK], episodes=2, max_steps=2)
    result = run_evaluation(plan, make_and_crash_once, lambda spec: RandomPolicy()).tasks[0]
    assert result.rate.trials == 2
    assert result.lost == 0
