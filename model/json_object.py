"""A JSON file of a checkpoint's folder, which a stranger may have written."""

import json
import os
import stat
from pathlib import Path
from typing import Any

from eyehand.errors import BadConfig, CheckpointError
from eyehand.model.shown import shown_text
from eyehand.model.units import size_text

MAX_BYTES = 4 * 10**6
"""Largest configuration or index that is read; the 72B model's index has 0.1 MB."""


def read_object(
    path: Path, kind: type[CheckpointError] = BadConfig, max_bytes: int = MAX_BYTES
) -> dict[str, Any]:
    """Read a file that holds a JSON object.

    Args:
        path: The file.
        kind: Class of the error.
        max_bytes: Largest size that is read.

    Raises:
        CheckpointError: of that class; the file is missing, unreadable, or holds something else.
    """
    return parse_object(path, read_bounded(path, kind, max_bytes), kind)


def parse_object(path: Path, data: bytes, kind: type[CheckpointError]) -> dict[str, Any]:
    """Read the contents of a file as a JSON object; see `read_object`."""
    try:
        values = json.loads(data.decode("utf-8"))
    except RecursionError:
        raise kind(f"{path}: cannot be read as JSON (it is nested too deeply)") from None
    except ValueError as error:
        raise kind(f"{path}: cannot be read as JSON ({shown_text(str(error))})") from error
    if not isinstance(values, dict):
        raise kind(f"{path}: expected a JSON object, got {type(values).__name__}")
    return values


def read_bounded(path: Path, kind: type[CheckpointError], max_bytes: int) -> bytes:
    """Read a regular file that is not larger than it may be.

    Args:
        path: The file; links are followed, the Hub's cache is made of them.
        kind: Class of the error.
        max_bytes: Largest size that is read.

    Raises:
        CheckpointError: of that class; the file is missing, no file, unreadable or too large.
    """
    try:
        # A pipe that nobody writes to would otherwise be waited for without end.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise kind(f"{path}: expected a file, got something else")
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise kind(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) > max_bytes:
        raise kind(f"{path}: expected at most {size_text(max_bytes)}, got more")
    return data
