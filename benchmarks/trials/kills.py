"""Kills workers, evaluators and Ray actors at random moments, and compares what comes of it.

    python benchmarks/trials/kills.py --trials 20 --out docs/results/kill-trials.md

Each trial evaluates the same plan, kills one process with SIGKILL at a moment that is drawn, lets
the evaluation go on (by itself where a worker or an actor was killed, with --resume where the
evaluator was) and compares the folder with that of an undisturbed run, file by file.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.trials.two_nodes import processes, two_nodes
from eyehand.agent.results.diff import differences
from eyehand.agent.results.folder import read_rows

SUITE = "cards:number-line,miniwob:click-tab"
EPISODES = 15
WORKERS = 2
TARGETS = ("worker", "evaluator", "actor")
ACTOR = b"ray::WorkerActor"
CHILD = b"eyehand.agent.evaluation.worker_process"


@dataclass(frozen=True)
class Trial:
    """What was killed when, and what came of it."""

    target: str
    rows_before: int
    killed: bool
    lost: int
    different: list[str]


def command(folder: Path, address: str | None) -> list[str]:
    """Return the command that evaluates into a folder."""
    words = ["eval", SUITE, "--policy", "random", "--episodes", str(EPISODES), "--max-steps", "6"]
    cluster = ["--ray", address] if address else []
    where = ["--workers", str(WORKERS), "--out", str(folder), *cluster]
    return [sys.executable, "-m", "eyehand", *words, *where]


def run_trial(
    target: str, folder: Path, calm: Path, address: str | None, draw: random.Random
) -> Trial:
    """Run one trial."""
    running = subprocess.Popen(
        command(folder, address), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    rows = folder / "episodes.jsonl"
    moment = draw.randrange(0, 2 * EPISODES - WORKERS)
    while running.poll() is None and (not rows.exists() or rows.read_bytes().count(b"\n") < moment):
        time.sleep(0.002)
    time.sleep(draw.uniform(0, 0.5))
    before = rows.read_bytes().count(b"\n") if rows.exists() else 0
    victims = {
        "worker": lambda: processes(lambda line: CHILD in line, running.pid, (1, 2)),
        "evaluator": lambda: [running.pid],
        "actor": lambda: processes(lambda line: ACTOR in line, os.getpid(), (1, 2)),
    }[target]()
    killed = bool(victims) and running.poll() is None
    if killed:
        os.kill(draw.choice(victims), signal.SIGKILL)
    if running.wait() != 0:
        again = [sys.executable, "-m", "eyehand", "eval", "--resume", str(folder)]
        subprocess.run(
            [*again, "--workers", str(WORKERS), *(["--ray", address] if address else [])],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    lost = sum(row.attempts - 1 for row in read_rows(rows)[0])
    return Trial(target, before, killed, lost, differences(calm, folder))


def report(trials: list[Trial]) -> str:
    """Return the trials as Markdown."""
    same = sum(not trial.different for trial in trials)
    lines = [
        "# Killed at random moments",
        "",
        f"`{SUITE}`, {EPISODES} episodes a task, the random policy, {WORKERS} workers. One process "
        "is killed with SIGKILL at a drawn moment: a worker process, the evaluator itself (which "
        "then goes on with `--resume`), or an actor on a Ray cluster of two nodes on one machine. "
        "The folder is then compared with an undisturbed run's: plan, rows, and every "
        "trajectory's records and screens, pixel by pixel.",
        "",
        f"**{same} of {len(trials)} identical.** Made by `python benchmarks/trials/kills.py`.",
        "",
        "| trial | killed | episodes that had ended | run again | differences |",
        "|---|---|---|---|---|",
    ]
    for number, trial in enumerate(trials, start=1):
        what = trial.target if trial.killed else f"{trial.target} (had ended before)"
        found = "; ".join(trial.different[:3]) or "none"
        lost = "-" if trial.target == "evaluator" else str(trial.lost)
        lines.append(f"| {number} | {what} | {trial.rows_before} | {lost} | {found} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the trials and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    with ExitStack() as stack:
        folder, trials = Path(stack.enter_context(tempfile.TemporaryDirectory())), []
        address = stack.enter_context(two_nodes(1)) if "actor" in arguments.targets else None
        subprocess.run(command(folder / "calm", None), check=True)
        for number in range(arguments.trials):
            target = arguments.targets[number % len(arguments.targets)]
            place = folder / f"trial-{number}"
            where = address if target == "actor" else None
            trials.append(run_trial(target, place, folder / "calm", where, draw))
            print(trials[-1], flush=True)
            arguments.out.write_text(report(trials), encoding="utf-8")


if __name__ == "__main__":
    main()
