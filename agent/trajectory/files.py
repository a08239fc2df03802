"""Files and folders by name: what a spec's folder is called, and a file that is written whole."""

import hashlib
import re
from itertools import takewhile
from pathlib import Path

from eyehand.agent.trajectory.run_folder import RunFolder
from eyehand.errors import RecordingFailed

LONGEST_SLUG = 80


def slug(spec: str) -> str:
    """Return a spec as a file name: "miniwob:click-tab" becomes "miniwob-click-tab".

    A long one is cut, and told apart by a digest of the whole.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", spec).strip("-.") or "episode"
    if len(name) <= LONGEST_SLUG:
        return name
    digest = hashlib.sha256(spec.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name[: LONGEST_SLUG - 9]}-{digest}"


def missing_folders(folder: Path) -> list[Path]:
    """Return the folders that making a folder would make, itself included, the innermost first."""
    return list(takewhile(lambda path: not path.exists(), (folder, *folder.parents)))


def write_whole(out: Path, name: str, text: str) -> None:
    """Write a file of a folder so that it is there whole or as it was before.

    Raises:
        RecordingFailed: the disk does not take it.
    """
    try:
        RunFolder(out).write(name, text.encode("utf-8", errors="replace"))
    except OSError as error:
        raise RecordingFailed(f"cannot write {out / name}: {error.strerror}") from error
