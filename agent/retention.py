"""Where an evaluation's trajectories lie, and which of them stay."""

import json
import re
import shutil
from pathlib import Path
from typing import Any, Literal

from eyehand.agent.episode import Episode
from eyehand.agent.outcome import Outcome
from eyehand.errors import RecordingFailed, UsageError

EVALUATION_FILE = "evaluation.json"

Keep = Literal["all", "failures", "none"]


class Shelf:
    """The folder of an evaluation: `evaluation.json` and `TASK/SEED/` for each kept episode.

    Args:
        out: The folder; None keeps nothing on disk.
        keep: "all", "failures" (whatever did not succeed) or "none".

    Raises:
        UsageError: the folder holds an evaluation already, or cannot be made.
    """

    def __init__(self, out: Path | None, keep: Keep) -> None:
        self.out = out
        self.keep = keep
        if out is None:
            return
        if (out / EVALUATION_FILE).exists():
            raise UsageError(f"{out} already holds an evaluation; choose another folder")
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make the folder {out}: {error.strerror}") from None

    def folder(self, spec: str, seed: int, attempt: int) -> Path | None:
        """Return where an episode is to be written; None where it is not.

        Args:
            spec: The task.
            seed: The episode's seed.
            attempt: 0 for the first try, 1 for the first retry.
        """
        if self.out is None or self.keep == "none":
            return None
        suffix = f"-retry{attempt}" if attempt else ""
        return self.out / slug(spec) / f"{seed}{suffix}"

    def check(self, episode: Episode) -> None:
        """Refuse to go on when the disk is full: a retry would only fail again.

        Raises:
            RecordingFailed: the episode ended so.
        """
        if episode.outcome is Outcome.ENVIRONMENT_FAULT:
            kind, _, message = episode.message.partition(": ")
            if kind == RecordingFailed.__name__:
                raise RecordingFailed(message)

    def settle(self, episode: Episode) -> None:
        """Remove a counted episode's folder where it is not kept."""
        if self.keep == "failures" and episode.folder and episode.outcome is Outcome.SUCCEEDED:
            shutil.rmtree(episode.folder)

    def save(self, evaluation: dict[str, Any]) -> None:
        """Write the counts so far.

        Raises:
            RecordingFailed: the disk does not take them.
        """
        if self.out is None:
            return
        path = self.out / EVALUATION_FILE
        partial = path.with_suffix(".partial")
        try:
            partial.write_text(json.dumps(evaluation, indent=2) + "\n", encoding="utf-8")
            partial.replace(path)
        except OSError as error:
            raise RecordingFailed(f"cannot write {path}: {error.strerror}") from error


def slug(spec: str) -> str:
    """Return a spec as a file name: "miniwob:click-tab" becomes "miniwob-click-tab"."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", spec).strip("-.")[:80] or "episode"
