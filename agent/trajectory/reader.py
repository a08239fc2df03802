"""Reads the record of an episode from its folder, also one that was left in mid-episode."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from eyehand.agent.trajectory.json_text import read_json
from eyehand.agent.trajectory.pictures import MOST_PIXELS, SCREEN_FORMATS, read_picture
from eyehand.agent.trajectory.records import (
    RECORD,
    AnyRecord,
    EpisodeRecord,
    OutcomeRecord,
    ScreenRecord,
    StepRecord,
    first_fault,
)
from eyehand.agent.trajectory.run_folder import RunFolder
from eyehand.agent.trajectory.writer import LINES_FILE, MOST_LINE_BYTES, SCREENS_FOLDER
from eyehand.envs.env import Observation, Pixels, ScreenGeometry, Video
from eyehand.errors import UsageError

_SCREEN_FILE = re.compile(rf"{SCREENS_FOLDER}/[\w-][\w.-]{{0,99}}\.png", re.ASCII)


MOST_BYTES = 256 * 1024 * 1024
"""The largest `episode.jsonl` that is read."""


@dataclass(frozen=True)
class Trajectory:
    """An episode as read from its folder.

    Attributes:
        folder: Where it lies.
        episode: The first line.
        steps: The steps, in order.
        outcome: The last line; None where the process was killed before it.
        partial_line: Whether a partial last line was ignored.
        place: How the folder's files are reached; None opens `folder` itself.
    """

    folder: Path
    episode: EpisodeRecord
    steps: list[StepRecord] = field(default_factory=list)
    outcome: OutcomeRecord | None = None
    partial_line: bool = False
    place: RunFolder | None = None

    @property
    def files(self) -> RunFolder:
        """The folder, to read what lies in it."""
        return self.place or RunFolder(self.folder)

    @property
    def last_action(self) -> str | None:
        """Name of the last step's action; None where there is none."""
        action = self.steps[-1].action if self.steps else None
        return action.name if action else None

    def pixels(self, screen: ScreenRecord) -> Pixels:
        """Read a screen, RGB uint8 (H, W, 3).

        Raises:
            UsageError: its file is missing or is no picture.
        """
        if screen.file is None:
            raise UsageError("this episode was run without keeping its screens")
        return self.picture(screen.file)

    def video(self, screen: ScreenRecord) -> Video | None:
        """Read a screen's video, RGB uint8 (T, H, W, 3); None where it is a still picture.

        Raises:
            UsageError: a file of it is missing or is no picture, or it has more than `MOST_PIXELS`.
        """
        if screen.video is None:
            return None
        frames: list[Pixels] = []
        for file in screen.video:
            frames.append(self.picture(file))
            if frames[-1].shape != frames[0].shape:
                raise UsageError(f"{self.folder / file} has another size than the video's frames")
            if frames[0].size // 3 * len(screen.video) > MOST_PIXELS:
                raise UsageError(
                    f"the video of {screen.file} in {self.folder} has more than {MOST_PIXELS:,} "
                    "pixels in all its frames"
                )
        return np.stack(frames)

    def observation(self, step: StepRecord) -> Observation:
        """Read what a step's decision was made on.

        Raises:
            UsageError: a file of it is missing or is no picture.
        """
        screen = step.screen
        fields = screen.model_dump(exclude={"file", "name", "video"})
        geometry = ScreenGeometry(screen.name, **fields)
        pixels, video = self.pixels(screen), self.video(screen)
        return Observation(pixels, geometry, step.text, step.feedback, video)

    def picture(self, file: str) -> Pixels:
        """Read a screen's file, RGB uint8 (H, W, 3).

        Raises:
            UsageError: it is missing, no PNG below `screens/`, or larger than any screen.
        """
        if not _SCREEN_FILE.fullmatch(file):
            raise UsageError(f"{file[:80]!r} in {self.folder} is no PNG below {SCREENS_FOLDER}/")
        return read_picture(self.files, file, SCREEN_FORMATS)


def is_episode(folder: Path) -> bool:
    """Return whether a folder holds an episode's record."""
    return RunFolder(folder).holds(LINES_FILE)


def read_trajectory(folder: Path | str | RunFolder) -> Trajectory:
    """Read an episode's folder, also one that was left in mid-episode.

    Raises:
        UsageError: the folder holds no episode, a line of it (other than a partial last one)
            cannot be read, or it is too large.
    """
    place = RunFolder(folder)
    path = place.path / LINES_FILE
    records: list[AnyRecord] = []
    partial = False
    try:
        for number, line in place.lines(LINES_FILE, MOST_BYTES, MOST_LINE_BYTES):
            partial = not line.endswith(b"\n")
            if not partial:
                records.append(_parse(path, number, line))
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{folder} holds no episode: there is no {LINES_FILE}") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if not records or not isinstance(records[0], EpisodeRecord):
        raise UsageError(f"{path} does not begin with an episode line; nothing to show")
    outcomes = [record for record in records if isinstance(record, OutcomeRecord)]
    steps = [record for record in records if isinstance(record, StepRecord)]
    outcome = outcomes[-1] if outcomes else None
    return Trajectory(place.path, records[0], steps, outcome, partial, place)


def _parse(path: Path, number: int, line: bytes) -> AnyRecord:
    try:
        return RECORD.validate_python(read_json(line, finite=True))
    except ValidationError as error:
        reason = first_fault(error)
    except ValueError as error:
        reason = str(error)
    raise UsageError(f"{path}, line {number}, is not a record of eyehand: {reason}")
