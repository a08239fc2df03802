"""The lines that are scored: a reference call, a predicted call, and the boxes of the screen."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar

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


class StepLine(BaseModel):
    """A line about one step.

    Attributes:
        episode: Which episode the step belongs to.
        step: Number of the step within it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    episode: str
    step: int = Field(ge=0)


Line = TypeVar("Line", bound=StepLine)


class ScoredStep(StepLine):
    """One line: what should have been done on a screen, and what was predicted.

    Attributes:
        reference: What should have been done.
        prediction: What was predicted; None where the answer held no call.
        boxes: Elements of the screen.
    """

    reference: Call
    prediction: Call | None
    boxes: tuple[Box, ...] = ()


def read_steps(path: Path) -> list[ScoredStep]:
    """Read a JSONL file of steps; empty lines are passed over.

    Raises:
        UsageError: the file cannot be read, holds no step, a line is not one, or a step comes
            twice.
    """
    return read_lines(path, ScoredStep)


def read_lines(path: Path, kind: type[Line]) -> list[Line]:
    """Read a JSONL file of one kind of line; empty lines are passed over.

    Raises:
        UsageError: the file cannot be read, holds no line, a line is of another kind, or a step
            comes twice.
    """
    try:
        # Not splitlines(): a text may hold one of the other ends of a line that Unicode knows.
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    steps = [_parse(path, n, line, kind) for n, line in enumerate(lines, start=1) if line.strip()]
    if not steps:
        raise UsageError(f"{path} holds no step: expected one JSON object a line")
    require_once(path, ((step.episode, step.step) for step in steps))
    return steps


def require_once(path: Path, places: Iterable[tuple[str, int]]) -> None:
    """Refuse a step that comes twice.

    Args:
        path: Where the steps are from.
        places: Episode and number of each.

    Raises:
        UsageError: one comes twice.
    """
    seen: set[tuple[str, int]] = set()
    for episode, step in places:
        if (episode, step) in seen:
            raise UsageError(f"{path}: step {step} of episode {episode!r} comes twice")
        seen.add((episode, step))


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


def _parse(path: Path, number: int, line: str, kind: type[Line]) -> Line:
    try:
        return kind.model_validate(json.loads(line))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the line"
        reason = f"{place}: {first['msg']}"
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise UsageError(f"{path}, line {number}, is not a step to score: {reason}") from None
