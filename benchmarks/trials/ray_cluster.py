"""Evaluates the embedded model with workers on this machine and on a Ray cluster, and compares.

    python -m benchmarks.trials.ray_cluster --episodes 200

The cluster has two nodes, which both run on this machine. Every folder is compared with that of
the workers on this machine, file by file. In the rows with a kill, the process of an engine is
ended with SIGKILL when a third of the episodes has ended.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.trials.two_nodes import processes, two_nodes
from eyehand.agent.results.diff import differences
from eyehand.agent.results.folder import read_rows

SUITE = "number-line"
ENGINE = b"ray::InferenceActor"
TIMEOUT_S = 3600.0


@dataclass(frozen=True)
class Side:
    """One way to run the same plan.

    Attributes:
        name: What the table says.
        engines: Engines on the cluster; 0 stays on this machine.
        kill_after: Number of ended episodes at which an engine is killed, or None.
    """

    name: str
    engines: int = 0
    kill_after: int | None = None


def sides(episodes: int) -> list[Side]:
    """Return the rows of the table."""
    return [
        Side("workers on this machine"),
        Side("cluster, 1 engine", 1),
        Side("cluster, 2 engines", 2),
        Side("cluster, 1 engine, killed", 1, episodes // 3),
        Side("cluster, 2 engines, one killed", 2, episodes // 3),
    ]


def run_side(side: Side, folder: Path, words: list[str], address: str) -> float:
    """Evaluate; returns the seconds that the command took."""
    where = ["--ray", address, "--engines", str(side.engines)] if side.engines else []
    rows = folder / "episodes.jsonl"
    began_s = time.perf_counter()
    running = subprocess.Popen(
        [sys.executable, "-m", "eyehand", "eval", SUITE, *words, "--out", str(folder), *where],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    if side.kill_after is not None:
        while running.poll() is None and _lines(rows) < side.kill_after:
            time.sleep(0.05)
        victims = processes(lambda line: line.startswith(ENGINE), os.getpid(), (2,))
        if not victims:
            raise SystemExit(f"{side.name}: it ended before an engine could be killed")
        os.kill(victims[0], signal.SIGKILL)
    _, errors = running.communicate(timeout=TIMEOUT_S)
    if running.returncode != 0:
        raise SystemExit(f"{side.name}: {errors.decode(errors='replace')}")
    return time.perf_counter() - began_s


def main() -> None:
    """Run every side and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--max-steps", type=int, default=8)
    arguments = parser.parse_args()
    words = [
        *("--episodes", str(arguments.episodes), "--workers", str(arguments.workers)),
        *("--batch", str(arguments.batch), "--max-steps", str(arguments.max_steps)),
    ]
    print("| run | seconds | episodes | run again | differences |\n|---|---|---|---|---|")
    with two_nodes(4) as address, tempfile.TemporaryDirectory() as temporary:
        calm = Path(temporary) / "0"
        for number, side in enumerate(sides(arguments.episodes)):
            folder = Path(temporary) / str(number)
            seconds = run_side(side, folder, words, address)
            rows = read_rows(folder / "episodes.jsonl")[0]
            again = sum(row.attempts - 1 for row in rows)
            found = differences(calm, folder) if number else []
            shown = "; ".join(found[:3]) or ("none" if number else "-")
            print(f"| {side.name} | {seconds:.0f} | {len(rows)} | {again} | {shown} |", flush=True)


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


if __name__ == "__main__":
    main()
