"""Measures the memory of an evaluator, of its workers and of their browsers over many episodes.

    python -m benchmarks.trials.memory --episodes 2000 --workers 2
    python -m benchmarks.trials.memory miniwob:click-tab,miniwob:click-color --episodes 1000

Prints in MiB, for every hundred episodes, the resident memory of this process and of each worker,
and the proportional share (PSS) of everything below them: browsers and their drivers.
"""

import argparse
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from eyehand.agent.evaluation.evaluate import ComputeConfig, run_evaluation
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.policies.registry import policy_maker
from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.envs.registry import make
from eyehand.envs.suites import suite_specs

EVERY = 100
MIB = 1024


def resident_mib(pid: int) -> float:
    """Return a process's resident memory in MiB."""
    return field_mib(Path(f"/proc/{pid}/status"), "VmRSS:")


def field_mib(path: Path, name: str) -> float:
    """Return a number of KiB that a file of /proc names, in MiB."""
    return int(path.read_text().split(name)[1].split()[0]) / MIB


def children(pid: int) -> list[int]:
    """Return a process's children."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return sorted(int(child) for task in tasks for child in task.read_text().split())


def below_mib(pid: int) -> float:
    """Return the proportional share of all that a process's children have started, in MiB."""
    total = 0.0
    for child in children(pid):
        with suppress(OSError):  # it has ended meanwhile
            total += field_mib(Path(f"/proc/{child}/smaps_rollup"), "Pss:") + below_mib(child)
    return total


class Memory:
    """Prints the memory as episodes end."""

    def __init__(self) -> None:
        self.ended = 0

    def begins(self, plan: Plan, rows: list[EpisodeResult]) -> None:
        """Print what the columns are."""
        print("episodes  evaluator  workers  below them (MiB)")

    def episode_ended(self, row: EpisodeResult) -> None:
        """Print a line every hundred episodes."""
        self.ended += 1
        if self.ended % EVERY == 0:
            pids = children(os.getpid())
            workers = "  ".join(f"{resident_mib(pid):.1f}" for pid in pids)
            below = sum(map(below_mib, pids))
            own = resident_mib(os.getpid())
            print(f"{self.ended:8}  {own:9.1f}  {workers}  {below:.0f}", flush=True)


def main() -> None:
    """Evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suite", nargs="?", default="cards:number-line", help="as for eyehand eval")
    parser.add_argument("--episodes", type=int, default=2000, help="a task")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--policy", default="expert")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        specs = suite_specs(arguments.suite)
        plan = Plan("memory", specs, arguments.episodes, out=Path(folder))
        compute = ComputeConfig(arguments.workers)
        run_evaluation(plan, make, policy_maker(arguments.policy), Memory(), compute=compute)


if __name__ == "__main__":
    main()
