"""A JSON file of a checkpoint's folder."""

import json
from pathlib import Path
from typing import Any

from eyehand.errors import BadConfig, CheckpointError


def read_object(path: Path, kind: type[CheckpointError] = BadConfig) -> dict[str, Any]:
    """Read a file that holds a JSON object.

    Args:
        path: The file.
        kind: Class of the error.

    Raises:
        CheckpointError: of that class; the file is missing, unreadable, or holds something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise kind(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(values, dict):
        raise kind(f"{path}: expected a JSON object, got {type(values).__name__}")
    return values
