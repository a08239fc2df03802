"""Times the steps of `web:` by the code of two checkouts, taking turns.

    git worktree add ../before COMMIT
    python -m benchmarks.trials.steps --before ../before/src --turns 6 --steps 20

Each turn is a process that clicks a page of this machine so many times, behind one click that is
not counted: a page that changes at each click, with and without a canvas, one that draws on its
canvas, and one that stays as it is. A step begins a tenth of a second after the one before: a
model would think longer. Prints the median of the turns' medians, the lowest and the highest, in
milliseconds, and how many of today's steps fit into one of the code before, turn by turn.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = """<title>A page</title><style>body {{ margin: 0; height: 100vh }}</style>
<p>A page with some text.</p>{canvas}<script>
let clicks = 0;
const colour = () => `hsl(${{++clicks * 37 % 360}} 80% 85%)`;
addEventListener('click', () => {{ {change} }});
</script>"""
CANVAS = "<canvas id=shown width=400 height=300></canvas>"
RECOLOURS = "document.body.style.background = colour();"
DRAWS = (
    "const pen = shown.getContext('2d'); pen.fillStyle = colour(); pen.fillRect(0, 0, 400, 300);"
)
PAGES = {
    "changes": ("", RECOLOURS),
    "changes, with a canvas": (CANVAS, RECOLOURS),
    "draws on its canvas": (CANVAS, DRAWS),
    "stays, with a canvas": (CANVAS, ""),
}

TURN = """
import sys, time
from eyehand.actions import Point, web
from eyehand.envs.registry import make

with make(f"web:{sys.argv[1]}") as environment:
    environment.reset(seed=0)
    click = web.Click(point=Point(x=0.5, y=0.9))
    environment.step(click)
    for _ in range(int(sys.argv[2])):
        began_s = time.perf_counter()
        environment.step(click)
        print(time.perf_counter() - began_s)
        time.sleep(0.1)
"""


def turn(url: str, steps: int, source: Path | None) -> float:
    """Return the median of a turn's steps in milliseconds.

    Args:
        url: The page.
        steps: How many are counted.
        source: The `src` folder of another checkout, whose code is to run.
    """
    environment = {**os.environ, **({"PYTHONPATH": str(source)} if source else {})}
    command = [sys.executable, "-c", TURN, url, str(steps)]
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return 1e3 * statistics.median(map(float, ended.stdout.split()))


def told(name: str, values: list[float], digits: int = 0) -> str:
    """Return a row."""
    low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
    return f"{name}: {statistics.median(values):.{digits}f} ({low} to {high})"


def main() -> None:
    """Time the turns and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, required=True, help="src of the other checkout")
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, (canvas, change)) in enumerate(PAGES.items()):
            page = Path(folder) / f"{number}.html"
            page.write_text(PAGE.format(canvas=canvas, change=change))
            before: list[float] = []
            now: list[float] = []
            for count in range(arguments.turns):
                sides = [(before, arguments.before), (now, None)]
                for times, source in sides if count % 2 else reversed(sides):
                    times.append(turn(page.as_uri(), arguments.steps, source))
            print(f"a page that {name}")
            print(told("  before, ms", before))
            print(told("  now, ms", now))
            pairs = zip(before, now, strict=True)
            print(told("  before in now, turn by turn", [old / new for old, new in pairs], 1))


if __name__ == "__main__":
    main()
