"""The record of an episode on disk: written as it happens, readable after a crash.

A folder holds `episode.jsonl` (one line a record, each handed to the operating system at once) and
`screens/000.png`, `001.png`, .... A screen's video is a list of such files; a frame of it that was
no screen by itself is `004-1.png`, the first one that came with screen 4. A process that is killed
leaves at worst a partial last line, which the reader ignores; a full disk leaves whole lines only.
"""

import io
import json
import os
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
from eyehand.agent.json_text import json_text
from eyehand.agent.records import (
    RECORD,
    AnyRecord,
    EpisodeRecord,
    OutcomeRecord,
    ScreenRecord,
    StepRecord,
)
from eyehand.envs.env import Observation, Pixels, ScreenGeometry, Video
from eyehand.errors import RecordingFailed, UsageError

LINES_FILE = "episode.jsonl"
SCREENS_FOLDER = "screens"
PNG_COMPRESS_LEVEL = 1
"""zlib's fastest: a page of 1288x728 takes about half of the default's time."""


class TrajectoryWriter:
    """Writes one episode's folder.

    Args:
        folder: Created with its parents. It may exist, but not hold an episode already.

    Raises:
        UsageError: the folder holds an episode, or cannot be created there.
        RecordingFailed: the disk does not take the first file.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        # Where it is, wherever an environment may change the working directory to.
        self._place = self.folder.absolute()
        self._made = missing_folders(self._place)
        # What the last record shows, each with its file: its video, or its one picture.
        self._shown: list[tuple[Pixels, str]] = []
        path = self._place / LINES_FILE
        try:
            (self._place / SCREENS_FOLDER).mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            raise UsageError(
                f"{self.folder} already holds an episode; choose another folder"
            ) from None
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
        line = (json_text(record.model_dump()) + "\n").encode("ascii")
        try:
            _write_all(self._descriptor, line)
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
            (self._place / LINES_FILE).unlink(missing_ok=True)
            for file in (self._place / SCREENS_FOLDER).glob("*.png"):
                file.unlink()
            for folder in (self._place / SCREENS_FOLDER, *self._made):
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
        self._write_file(self._place / file, png_bytes(frame))
        # A copy: an environment may draw its next screen into the same array.
        return frame.copy(), file

    def _write_file(self, path: Path, data: bytes) -> None:
        """Write a whole file or none."""
        try:
            path.write_bytes(data)
        except OSError as error:
            with suppress(OSError):
                path.unlink(missing_ok=True)
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
    """

    folder: Path
    episode: EpisodeRecord
    steps: list[StepRecord] = field(default_factory=list)
    outcome: OutcomeRecord | None = None
    partial_line: bool = False

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
        return np.stack([self.picture(file) for file in screen.video])

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
        """Read a file of the folder, RGB uint8 (H, W, 3).

        Raises:
            UsageError: it is missing or is no picture.
        """
        try:
            with Image.open(self.folder / file) as image:
                return np.asarray(image.convert("RGB"), dtype=np.uint8)
        except OSError as error:
            raise UsageError(f"cannot read {self.folder / file}: {error}") from error


def read_trajectory(folder: Path | str) -> Trajectory:
    """Read an episode's folder, also one that was left in mid-episode.

    Raises:
        UsageError: the folder holds no episode, or a line of it (other than a partial last one)
            cannot be read.
    """
    path = Path(folder) / LINES_FILE
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        raise UsageError(f"{folder} holds no episode: there is no {LINES_FILE}") from None
    partial = lines.pop() != b""
    records = [_parse(path, number, line) for number, line in enumerate(lines, start=1)]
    if not records or not isinstance(records[0], EpisodeRecord):
        raise UsageError(f"{path} does not begin with an episode line; nothing to show")
    outcomes = [record for record in records if isinstance(record, OutcomeRecord)]
    steps = [record for record in records if isinstance(record, StepRecord)]
    return Trajectory(path.parent, records[0], steps, outcomes[-1] if outcomes else None, partial)


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


def _write_all(descriptor: int, data: bytes) -> None:
    """Write every byte: a single write may take fewer when the disk fills up."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _parse(path: Path, number: int, line: bytes) -> AnyRecord:
    try:
        return RECORD.validate_python(json.loads(line))
    except (ValueError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{path}, line {number}, is not a record of eyehand: {reason}") from None


def _recording_failed(folder: Path, error: OSError) -> RecordingFailed:
    return RecordingFailed(
        f"cannot write the trajectory in {folder}: {error.strerror or error}; "
        "what was written before stays readable"
    )
