"""Measures the memory of an evaluator and of its workers over many episodes.

    python scripts/memory_trial.py --episodes 2000 --workers 2

Prints, for every hundred episodes, the resident memory of this process and of each worker in MiB.
"""

import argparse
import os
import tempfile
from pathlib import Path

from eyehand.agent.evaluate import Means, run_evaluation
from eyehand.agent.policies import policy_maker
from eyehand.agent.results import Plan, TaskResult
from eyehand.agent.rows import EpisodeRow
from eyehand.envs.registry import make

EVERY = 100
MIB = 1024


def resident_mib(pid: int) -> float:
    """Return a process's resident memory in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / MIB


def children(pid: int) -> list[int]:
    """Return a process's children."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return sorted(int(child) for task in tasks for child in task.read_text().split())


class Memory:
    """Prints the memory as episodes end."""

    def __init__(self) -> None:
        self.ended = 0

    def begins(self, plan: Plan, rows: list[EpisodeRow]) -> None:
        """Print what the columns are."""
        print("episodes  evaluator  workers (MiB)")

    def episode_ended(self, row: EpisodeRow, result: TaskResult) -> None:
        """Print a line every hundred episodes."""
        self.ended += 1
        if self.ended % EVERY == 0:
            workers = "  ".join(f"{resident_mib(pid):.1f}" for pid in children(os.getpid()))
            print(f"{self.ended:8}  {resident_mib(os.getpid()):9.1f}  {workers}", flush=True)


def main() -> None:
    """Evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--spec", default="cards:number-line")
    parser.add_argument("--policy", default="expert")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan("memory", [arguments.spec], arguments.episodes, out=Path(folder))
        means = Means(arguments.workers)
        run_evaluation(plan, make, policy_maker(arguments.policy), Memory(), means=means)


if __name__ == "__main__":
    main()
