"""An evaluation's folder on disk: its plan, its summary and its rows, whoever wrote them."""

from pathlib import Path
from typing import Any

from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.agent.results.plan_file import check_plan
from eyehand.agent.trajectory.json_text import read_json
from eyehand.agent.trajectory.run_folder import RunFolder
from eyehand.errors import UsageError

PLAN_FILE = "plan.json"
EVALUATION_FILE = "evaluation.json"

MOST_PLAN_BYTES = 3 * 1024 * 1024
"""The largest plan or summary that is read."""

MOST_ROWS = 500_000
MOST_ROWS_BYTES = 512 * 1024 * 1024
MOST_ROW_BYTES = 1024 * 1024
MOST_TASKS = 10_000
"""Bounds of a file of rows, and of the different tasks in it."""


def read_plan(out: Path) -> dict[str, Any]:
    """Read the plan of an evaluation's folder.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    plan = read_document(out, PLAN_FILE)
    if plan is None:
        raise UsageError(f"{out} holds nothing to go on with: there is no {PLAN_FILE}")
    return plan


def read_document(out: Path, name: str) -> dict[str, Any] | None:
    """Read the plan, or the summary, of an evaluation's folder; None where there is none.

    Raises:
        UsageError: it cannot be read, or a field of it is not what it should be.
    """
    path = out / name
    try:
        document = read_json(RunFolder(out).read(name, MOST_PLAN_BYTES), finite=True)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    return check_plan(document, path)


def read_rows(path: Path) -> tuple[list[EpisodeResult], int]:
    """Read a file of rows, one JSON line each.

    Returns:
        The rows, and the number of bytes that hold whole lines: a last line without its end was
        being written when its process was killed.

    Raises:
        UsageError: the file is missing, a whole line is no row, or there are too many.
    """
    rows: list[EpisodeResult] = []
    whole = 0
    specs: set[str] = set()
    try:
        for number, line in RunFolder(path.parent).lines(
            path.name, MOST_ROWS_BYTES, MOST_ROW_BYTES
        ):
            if not line.endswith(b"\n"):
                break
            rows.append(_row(path, number, line))
            specs.add(rows[-1].spec)
            whole += len(line)
            if number > MOST_ROWS or len(specs) > MOST_TASKS:
                raise UsageError(
                    f"{path} holds more than {MOST_ROWS:,} episodes or {MOST_TASKS:,} tasks"
                )
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    return rows, whole


def _row(path: Path, number: int, line: bytes) -> EpisodeResult:
    try:
        return EpisodeResult.from_json(read_json(line))
    except (ValueError, UsageError) as error:
        raise UsageError(f"{path}, line {number}: {error}") from None
