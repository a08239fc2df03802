"""The record of an episode on disk: written as it happens, readable after a crash.

A folder holds `episode.jsonl` (one line a record, each handed to the operating system at once) and
`screens/000.png`, `001.png`, .... A screen's video is a list of such files; a frame of it that was
no screen by itself is `004-1.png`, the first one that came with screen 4. A process that is killed
leaves at worst a partial last line, which the reader ignores; a full disk leaves whole lines only.
"""

import io
import os
import re
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from PIL import Image
from pydantic import ValidationError

from eyehand.agent.folders import missing_folders
from eyehand.agent.json_text import json_text, read_json
from eyehand.agent.pictures import SCREEN_FORMATS, read_picture
from eyehand.agent.records import (
    RECORD,
    AnyRecord,
    EpisodeRecord,
    OutcomeRecord,
    ScreenRecord,
    StepRecord,
    first_fault,
)
from eyehand.agent.run_folder import RunFolder, write_all
from eyehand.envs.env import Observation, Pixels, ScreenGeometry, Video
from eyehand.errors import RecordingFailed, UsageError

LINES_FILE = "episode.jsonl"
SCREENS_FOLDER = "screens"
_SCREEN_FILE = re.compile(rf"{SCREENS_FOLDER}/[\w-][\w.-]{{0,99}}\.png", re.ASCII)
DOWNLOADS_FOLDER = "downloads"
MOST_BYTES = 256 * 1024 * 1024
"""The largest `episode.jsonl` that is read."""

MOST_LINE_BYTES = 4 * 1024 * 1024
"""The longest line of it, written and read."""

MOST_VIDEO_PIXELS = 200_000_000
PNG_COMPRESS_LEVEL = 1
"""zlib's fastest: a page of 1288x728 takes about half of the default's time."""


def check_free(folder: Path) -> None:
    """Say that an episode cannot be written to a folder; nothing is created.

    Raises:
        UsageError: the folder holds an episode, or cannot be created there.
    """
    if os.path.lexists(folder / LINES_FILE):
        raise _taken(folder)
    there = next(
        place for place in (folder.absolute(), *folder.absolute().parents) if place.exists()
    )
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        reason = "it cannot be written to" if there.is_dir() else f"{there} is a file"
        raise UsageError(f"cannot write to {folder}: {reason}")


def _taken(folder: Path) -> UsageError:
    return UsageError(f"{folder} already holds an episode; choose another folder")


