"""Opens and closes many environments in one process, and prints what the process holds meanwhile.

    python -m benchmarks.trials.open_close --environments 1000
    python -m benchmarks.trials.open_close --environments 200 --every 20 --new-browser

Of every twenty environments one is a phone, three are card tables, two are web pages and fourteen
are MiniWoB++ tasks; each begins an episode, acts once and is closed. The browser is shared and
stays, as in any program; with --new-browser it is closed at each row of the table, too. Ends with
status 1 where the last row holds more than the first.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from adbutils import adb_path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.envs.footprint import Footprint, use

from eyehand.envs.web.browser import Browser

ADB_PORT = 15038
GROWN_MB = 100.0
"""More than this between the first row and the last is no noise."""

TASKS = (
    "click-tab", "enter-text", "click-checkboxes", "use-slider", "click-dialog", "focus-text",
    "grid-coordinate", "choose-list", "click-button", "copy-paste", "count-sides", "click-link",
    "drag-box", "enter-date",
)  # fmt: skip
CARDS = ("number-line", "points24", "ez-points")
PAGE = "<title>A page</title><h1>A page</h1><input><button>A button</button><canvas></canvas>"


def mixture(page: Path) -> list[str]:
    """Return the specs that are opened in turn."""
    specs = [f"miniwob:{task}" for task in TASKS]
    for place, name in zip((3, 8, 13), CARDS, strict=True):
        specs.insert(place, f"cards:{name}")
    specs[5:5] = [f"web:{page.as_uri()}"]
    return [*specs, specs[5], "phone:add-contact"]


def row(number: int, held: Footprint, seconds: float) -> str:
    """Return a row of the table."""
    cells = (
        number, held.threads, held.files, held.children, held.folders,
        f"{held.memory_mb:.0f}", f"{held.below_mb:.0f}", f"{seconds:.0f}",
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def grown(first: Footprint, last: Footprint) -> list[str]:
    """Return what the last row has more of than the first."""
    counts = ("threads", "files", "children", "folders")
    found = [name for name in counts if getattr(last, name) > getattr(first, name)]
    sizes = [name for name in ("memory_mb", "below_mb")
             if getattr(last, name) > getattr(first, name) + GROWN_MB]  # fmt: skip
    return [*found, *sizes]


def main() -> int:
    """Open and close, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environments", type=int, default=1000)
    parser.add_argument("--every", type=int, default=100, metavar="N", help="a row every N")
    parser.add_argument("--new-browser", action="store_true", help="close the browser at each row")
    parser.add_argument("--adb-port", type=int, default=ADB_PORT, help="one that nobody else uses")
    arguments = parser.parse_args()
    os.environ["ANDROID_ADB_SERVER_PORT"] = str(arguments.adb_port)
    with tempfile.TemporaryDirectory(prefix="oc-") as folder:
        page = Path(folder) / "page.html"
        page.write_text(PAGE, encoding="utf-8")
        tempfile.tempdir = os.environ["TMPDIR"] = str(Path(folder) / "t")
        os.mkdir(tempfile.tempdir)
        rows = run(mixture(page), arguments.environments, arguments.every, arguments.new_browser)
        Browser.close_shared()
        print(row(arguments.environments, Footprint.now(), 0.0), "after the browser was closed")
        # It was started here, on a port of its own.
        subprocess.run([adb_path(), "-P", str(arguments.adb_port), "kill-server"], check=False)
    found = grown(rows[0], rows[-1])
    print(f"grown: {', '.join(found) or 'nothing'}")
    return 1 if found else 0


async def look_up() -> None:
    """Look a name up: the thread that does it starts at the first one, which some row would see."""
    await asyncio.get_running_loop().getaddrinfo("localhost", 80)


def run(specs: list[str], environments: int, every: int, new_browser: bool) -> list[Footprint]:
    """Open and close environments; return a footprint for each row."""
    print("| environments | threads | open files | processes below | temporary folders "
          "| memory, MB | memory below, MB | seconds |\n|" + "---:|" * 8)  # fmt: skip
    rows, began_s = [], time.monotonic()
    Browser.shared().call(look_up)
    for number, spec in enumerate(islice(cycle(specs), environments), start=1):
        use(spec, seed=number)
        if number % every == 0:
            if new_browser:
                Browser.close_shared()
            rows.append(Footprint.now())
            print(row(number, rows[-1], time.monotonic() - began_s), flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
