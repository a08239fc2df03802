"""The ledger of an evaluation: what is to be run, and which episodes have ended.

`plan.json` is written before the first episode, and `episodes.jsonl` gets a line whenever an
episode has ended; the line is the truth about what need not be run again. Only one process at a
time writes a ledger.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Any, Self

from eyehand.agent.json_text import json_text, read_json
from eyehand.agent.plan_file import check_plan
from eyehand.agent.resumption import renumbered, require_same_plan
from eyehand.agent.retention import EVALUATION_FILE, PLAN_FILE, write_whole
from eyehand.agent.rows import EPISODES_FILE, EpisodeRow
from eyehand.agent.run_folder import RunFolder, write_all
from eyehand.errors import RecordingFailed, UsageError

LOCK_TIMEOUT_S = 20.0
"""Workers of a killed evaluation end within moments; longer means that another one is running."""

LOCK_POLL_S = 0.05

MOST_PLAN_BYTES = 3 * 1024 * 1024
"""The largest plan or summary that is read."""

MOST_ROWS = 500_000
MOST_ROWS_BYTES = 512 * 1024 * 1024
MOST_ROW_BYTES = 1024 * 1024
MOST_TASKS = 10_000
"""Bounds of a file of rows, and of the different tasks in it."""


class Ledger:
    """Keeps the rows, in memory and in the folder.

    Args:
        out: The evaluation's folder; None keeps the rows in memory only.
        plan: What is run, JSON-ready.
        resume: Go on with the ledger that is there; otherwise there must be none.

    Raises:
        UsageError: there is a ledger and `resume` is False; there is none, it belongs to another
            plan or it is unreadable and `resume` is True; another process is writing it.
        RecordingFailed: the disk does not take the first files.
    """

    def __init__(self, out: Path | None, plan: dict[str, Any], resume: bool = False) -> None:
        self.rows: dict[int, EpisodeRow] = {}
        self.descriptor: int | None = None
        self._out = out
        if out is None:
            return
        if not resume:
            check_unused(out)
        if resume:
            require_same_plan(out, read_plan(out), plan)
        else:
            write_whole(out, PLAN_FILE, json_text(plan, indent=2) + "\n")
        self.descriptor = _locked(out)
        try:
            RunFolder(out).sweep()  # it is ours alone by now
            self._read(out / EPISODES_FILE)
            if resume:
                self._take_over(out, plan)
        except BaseException:
            self.close()
            raise

    def append(self, row: EpisodeRow) -> None:
        """Count an episode that has ended.

        Raises:
            RecordingFailed: the disk does not take its line.
        """
        self.rows[row.index] = row
        if self.descriptor is None:
            return
        try:
            write_all(self.descriptor, _line(row))
        except OSError as error:
            raise RecordingFailed(
                f"cannot write {EPISODES_FILE} in {self._out}: {error.strerror}; "
                "free some space and go on with --resume"
            ) from error

    def in_order(self) -> list[EpisodeRow]:
        """Return the rows by their number."""
        return [self.rows[index] for index in sorted(self.rows)]

    def sort(self) -> None:
        """Write the lines in the order of the plan: the file is then the same for any workers."""
        if list(self.rows) != sorted(self.rows):
            self._rewrite()

    def close(self) -> None:
        """Close the file, which lets another process go on with it."""
        descriptor, self.descriptor = self.descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rewrite(self) -> None:
        if self._out is not None:
            text = b"".join(_line(row) for row in self.in_order()).decode("ascii")
            write_whole(self._out, EPISODES_FILE, text)

    def _take_over(self, out: Path, plan: dict[str, Any]) -> None:
        """Bring the folder to a plan that has grown, or whose declaration file has moved."""
        written = read_plan(out)  # by now it is ours alone
        require_same_plan(out, written, plan)
        rows, self.rows = self.rows, renumbered(self.rows.values(), written, plan)
        if rows != self.rows:
            self._rewrite()
            replaced, self.descriptor = self.descriptor, _locked(out)
            if replaced is not None:
                os.close(replaced)
        if any(written.get(name) != plan.get(name) for name in ("specs", "episodes")):
            RunFolder(out).remove(EVALUATION_FILE)  # it counts the plan as it was
            write_whole(out, PLAN_FILE, json_text(plan, indent=2) + "\n")

    def _read(self, path: Path) -> None:
        """Read the rows; a torn last line, of an episode that then runs again, is cut off."""
        rows, whole = read_rows(path)
        self.rows = {row.index: row for row in rows}
        if self.descriptor is not None:
            os.ftruncate(self.descriptor, whole)


def check_unused(out: Path) -> None:
    """Refuse a folder that holds an evaluation already.

    Raises:
        UsageError: it does.
    """
    if any(os.path.lexists(out / name) for name in (EVALUATION_FILE, PLAN_FILE)):
        raise UsageError(
            f"{out} already holds an evaluation; choose another folder, or go on with it: --resume"
        )


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


def read_rows(path: Path) -> tuple[list[EpisodeRow], int]:
    """Read a file of rows, one JSON line each.

    Returns:
        The rows, and the number of bytes that hold whole lines: a last line without its end was
        being written when its process was killed.

    Raises:
        UsageError: the file is missing, a whole line is no row, or there are too many.
    """
    rows: list[EpisodeRow] = []
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


def _row(path: Path, number: int, line: bytes) -> EpisodeRow:
    try:
        return EpisodeRow.from_json(read_json(line))
    except (ValueError, UsageError) as error:
        raise UsageError(f"{path}, line {number}: {error}") from None


def _line(row: EpisodeRow) -> bytes:
    return (json_text(row.to_json()) + "\n").encode("ascii")


def _open(out: Path) -> int:
    try:
        return RunFolder(out).appending(EPISODES_FILE)
    except OSError as error:
        raise RecordingFailed(f"cannot write {out / EPISODES_FILE}: {error.strerror}") from error


def _locked(out: Path) -> int:
    """Open the rows, and wait until they are ours; a file that was replaced meanwhile is not."""
    while True:
        descriptor = _open(out)
        try:
            _lock(descriptor, out)
            there = RunFolder(out).status(EPISODES_FILE)
            if there is not None and os.path.samestat(os.fstat(descriptor), there):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, out: Path) -> None:
    """Wait until the folder is ours: workers share the lock of the process that started them."""
    deadline_s = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline_s:
                raise UsageError(f"another process is writing the evaluation in {out}") from None
            time.sleep(LOCK_POLL_S)
        except OSError:  # a file system without locks (some of a network's) goes without
            return