class TrajectoryWriter:
    """Writes one episode's folder.

    Args:
        folder: Created with its parents. It may exist, but not hold an episode already.

    Raises:
        UsageError: the folder holds an episode, or a link where something shall be written, or
            cannot be created there.
        RecordingFailed: the disk does not take the first file.
    """

    def __init__(self, folder: Path | str | RunFolder) -> None:
        self._place = RunFolder(folder)
        self.folder = self._place.path
        self._made = missing_folders(self._place.path.absolute())
        # What the last record shows, each with its file: its video, or its one picture.
        self._shown: list[tuple[Pixels, str]] = []
        try:
            self._place.below(SCREENS_FOLDER).make()
            _require_no_links(self._place)  # a page's downloads are written there
            self._descriptor = self._place.create(LINES_FILE)
        except FileExistsError:
            raise _taken(self.folder) from None
        except (PermissionError, NotADirectoryError) as error:
            raise UsageError(f"cannot write to {self.folder}: {error.strerror}") from None
        except OSError as error:
            raise _recording_failed(self.folder, error) from error
        self._size = 0
        self._closed = False

    def screen(self, index: int, observation: Observation) -> ScreenRecord:
        """Write the observation's screen, unless the previous one showed the very same pixels.

        Of a video, the frames that the previous one did not show are written.

        Args:
            index: Number of the screen, which names its file.
            observation: What was seen.

        Raises:
            RecordingFailed: the disk does not take a file.
        """
        newest = self._written(f"{index:03d}", observation.pixels, self._shown)
        earlier: list[tuple[Pixels, str]] = []
        for frame in () if observation.video is None else observation.video[:-1]:
            name = f"{index:03d}-{len(earlier) + 1}"
            earlier.append(self._written(name, frame, [newest, *self._shown, *earlier]))
        self._shown = [*earlier, newest]
        files = None if observation.video is None else [file for _, file in self._shown]
        return screen_record(observation, newest[1], files)

    def write(self, record: AnyRecord) -> None:
        """Append one line.

        Raises:
            RecordingFailed: the disk does not take it; the lines before it stay whole.
        """
        line = _line(record)
        if len(line) > MOST_LINE_BYTES:
            line = _line(record.model_copy(update={"details": {"left_out": f"{len(line)} bytes"}}))
        try:
            write_all(self._descriptor, line)
        except BaseException as error:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
                os.lseek(self._descriptor, self._size, os.SEEK_SET)
            if isinstance(error, OSError):
                raise _recording_failed(self.folder, error) from error
            raise
        self._size += len(line)

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        if not self._closed:
            self._closed = True
            os.close(self._descriptor)

    def discard(self) -> None:
        """Remove what was written, and the folders that were made for it: nothing came of it."""
        self.close()
        with suppress(OSError):
            self._place.remove(LINES_FILE)
            for name, _ in self._place.entries(SCREENS_FOLDER):
                if name.endswith(".png"):
                    self._place.remove(f"{SCREENS_FOLDER}/{name}")
            self._place.remove_folder(SCREENS_FOLDER)
            for folder in self._made:
                folder.rmdir()  # one that holds something else stays, and those above it

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _written(
        self, name: str, frame: Pixels, known: Sequence[tuple[Pixels, str]]
    ) -> tuple[Pixels, str]:
        """Return a frame with its file; it is written unless it is among those that are known."""
        for pixels, file in known:
            if np.array_equal(pixels, frame):
                return pixels, file
        file = f"{SCREENS_FOLDER}/{name}.png"
        self._write_file(file, png_bytes(frame))
        # A copy: an environment may draw its next screen into the same array.
        return frame.copy(), file

    def _write_file(self, name: str, data: bytes) -> None:
        """Write a whole file or none."""
        try:
            self._place.write_new(name, data)
        except OSError as error:
            raise _recording_failed(self.folder, error) from error


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
            UsageError: a file of it is missing or is no picture.
        """
        if screen.video is None:
            return None
        frames: list[Pixels] = []
        for file in screen.video:
            frames.append(self.picture(file))
            if frames[-1].shape != frames[0].shape:
                raise UsageError(f"{self.folder / file} has another size than the video's frames")
            if sum(frame.size for frame in frames) > 3 * MOST_VIDEO_PIXELS:
                raise UsageError(f"the video of {screen.file} in {self.folder} is too large")
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


def screen_record(
    observation: Observation, file: str | None, video: list[str] | None = None
) -> ScreenRecord:
    """Return the record of an observation's screen, and of its video's files."""
    geometry = observation.geometry
    return ScreenRecord(
        file=file,
        name=geometry.screen,
        width_px=geometry.width_px,
        height_px=geometry.height_px,
        device_width=geometry.device_width,
        device_height=geometry.device_height,
        left=geometry.left,
        top=geometry.top,
        video=video,
    )


def png_bytes(pixels: Pixels) -> bytes:
    """Encode RGB uint8 (H, W, 3) as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=PNG_COMPRESS_LEVEL)
    return buffer.getvalue()


def _line(record: AnyRecord) -> bytes:
    return (json_text(record.model_dump()) + "\n").encode("ascii")


def _parse(path: Path, number: int, line: bytes) -> AnyRecord:
    try:
        return RECORD.validate_python(read_json(line, finite=True))
    except ValidationError as error:
        reason = first_fault(error)
    except ValueError as error:
        reason = str(error)
    raise UsageError(f"{path}, line {number}, is not a record of eyehand: {reason}")


def _require_no_links(place: RunFolder) -> None:
    """Refuse a folder for downloads that leads elsewhere, or in which something does."""
    place.require_folder(DOWNLOADS_FOLDER)
    for name, status in place.entries(DOWNLOADS_FOLDER):
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{place.path / DOWNLOADS_FOLDER / name} is in the way of downloads")


def _recording_failed(folder: Path, error: OSError) -> RecordingFailed:
    return RecordingFailed(
        f"cannot write the trajectory in {folder}: {error.strerror or error}; "
        "what was written before stays readable"
    )
