"""Runs the same evaluations with 1, 2 and 4 workers and on a Ray cluster, and compares all files.

    python -m benchmarks.trials.identical --out trial cards minigrid

The cluster has two nodes, which both run on this machine. Every folder is compared with that of one
worker, as `eyehand compare A B --identical` does it. A folder that is there already is not run
again.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.trials.two_nodes import two_nodes
from eyehand.agent.results.diff import Compared, compare_folders
from eyehand.agent.results.folder import EVALUATION_FILE
from eyehand.envs.suites import suite_specs, suite_task

ON_THIS_MACHINE = (1, 2, 4)
ON_A_CLUSTER = 4


def evaluate(folder: Path, words: list[str], source: Path | None = None) -> float:
    """Evaluate into a folder; returns the seconds that it took, 0 where it was there already.

    Args:
        folder: Where to.
        words: What follows `eyehand eval`.
        source: The `src` folder of another checkout, whose code is to run.
    """
    if (folder / EVALUATION_FILE).exists():
        return 0.0
    environment = {**os.environ, **({"PYTHONPATH": str(source)} if source else {})}
    began_s = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-m", "eyehand", "eval", *words, "--out", str(folder)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if ended.returncode not in (0, 1):
        raise SystemExit(f"{folder.name}: {ended.stderr.decode(errors='replace')}")
    return time.perf_counter() - began_s


def specs_of(suite: str, policy: str) -> str:
    """Return the suite's tasks that the policy can play, with commas between."""
    specs = suite_specs(suite)
    if policy == "expert":
        tasks = {spec: suite_task(spec) for spec in specs}
        specs = [spec for spec, task in tasks.items() if task is not None and task.expert]
    return ",".join(specs)


def row(suite: str, policy: str, where: str, compared: Compared, seconds: float) -> str:
    """Return a row of the table."""
    different = ", ".join(f"{spec} ({n})" for spec, n in compared.differing_episodes.items())
    found = different or "; ".join(compared.plan) or "none"
    counts = f"{compared.episodes} | {compared.screens} | {compared.files}"
    return f"| {suite} | {policy} | {where} | {counts} | {found} | {seconds:.0f} |"


def main() -> None:
    """Evaluate, compare and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suites", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--episodes", type=int, default=2)
    parser.add_argument("--random-steps", type=int, default=6)
    arguments = parser.parse_args()
    print("| suite | policy | 1 worker beside | episodes | screens | other files | differing | s |")
    print("|---|---|---|---|---|---|---|---|")
    with two_nodes(4) as address:
        ways = {f"{n} workers": ["--workers", str(n)] for n in ON_THIS_MACHINE}
        ways["Ray, two nodes"] = ["--workers", str(ON_A_CLUSTER), "--ray", address]
        for suite in arguments.suites:
            for policy in ("random", "expert"):
                words = [specs_of(suite, policy), "--policy", policy, "--keep", "all"]
                words += ["--episodes", str(arguments.episodes)]
                if policy == "random":
                    words += ["--max-steps", str(arguments.random_steps)]
                first = arguments.out / f"{suite}-{policy}-0"
                for number, (where, compute) in enumerate(ways.items()):
                    folder = arguments.out / f"{suite}-{policy}-{number}"
                    seconds = evaluate(folder, [*words, *compute])
                    if number:
                        compared = compare_folders(first, folder)
                        print(row(suite, policy, where, compared, seconds), flush=True)


if __name__ == "__main__":
    main()
