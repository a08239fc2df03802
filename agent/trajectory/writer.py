"""The record of an episode on disk: written as it happens, readable after a crash.

A folder holds `episode.jsonl` (one line a record, each handed to the operating system at once) and
`screens/000.png`, `001.png`, .... A screen's video is a list of such files; a frame of it that was
no screen by itself is `004-1.png`, the first one that came with screen 4. A process that is killed
leaves at worst a partial last line, which the reader ignores; a full disk leaves whole lines only.
"""

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from eyehand.agent.trajectory.files import missing_folders
from eyehand.agent.trajectory.json_text import json_text
from eyehand.agent.trajectory.records import (
    AnyRecord,
    ScreenRecord,
)
from eyehand.agent.trajectory.run_folder import RunFolder, write_all
from eyehand.envs.env import Observation, Pixels
from eyehand.envs.png import encode_png
from eyehand.errors import RecordingFailed, UsageError

LINES_FILE = "episode.jsonl"
SCREENS_FOLDER = "screens"
DOWNLOADS_FOLDER = "downloads"

MOST_LINE_BYTES = 4 * 1024 * 1024
"""The longest line of it, written and read."""


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
        self._write_file(file, encode_png(frame))
        # A copy: an environment may draw its next screen into the same array.
        return frame.copy(), file

    def _write_file(self, name: str, data: bytes) -> None:
        """Write a whole file or none."""
        try:
            self._place.write_new(name, data)
        except OSError as error:
            raise _recording_failed(self.folder, error) from error


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


def _line(record: AnyRecord) -> bytes:
    return (json_text(record.model_dump()) + "\n").encode("ascii")


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
