"""The lines that are scored: a reference call, a predicted call, and the boxes of the screen."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eyehand.errors import RecordingFailed, UsageError

Coordinate = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Box = tuple[Coordinate, Coordinate, Coordinate, Coordinate]
"""Left, top, right, bottom of an element, each a share of the screen, 0 to 1."""


class Call(BaseModel):
    """A function call: its name and its arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    arguments: dict[str, Any] = Field(default_factory=dict)


class ScoredStep(BaseModel):
    """One line: what should have been done on a screen, and what was predicted.

    Attributes:
        episode: Which episode the step belongs to.
        step: Number of the step within it.
        reference: What should have been done.
        prediction: What was predicted; None where the answer held no call.
        boxes: Elements of the screen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    episode: str
    step: int = Field(ge=0)
    reference: Call
    prediction: Call | None
    boxes: tuple[Box, ...] = ()


def read_steps(path: Path) -> list[ScoredStep]:
    """Read a JSONL file of steps; empty lines are passed over.

    Raises:
        UsageError: the file cannot be read, holds no step, a line is not one, or a step comes
            twice.
    """
    try:
        # Not splitlines(): a text may hold one of the other ends of a line that Unicode knows.
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    steps = [_parse(path, n, line) for n, line in enumerate(lines, start=1) if line.strip()]
    if not steps:
        raise UsageError(f"{path} holds no step: expected one JSON object a line")
    seen: set[tuple[str, int]] = set()
    for step in steps:
        if (place := (step.episode, step.step)) in seen:
            raise UsageError(f"{path}: step {step.step} of episode {step.episode!r} comes twice")
        seen.add(place)
    return steps


def write_steps(path: Path, steps: Iterable[ScoredStep]) -> None:
    """Write steps as JSONL.

    Raises:
        RecordingFailed: the file cannot be written.
    """
    # ASCII only: a text may hold half of a surrogate pair, which UTF-8 cannot write.
    lines = "".join(json.dumps(step.model_dump()) + "\n" for step in steps)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lines, encoding="ascii")
    except OSError as error:
        raise RecordingFailed(f"cannot write {path}: {error.strerror}") from error


def _parse(path: Path, number: int, line: str) -> ScoredStep:
    try:
        return ScoredStep.model_validate(json.loads(line))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the line"
        reason = f"{place}: {first['msg']}"
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise UsageError(f"{path}, line {number}, is not a step to score: {reason}") from None
