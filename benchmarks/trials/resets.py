"""Times the resets of `web:` by the code of two checkouts, taking turns.

    git worktree add ../before COMMIT
    python -m benchmarks.trials.resets --before ../before/src --turns 10 --resets 10

Each turn is a process that opens a page of this machine so many times, behind one that is not
counted. Prints the median of each turn's median, and its lowest and highest, in milliseconds.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = "<title>A page</title><h1>A page</h1><input><button>A button</button>"

TURN = """
import sys, time
from eyehand.envs.registry import make

with make(f"web:{sys.argv[1]}") as environment:
    environment.reset(seed=0)
    for seed in range(int(sys.argv[2])):
        began_s = time.perf_counter()
        environment.reset(seed=seed)
        print(time.perf_counter() - began_s)
"""


def turn(url: str, resets: int, source: Path | None) -> float:
    """Return the median of a turn's resets in milliseconds.

    Args:
        url: The page.
        resets: How many are counted.
        source: The `src` folder of another checkout, whose code is to run.
    """
    environment = {**os.environ, **({"PYTHONPATH": str(source)} if source else {})}
    command = [sys.executable, "-c", TURN, url, str(resets)]
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return 1e3 * statistics.median(map(float, ended.stdout.split()))


def main() -> None:
    """Time the turns and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, required=True, help="src of the other checkout")
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--resets", type=int, default=10)
    arguments = parser.parse_args()
    sides: dict[str, Path | None] = {"before": arguments.before.resolve(), "now": None}
    times: dict[str, list[float]] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(PAGE, encoding="utf-8")
        for number in range(arguments.turns):
            for name in list(sides)[:: 1 if number % 2 else -1]:
                times[name].append(turn(page.as_uri(), arguments.resets, sides[name]))
    print("| code | reset, ms |\n|---|---|")
    for name, found in times.items():
        middle = statistics.median(found)
        print(f"| {name} | {middle:.0f} ({min(found):.0f} to {max(found):.0f}) |")
    more = [now - then for then, now in zip(times["before"], times["now"], strict=True)]
    print(f"more, turn by turn: {statistics.median(more):.0f} ({min(more):.0f} to {max(more):.0f})")


if __name__ == "__main__":
    main()
