"""The reference of AITZ from the data set's own files, as they are downloaded.

AITZ ("Android in the Zoo", arXiv:2403.02713) comes as a folder an episode, with one JSON file, a
list of its steps, and a picture a step beside it: `general/GENERAL-1/GENERAL-1.json` and
`GENERAL-1_0.png`, .... Actions are Android in the Wild's (arXiv:2307.10088): a number for their
kind, and for gestures where the finger touched and lifted, (y, x) as shares of the screen. Elements
are (top, left, height, width) in pixels of the picture. Lists stand there as JSON in a text.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import hypot
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from eyehand.agent.scoring.steps import Box, Call, require_once
from eyehand.errors import UsageError

TAP_REACH = 0.04
"""A finger that lifts so near to where it touched has tapped, as a share of the screen (Android in
the Wild)."""


class ZooAction(IntEnum):
    """Android in the Wild's numbers for kinds of actions; the others are unused."""

    TYPE = 3
    DUAL_POINT = 4
    PRESS_BACK = 5
    PRESS_HOME = 6
    PRESS_ENTER = 7
    STATUS_TASK_COMPLETE = 10
    STATUS_TASK_IMPOSSIBLE = 11


class ZooLine(BaseModel):
    """A step as it stands in an episode's file; its other fields are not read.

    Attributes:
        episode_id: Number of the episode.
        step_id: Number of the step in it, from 0.
        image_path: The picture, from the split's folder: "general/GENERAL-1/GENERAL-1_0.png".
        result_action_type: What was done.
        result_action_text: What was typed; empty where nothing was.
        result_touch_yx: Where the finger touched; (-1, -1) where it did not.
        result_lift_yx: Where it lifted.
        ui_positions: Elements: top, left, height, width, in pixels.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    episode_id: str = Field(min_length=1)
    step_id: int = Field(ge=0)
    image_path: str = Field(min_length=1)
    result_action_type: ZooAction
    result_action_text: str | None = None
    result_touch_yx: tuple[float, float] = (-1.0, -1.0)
    result_lift_yx: tuple[float, float] = (-1.0, -1.0)
    ui_positions: tuple[tuple[float, float, float, float], ...] = ()

    @field_validator("result_touch_yx", "result_lift_yx", "ui_positions", mode="before")
    @classmethod
    def _unpacked(cls, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value


@dataclass(frozen=True)
class ZooStep:
    """A step of the reference.

    Attributes:
        episode: The part of the data set and the episode's number: "general-123".
        step: Number of the step in it.
        call: What was done.
        boxes: The screen's elements in the file's order, shares of the screen; only of clicks,
            which alone are scored by them.
    """

    episode: str
    step: int
    call: Call
    boxes: tuple[Box, ...] = ()


def is_zoo(path: Path) -> bool:
    """Return whether a path is an episode's file, or a folder that has one in or below it.

    Raises:
        UsageError: the path is a file that cannot be read. In a folder such a file may be
            anything.
    """
    if path.suffix == ".json":
        return _lines(path) is not None
    return any(_holds_steps(file) for file in _files(path))


def read_zoo(path: Path) -> list[ZooStep]:
    """Read the steps of an episode's file, or of all episodes in and below a folder.

    Other JSON files, those that hold no list of steps, are passed over.

    Raises:
        UsageError: a file cannot be read, a step is not as described, a step comes twice, a
            click's picture is missing, or there is no step at all.
    """
    steps = [step for file in _files(path) for step in _episode(file)]
    if not steps:
        raise UsageError(f"{path} holds no episode of AITZ: no list of steps as JSON")
    require_once(path, ((step.episode, step.step) for step in steps))
    return steps


def call_of_line(line: ZooLine) -> Call:
    """Return what a step did: click, swipe, type, press or stop."""
    kind = line.result_action_type
    if kind is ZooAction.DUAL_POINT:
        touch, lift = line.result_touch_yx, line.result_lift_yx
        if hypot(touch[0] - lift[0], touch[1] - lift[1]) <= TAP_REACH:
            return Call(name="click", arguments={"point": [touch[1], touch[0]]})
        ends = {"start": [touch[1], touch[0]], "end": [lift[1], lift[0]]}
        return Call(name="swipe", arguments=ends)
    if kind is ZooAction.TYPE:
        return Call(name="type", arguments={"text": line.result_action_text or ""})
    name, _, rest = kind.name.lower().rpartition("_")
    if name == "press":
        return Call(name="press", arguments={"key": rest})
    return Call(name="stop", arguments={"status": rest})


def shares(positions: Sequence[Sequence[float]], size: tuple[int, int]) -> tuple[Box, ...]:
    """Return elements as boxes in shares of the screen, cut at its edges.

    Args:
        positions: Top, left, height, width of each, in pixels.
        size: Width and height of the picture, in pixels.

    Example:
        >>> shares([(60, 27, 120, 54)], (270, 600))
        ((0.1, 0.1, 0.3, 0.3),)
    """
    width, height = size
    return tuple(
        (
            _cut(left / width),
            _cut(top / height),
            _cut((left + across) / width),
            _cut((top + down) / height),
        )
        for top, left, down, across in positions
    )


def _cut(share: float) -> float:
    return min(1.0, max(0.0, share))


def _files(path: Path) -> Iterator[Path]:
    """Yield JSON files in order of their names, without hidden ones."""
    if path.suffix == ".json":
        yield path
        return
    for parent, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".json") and not name.startswith("."):
                yield Path(parent) / name


def _holds_steps(file: Path) -> bool:
    try:
        return _lines(file) is not None
    except UsageError:
        return False


def _lines(file: Path) -> list[Any] | None:
    """Return an episode's list of steps; None where the file holds something else."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"cannot read {file}: {error}") from None
    if not isinstance(content, list) or not content:
        return None
    ours = isinstance(content[0], dict) and "result_action_type" in content[0]
    return content if ours else None


def _episode(file: Path) -> Iterator[ZooStep]:
    for number, content in enumerate(_lines(file) or []):
        line = _line(file, number, content)
        part = Path(line.image_path).parts[0]
        call = call_of_line(line)
        boxes: tuple[Box, ...] = ()
        if call.name == "click" and line.ui_positions:
            picture = file.parent / Path(line.image_path).name
            boxes = shares(line.ui_positions, _size(picture))
        yield ZooStep(f"{part}-{line.episode_id}", line.step_id, call, boxes)


def _line(file: Path, number: int, content: Any) -> ZooLine:
    try:
        return ZooLine.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the step"
        raise UsageError(f"{file}, step {number}: {place}: {first['msg']}") from None


def _size(picture: Path) -> tuple[int, int]:
    try:
        with Image.open(picture, formats=("PNG", "JPEG", "WEBP")) as opened:
            return opened.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(
            f"cannot read {picture}: {error}; elements are in its pixels, so a click cannot be "
            "scored without it: keep the pictures beside the episode's file"
        ) from None
