"""A picture of a run for a README: some of its screens in a row, each with what was done on it.

    eyehand run --env phone:set-alarm --policy expert --seed 1000002 --out runs/alarm
    python -m benchmarks.picture runs/alarm --steps 1,2,3,4 --out docs/picture.png

The page is drawn by the same Chromium that the runs use. Texts of the record are escaped.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from jinja2 import Environment as Templates
from jinja2 import StrictUndefined
from PIL import Image

from eyehand.agent.outcome import Outcome
from eyehand.agent.report.screens import ShownScreen, show
from eyehand.agent.trajectory.reader import Trajectory, read_trajectory
from eyehand.agent.trajectory.records import StepRecord
from eyehand.envs.web import WebEnvironment
from eyehand.errors import EyehandError, UsageError

WIDTH_PX = 1240
GAP_PX = 24
TALLEST_PX = 560
HEADER_PX, FOOTER_PX = 62, 66
PIXEL_RATIO = 1.5
COLOURS = 256

PAGE = Templates(autoescape=True, undefined=StrictUndefined).from_string("""<!doctype html>
<meta charset="utf-8">
<style>
* { box-sizing: border-box; margin: 0 }
body { width: {{ width }}px; padding: 0 {{ gap }}px; background: #eef1f5; color: #1d2733;
  font: 16px "Liberation Sans", "DejaVu Sans", sans-serif }
header { display: flex; align-items: center; justify-content: space-between; height: 62px }
h1 { font-size: 20px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
header small { flex: 1; padding: 4px 0 0 16px }
.end { color: {{ "#0b7a53" if good else "#9a3412" }}; font-weight: bold; white-space: nowrap;
  padding-left: 24px }
main { display: flex; gap: {{ gap }}px; justify-content: center; align-items: flex-end }
figure { width: {{ panel }}px }
.screen { position: relative; line-height: 0 }
.screen img { width: 100%; border-radius: 10px; box-shadow: 0 1px 6px #0004 }
svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible }
figcaption { height: 66px; padding-top: 14px; text-align: center; overflow: hidden }
code { display: block; font: bold 15px "Liberation Mono", "DejaVu Sans Mono", monospace;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
small { color: #5b6775; font-size: 14px; white-space: nowrap }
</style>
<header><h1>{{ task }}</h1><small>{{ about }}</small><p class="end">{{ end }}</p></header>
<main>
{% for step, shown in panels %}
<figure>
<div class="screen"><img src="{{ shown.uri }}" alt="">
<svg viewBox="0 0 {{ shown.width }} {{ shown.height }}" fill="none">
<defs><marker id="tip" viewBox="0 0 10 10" refX="6" refY="5" markerWidth="4" markerHeight="4"
 orient="auto"><path d="M0 0 10 5 0 10z" fill="#e11d48"/></marker></defs>
{% set r = shown.width / 14 %}
{% for mark in shown.marks %}
{% if mark.kind == "arrow" %}
<path d="M{{ mark.x }} {{ mark.y }} {{ mark.end_x }} {{ mark.end_y }}" stroke="#e11d48"
 stroke-width="{{ r / 4 }}" marker-end="url(#tip)"/>
{% else %}
<circle cx="{{ mark.x }}" cy="{{ mark.y }}" r="{{ r }}" stroke="#fff" stroke-width="{{ r / 2.4 }}"/>
<circle cx="{{ mark.x }}" cy="{{ mark.y }}" r="{{ r }}" stroke="#e11d48"
 stroke-width="{{ r / 5 }}"/>
{% endif %}
{% endfor %}
</svg></div>
<figcaption><code>{{ step.action.shown if step.action else "no action" }}</code>
<small>step {{ step.index + 1 }} of {{ count }}: {{ step.effect or "refused" }}</small></figcaption>
</figure>
{% endfor %}
</main>
""")


def draw(folder: Path, out: Path, chosen: list[int] | None = None) -> None:
    """Draw a run's screens in a row.

    Args:
        folder: The episode's.
        out: The PNG to write.
        chosen: Numbers of the steps to show; the last four by default.

    Raises:
        UsageError: the folder holds no episode, or not these steps.
    """
    trajectory = read_trajectory(folder)
    panels = [
        (step, show(trajectory, step.screen, step.action)) for step in _steps(trajectory, chosen)
    ]
    panel_px = _panel_width_px([shown for _, shown in panels])
    tallest_px = max(panel_px * shown.height / shown.width for _, shown in panels)
    ended = trajectory.outcome
    outcome = Outcome(ended.outcome) if ended else None
    page = PAGE.render(
        width=WIDTH_PX,
        gap=GAP_PX,
        panel=panel_px,
        task=trajectory.episode.task,
        about=f"{trajectory.episode.spec}, policy: {trajectory.episode.policy['name']}",
        end=outcome.label if outcome else "not ended",
        count=len(trajectory.steps),
        good=outcome is Outcome.SUCCEEDED,
        panels=panels,
    )
    _photograph(page, round(HEADER_PX + tallest_px + FOOTER_PX), out)


def _steps(trajectory: Trajectory, chosen: list[int] | None) -> list[StepRecord]:
    if chosen is None:
        chosen = [step.index for step in trajectory.steps][-4:]
    by_number = {step.index: step for step in trajectory.steps}
    if not chosen or any(number not in by_number for number in chosen):
        raise UsageError(f"{trajectory.folder} has the steps {sorted(by_number)}, not {chosen}")
    return [by_number[number] for number in chosen]


def _panel_width_px(shown: list[ShownScreen]) -> int:
    """Return how wide each screen is: all fit side by side, and none is taller than allowed."""
    beside = (WIDTH_PX - GAP_PX * (len(shown) + 1)) / len(shown)
    return int(min(beside, *(TALLEST_PX * screen.width / screen.height for screen in shown)))


def _photograph(page: str, height_px: int, out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "picture.html"
        file.write_text(page, encoding="utf-8")
        viewport = (WIDTH_PX, height_px)
        with WebEnvironment(file.as_uri(), viewport, PIXEL_RATIO) as environment:
            observation, _ = environment.reset()
    image = Image.fromarray(observation.pixels).quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(out, optimize=True)


def main() -> int:
    """Draw what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.picture", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder of an episode")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the PNG to write")
    parser.add_argument("--steps", metavar="N,N", help="steps to show (default: the last four)")
    arguments = parser.parse_args()
    try:
        chosen = [int(n) for n in arguments.steps.split(",")] if arguments.steps else None
        draw(arguments.folder, arguments.out, chosen)
    except ValueError:
        parser.error(f"--steps: expected numbers with commas between, got {arguments.steps!r}")
    except EyehandError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
