"""ResultStore: what an evaluation is to run, and the rows of the episodes that have ended.

`plan.json` is written before the first episode, and `episodes.jsonl` gets a line whenever an
episode has ended; the line is the truth about what need not be run again. Only one process at a
time writes them.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Any, Self

from eyehand.agent.evaluation.resumption import renumbered, require_same_plan
from eyehand.agent.results.episode_result import EPISODES_FILE, EpisodeResult
from eyehand.agent.results.folder import EVALUATION_FILE, PLAN_FILE, read_plan, read_rows
from eyehand.agent.trajectory.files import write_whole
from eyehand.agent.trajectory.json_text import json_text
from eyehand.agent.trajectory.run_folder import RunFolder, write_all
from eyehand.errors import RecordingFailed, UsageError

LOCK_TIMEOUT_S = 20.0
"""Workers of a killed evaluation end within moments; longer means that another one is running."""

LOCK_POLL_S = 0.05


class ResultStore:
    """Keeps the rows, in memory and in the folder.

    Args:
        out: The evaluation's folder; None keeps the rows in memory only.
        plan: What is run, JSON-ready.
        resume: Go on with the plan and the rows that are there; otherwise there must be none.

    Raises:
        UsageError: there is a plan and `resume` is False; there is none, it is another one or it
            is unreadable and `resume` is True; another process is writing the rows.
        RecordingFailed: the disk does not take the first files.
    """

    def __init__(self, out: Path | None, plan: dict[str, Any], resume: bool = False) -> None:
        self.rows: dict[int, EpisodeResult] = {}
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

    def append(self, row: EpisodeResult) -> None:
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

    def in_order(self) -> list[EpisodeResult]:
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


def _line(row: EpisodeResult) -> bytes:
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
