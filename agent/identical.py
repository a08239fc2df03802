"""Compares two evaluations file by file: whether they are the same episodes with the same ends.

Set aside is what no two runs share: times, dates, paths, and how often something was tried. Screens
are compared as pixels.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from eyehand.agent.ledger import read_plan, read_rows
from eyehand.agent.retention import EVALUATION_FILE
from eyehand.agent.rows import EPISODES_FILE, EpisodeRow
from eyehand.agent.trajectory import LINES_FILE, read_trajectory

SET_ASIDE = frozenset(
    {
        "seconds", "mean_seconds", "timings_s", "policy_timings_s", "environment_timings_s",
        "started_at", "attempts", "faults", "environment_faults", "folder", "eyehand",
    }
)  # fmt: skip
"""Keys of records and rows that two runs of the same episode do not share."""

PICTURES = frozenset({".png", ".jpg", ".jpeg"})
PAGES = frozenset({".html"})
"""Pages are written from what is compared."""


def differences(folder_a: Path | str, folder_b: Path | str, most: int = 50) -> list[str]:
    """Return what differs between two evaluations' folders; nothing where they are identical.

    Compared are the plans, the rows by their number, the counts, and of every kept trajectory its
    records and its files.

    Args:
        folder_a: An evaluation's folder.
        folder_b: Another one's.
        most: Most differences that are named.

    Raises:
        UsageError: a folder holds no evaluation, or an unreadable one.
    """
    found = _folders(Path(folder_a), Path(folder_b))
    return [text for text, _ in zip(found, range(most), strict=False)]


def _folders(a: Path, b: Path) -> Iterator[str]:
    yield from _values("plan", read_plan(a), read_plan(b))
    rows_a, rows_b = _rows(a), _rows(b)
    yield from _names("episodes", set(rows_a), set(rows_b))
    for index in sorted(set(rows_a) & set(rows_b)):
        row_a, row_b = rows_a[index], rows_b[index]
        where = f"episode {index} ({row_a.spec}, seed {row_a.seed})"
        yield from _values(where, row_a.to_json(), row_b.to_json())
        if (row_a.folder is None) != (row_b.folder is None):
            yield f"{where}: kept in {row_a.folder} and in {row_b.folder}"
        elif row_a.folder is not None and row_b.folder is not None:
            yield from _trajectories(where, a / row_a.folder, b / row_b.folder)
    if (a / EVALUATION_FILE).exists() != (b / EVALUATION_FILE).exists():
        yield f"only one of them holds {EVALUATION_FILE}"


def _rows(folder: Path) -> dict[int, EpisodeRow]:
    return {row.index: row for row in read_rows(folder / EPISODES_FILE)[0]}


def _trajectories(where: str, a: Path, b: Path) -> Iterator[str]:
    first, second = read_trajectory(a), read_trajectory(b)
    yield from _values(where, first.episode.model_dump(), second.episode.model_dump())
    if len(first.steps) != len(second.steps):
        yield f"{where}: {len(first.steps)} steps and {len(second.steps)}"
    for step_a, step_b in zip(first.steps, second.steps, strict=False):
        yield from _values(
            f"{where}, step {step_a.index}", step_a.model_dump(), step_b.model_dump()
        )
    ends = [end.model_dump() if end else None for end in (first.outcome, second.outcome)]
    yield from _values(f"{where}, outcome", *ends)
    files_a, files_b = _files(a), _files(b)
    yield from _names(f"{where}, files", files_a, files_b)
    for name in sorted(files_a & files_b):
        if not _same_file(a / name, b / name):
            yield f"{where}: {name} differs"


def _files(folder: Path) -> set[str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix()
        for path in paths
        if path.name != LINES_FILE and path.suffix not in PAGES
    }


def _same_file(a: Path, b: Path) -> bool:
    if a.suffix.lower() not in PICTURES:
        return a.read_bytes() == b.read_bytes()
    with Image.open(a) as picture_a, Image.open(b) as picture_b:
        return np.array_equal(np.asarray(picture_a), np.asarray(picture_b))


def _names(where: str, a: set[Any], b: set[Any]) -> Iterator[str]:
    for only, which in ((a - b, "first"), (b - a, "second")):
        if only:
            yield f"{where}: only in the {which}: {', '.join(map(str, sorted(only)))}"


def _values(where: str, a: Any, b: Any) -> Iterator[str]:
    """Compare JSON-ready values, key by key, without what is set aside."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in dict.fromkeys([*a, *b]):
            if key not in SET_ASIDE:
                yield from _values(f"{where}: {key}", a.get(key), b.get(key))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for index, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from _values(f"{where}[{index}]", one, other)
    elif a != b and not (a != a and b != b):
        yield f"{where}: {str(a)[:80]!r} and {str(b)[:80]!r}"
