"""Compares two evaluations file by file: whether they are the same episodes with the same ends.

Set aside is what no two runs share: times, dates, paths, and how often something was tried; and
what they ran on, which must not change what they come to. Screens are compared as pixels.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from eyehand.agent.results.episode_result import EPISODES_FILE, EpisodeResult
from eyehand.agent.results.folder import EVALUATION_FILE, PLAN_FILE, read_plan, read_rows
from eyehand.agent.trajectory.pictures import read_picture
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.agent.trajectory.run_folder import RunFolder
from eyehand.agent.trajectory.writer import LINES_FILE
from eyehand.errors import UsageError

SET_ASIDE = frozenset(
    {
        "seconds", "mean_seconds", "timings_s", "policy_timings_s", "environment_timings_s",
        "started_at", "attempts", "faults", "environment_faults", "folder", "eyehand",
    }
)  # fmt: skip
"""Keys of records and rows that two runs of the same episode do not share."""

COMPUTE_KEYS = frozenset({"suite", "workers", "ray", "ray_address", "engines"})
"""Keys of a plan that say how the tasks were named and what they ran on."""

PICTURES = frozenset({".png", ".jpg", ".jpeg"})
PICTURE_FORMATS = ("PNG", "JPEG")
CHUNK_BYTES = 1024 * 1024
PAGES = frozenset({".html"})
"""Pages are written from what is compared."""

LINES_A_TASK = 50
"""Differences that are kept of a task; all are counted."""


@dataclass
class Compared:
    """What was compared, and what differs.

    Attributes:
        episodes: Episodes that both hold.
        screens: Pictures of their trajectories, compared as pixels.
        files: All other files of their trajectories.
        plan: Differences of the plans and the folders as a whole, in words.
        differing: By task, the first differences of its episodes, in words.
        differing_episodes: By task, how many of its episodes differ.
        differences: How many differences there are.
    """

    episodes: int = 0
    screens: int = 0
    files: int = 0
    plan: list[str] = field(default_factory=list)
    differing: dict[str, list[str]] = field(default_factory=dict)
    differing_episodes: dict[str, int] = field(default_factory=dict)
    differences: int = 0

    @property
    def identical(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    def to_json(self, lines: int = 5) -> dict[str, Any]:
        """Return the comparison, JSON-ready; every task that differs is in it.

        Args:
            lines: Most differences that are named a task.
        """
        return {
            "identical": self.identical,
            "episodes": self.episodes,
            "screens": self.screens,
            "files": self.files,
            "differences": self.differences,
            "plan": self.plan,
            "differing": {spec: found[:lines] for spec, found in self.differing.items()},
            "differing_episodes": self.differing_episodes,
        }

    def _note(self, spec: str, found: Iterable[str]) -> None:
        """Count the differences of an episode; only the first ones of its task are kept."""
        before, kept = self.differences, self.differing.get(spec, [])
        for text in found:
            self.differences += 1
            if len(kept) < LINES_A_TASK:
                kept.append(text)
        if self.differences > before:
            self.differing[spec] = kept
            self.differing_episodes[spec] = self.differing_episodes.get(spec, 0) + 1


def compare_folders(folder_a: Path | str, folder_b: Path | str) -> Compared:
    """Compare two evaluations' folders.

    Compared are the plans, the rows by their number, and of every kept trajectory its records and
    its files.

    Args:
        folder_a: An evaluation's folder.
        folder_b: Another one's.

    Raises:
        UsageError: a folder holds no evaluation, or something in it cannot be read.
    """
    a, b = Path(folder_a), Path(folder_b)
    compared = Compared(plan=list(_plans(a, b)))
    compared.differences = len(compared.plan)
    rows_a, rows_b = _rows(a), _rows(b)
    for index in sorted(rows_a.keys() | rows_b.keys()):
        row_a, row_b = rows_a.get(index), rows_b.get(index)
        if row_a and row_b:
            compared.episodes += 1
            compared._note(row_a.spec, _episodes(a, row_a, b, row_b, compared))
        elif row := row_a or row_b:
            which = "first" if row_a else "second"
            compared._note(row.spec, [f"{_where(row)}: only in the {which}"])
    return compared


def differences(folder_a: Path | str, folder_b: Path | str, most: int = 50) -> list[str]:
    """Return what differs between two evaluations' folders; nothing where they are identical.

    Args:
        folder_a: An evaluation's folder.
        folder_b: Another one's.
        most: Most differences that are named.

    Raises:
        UsageError: a folder holds no evaluation, or something in it cannot be read.
    """
    compared = compare_folders(folder_a, folder_b)
    return list(islice(chain(compared.plan, *compared.differing.values()), most))


def _plans(a: Path, b: Path) -> Iterator[str]:
    yield from _values("plan", _planned(a), _planned(b))
    if RunFolder(a).holds(EVALUATION_FILE) != RunFolder(b).holds(EVALUATION_FILE):
        yield f"only one of them holds {EVALUATION_FILE}"


def _planned(folder: Path) -> dict[str, Any]:
    if not RunFolder(folder).holds(PLAN_FILE):
        raise UsageError(
            f"{folder} holds no evaluation: there is no {PLAN_FILE}; "
            "name a folder that eyehand eval wrote"
        )
    return {key: value for key, value in read_plan(folder).items() if key not in COMPUTE_KEYS}


def _rows(folder: Path) -> dict[int, EpisodeResult]:
    return {row.index: row for row in read_rows(folder / EPISODES_FILE)[0]}


def _where(row: EpisodeResult) -> str:
    return f"episode {row.index} ({row.spec}, seed {row.seed})"


def _episodes(
    a: Path, row_a: EpisodeResult, b: Path, row_b: EpisodeResult, compared: Compared
) -> Iterator[str]:
    where = _where(row_a)
    yield from _values(where, row_a.to_json(), row_b.to_json())
    if (row_a.folder is None) != (row_b.folder is None):
        yield f"{where}: kept in {row_a.folder} and in {row_b.folder}"
    elif row_a.folder is not None and row_b.folder is not None:
        folders = RunFolder(a, row_a.folder), RunFolder(b, row_b.folder)
        yield from _trajectories(where, *folders, compared)


def _trajectories(where: str, a: RunFolder, b: RunFolder, compared: Compared) -> Iterator[str]:
    yield from _records(where, a, b)
    files_a, files_b = _files(a), _files(b)
    yield from _names(f"{where}, files", files_a, files_b)
    compared.files += 1  # the records
    for name in sorted(files_a & files_b):
        if Path(name).suffix.lower() in PICTURES:
            compared.screens += 1
        else:
            compared.files += 1
        if not _same_file(a, b, name):
            yield f"{where}: {name} differs"


def _records(where: str, a: RunFolder, b: RunFolder) -> Iterator[str]:
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


def _files(folder: RunFolder) -> set[str]:
    return {
        name
        for name in folder.files()
        if Path(name).name != LINES_FILE and Path(name).suffix not in PAGES
    }


def _same_file(a: RunFolder, b: RunFolder, name: str) -> bool:
    if _same_bytes(a, b, name):
        return True
    if Path(name).suffix.lower() not in PICTURES:
        return False
    pixels = read_picture(a, name, PICTURE_FORMATS)
    return np.array_equal(pixels, read_picture(b, name, PICTURE_FORMATS))


def _same_bytes(a: RunFolder, b: RunFolder, name: str) -> bool:
    try:
        with a.reading(name) as one, b.reading(name) as other:
            while (chunk := one.read(CHUNK_BYTES)) == other.read(CHUNK_BYTES):
                if not chunk:
                    return True
    except OSError as error:
        raise UsageError(f"cannot read {a.path / name}: {error.strerror}") from None
    return False


def _names(where: str, a: set[str], b: set[str]) -> Iterator[str]:
    for only, which in ((a - b, "first"), (b - a, "second")):
        if only:
            yield f"{where}: only in the {which}: {', '.join(sorted(only))}"


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
