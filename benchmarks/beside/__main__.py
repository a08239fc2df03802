"""`python -m benchmarks.beside`: the embedded checkpoint in the built-in network and elsewhere.

python -m benchmarks.beside embedded --beside transformers --episodes 10
python -m benchmarks.beside embedded --beside http://127.0.0.1:8000/v1 --served-model FOLDER

Every episode is played twice, with the built-in model and with transformers in this process or
a server; where the actions differ, again with the built-in network in the other one's chat
("turns"), then without a grammar too ("grammar"), then with torchvision's resizing of pictures too
("resize"), until it writes what the other one wrote. A task that --json has already is not played.
"""

import argparse
import json
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks.beside.episodes import Compared, Played, Task, compare
from eyehand.agent.policies.base import Policy
from eyehand.agent.policies.models.address import is_address
from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.agent.policies.models.built_in_chat import BuiltInChatPolicy
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT, read_habits
from eyehand.agent.policies.models.endpoint import EndpointPolicy
from eyehand.agent.policies.models.in_transformers import TransformersPolicy
from eyehand.agent.results.statistics import wilson_interval
from eyehand.envs.suites import suite_specs
from eyehand.model.inference.visual_cache import Visual, VisualEncoder
from eyehand.model.inputs.image import Picture, smart_resize, to_rgb
from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.prompts.dialects.keyword import Keyword

FIRST_SEED = 1_000_000
MOST_TOKENS = 64
"""An answer of the embedded model has about 30; a longer one runs away."""


def embedded_dialect() -> Keyword:
    """Return the dialect with the habits of the embedded checkpoint."""
    habits = read_habits(EMBEDDED_CHECKPOINT)
    return Keyword(brief=habits.brief, newest_only=habits.newest_only)


def main() -> None:
    """Compare, and print or write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__)
    parser.add_argument("suite", help="suites or specs, with commas between")
    parser.add_argument("--beside", required=True, help="transformers, or a server's address")
    parser.add_argument("--served-model", help="the checkpoint's name on the server")
    parser.add_argument("--episodes", type=int, default=10, help="a task (default: 10)")
    parser.add_argument("--json", type=Path, help="keep every episode's answers")
    arguments = parser.parse_args()
    seeds = range(FIRST_SEED, FIRST_SEED + arguments.episodes)
    built_in = VlmPolicy(max_new_tokens=MOST_TOKENS)
    beside = _beside(arguments.beside, arguments.served_model)
    tasks = _played(arguments.json)
    played = {task.spec for task in tasks}
    for spec in suite_specs(arguments.suite):
        if spec in played:
            continue
        tasks.append(compare(spec, seeds, built_in, beside, _explanations(), _say))
        if arguments.json:
            arguments.json.write_text(json.dumps([task.as_json() for task in tasks], indent=1))
    print(table(tasks))


class TorchvisionPictures(VisualEncoder):
    """Pictures resized as torchvision does it: up to one grey level from Pillow's."""

    def read_image(self, image: Picture, settings: ImageSettings) -> Visual:
        """Prepare a picture."""
        rgb = to_rgb(image)
        height_px, width_px, _ = rgb.shape
        size = smart_resize(height_px, width_px, settings)
        planes = torch.tensor(rgb).permute(2, 0, 1)[None]
        planes = F.interpolate(planes, size, mode="bicubic", antialias=True, align_corners=False)
        return super().read_image(planes[0].permute(1, 2, 0).contiguous().numpy(), settings)


@cache
def _explanations() -> dict[str, Policy]:
    """Return the built-in network in the other one's chat, and more and more like it."""
    made = {
        name: BuiltInChatPolicy(
            EMBEDDED_CHECKPOINT, embedded_dialect(), "embedded", max_new_tokens=MOST_TOKENS,
            grammar=grammar,
        )
        for name, grammar in (("turns", "auto"), ("grammar", "off"), ("resize", "off"))
    }  # fmt: skip
    checkpoint = made["resize"].checkpoint
    checkpoint.encoder = TorchvisionPictures(checkpoint.network)
    return {**made}


def _played(path: Path | None) -> list[Task]:
    """Return the tasks that a file has already."""
    if path is None or not path.exists():
        return []
    return [
        Task(task["spec"], [_compared(episode) for episode in task["episodes"]])
        for task in json.loads(path.read_text())
    ]


def _compared(stored: dict[str, Any]) -> Compared:
    ways = {name: Played(**way) for name, way in stored["explanations"].items()}
    both = (Played(**stored["built_in"]), Played(**stored["beside"]))
    return Compared(stored["seed"], *both, stored["why"], ways)


def table(tasks: list[Task]) -> str:
    """Return a Markdown table: a task a line, both rates, the same actions, and why not."""
    lines = ["| task | built in | beside | same actions | differences |", "|---|---|---|---|---|"]
    together = Task("all", [episode for task in tasks for episode in task.episodes])
    for task in [*tasks, together]:
        ways = [[one.built_in for one in task.episodes], [one.beside for one in task.episodes]]
        rates = [_rate(sum(p.outcome == "succeeded" for p in way), len(way)) for way in ways]
        why = Counter(one.why for one in task.episodes)
        same = why.pop("same", 0)
        other = ", ".join(f"{n} {name}" for name, n in sorted(why.items())) or "-"
        lines.append(
            f"| {task.spec} | {' | '.join(rates)} | {same} of {len(task.episodes)} | {other} |"
        )
    return "\n".join(lines)


def _beside(name: str, served_model: str | None) -> Policy:
    dialect = embedded_dialect()
    if is_address(name):
        model = served_model or str(EMBEDDED_CHECKPOINT)
        return EndpointPolicy(name, model, dialect, max_new_tokens=MOST_TOKENS)
    if name != "transformers":
        raise SystemExit(f"--beside takes transformers or a server's address, not {name!r}")
    return TransformersPolicy(EMBEDDED_CHECKPOINT, dialect, max_new_tokens=MOST_TOKENS)


def _rate(won: int, all_: int) -> str:
    low, high = wilson_interval(won, all_)
    return f"{won} of {all_} [{100 * low:.0f}, {100 * high:.0f}]"


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
