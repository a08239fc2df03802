"""Where an evaluation's trajectories lie, and which of them stay."""

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from eyehand.agent.results.episode_result import EPISODES_FILE, EpisodeResult
from eyehand.agent.results.folder import EVALUATION_FILE, PLAN_FILE
from eyehand.agent.trajectory.files import missing_folders, slug, write_whole
from eyehand.agent.trajectory.json_text import json_text
from eyehand.agent.trajectory.run_folder import PARTIAL, RunFolder
from eyehand.errors import RecordingFailed, UsageError

Keep = Literal["all", "failures", "none"]


class EvaluationFolder:
    """The folder of an evaluation: `evaluation.json` and `TASK/SEED/` for each kept episode.

    Args:
        out: The folder, made when it is missing; None keeps nothing on disk.

    Raises:
        UsageError: the folder cannot be made.
    """

    def __init__(self, out: Path | None) -> None:
        self.out = out
        if out is None:
            return
        self._made = missing_folders(out)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make the folder {out}: {error.strerror}") from None

    def clear(self, spec: str, seed: int) -> None:
        """Remove what an episode that did not end has left behind, its failed tries included.

        Raises:
            UsageError: the task's folder is a link.
        """
        if self.out is None:
            return
        tries = re.compile(rf"{seed}(-retry\d+)?({re.escape(PARTIAL)})?")
        task = RunFolder(self.out, slug(spec))
        for name, _ in task.entries():
            if tries.fullmatch(name):
                task.remove_tree(name)

    def discard(self, specs: Iterable[str]) -> None:
        """Remove an evaluation that was refused before an episode ended, and its new folders.

        A folder that holds anything else stays.

        Args:
            specs: The tasks, whose folders are empty by now.
        """
        if self.out is None:
            return
        out = RunFolder(self.out)
        for name in (PLAN_FILE, EPISODES_FILE):
            out.remove(name)
        for spec in specs:
            with suppress(OSError, UsageError):
                out.remove_folder(slug(spec))
        for folder in self._made:
            with suppress(OSError):
                folder.rmdir()

    def deliver(self, row: EpisodeResult, files: dict[str, bytes]) -> None:
        """Write a trajectory that was run on another machine, whole or not at all.

        Raises:
            RecordingFailed: the disk does not take it.
        """
        if self.out is None or row.folder is None or not files:
            return
        *above, name = row.folder.split("/")
        place, partial = RunFolder(self.out, *above), name + PARTIAL
        try:
            place.make()
            place.remove_tree(partial)
            for file, data in files.items():
                place.write_new(f"{partial}/{file}", data)
            place.move(partial, name)
        except OSError as error:
            raise RecordingFailed(f"cannot write {place.path / name}: {error.strerror}") from error

    def save(self, evaluation: dict[str, Any]) -> None:
        """Write the counts so far.

        Raises:
            RecordingFailed: the disk does not take them.
        """
        if self.out is not None:
            write_whole(self.out, EVALUATION_FILE, json_text(evaluation, indent=2) + "\n")


def episode_folder(out: Path, spec: str, seed: int, attempt: int) -> RunFolder:
    """Return where an episode is written.

    Args:
        out: The evaluation's folder.
        spec: The task.
        seed: The episode's seed.
        attempt: 0 for the first try, 1 for the first retry.
    """
    suffix = f"-retry{attempt}" if attempt else ""
    return RunFolder(out, slug(spec), f"{seed}{suffix}")
