"""Downloads go into the episode's folder, under a name that cannot leave it."""

import re
from pathlib import Path

from playwright.async_api import Download
from playwright.async_api import Error as PlaywrightError

from eyehand.envs.web.faults import first_line

MAX_NAME_LENGTH = 120


async def keep_download(download: Download, folder: Path | None) -> str:
    """Save a download and return one sentence on it.

    Args:
        download: The download, perhaps still running; the call waits for it.
        folder: The episode's folder, which gets a folder "downloads"; None keeps nothing.
    """
    name = safe_name(download.suggested_filename)
    try:
        if folder is None:
            await download.cancel()
            return f"The page offered the download {name!r}; this episode keeps no downloads."
        path = free_path(folder / "downloads", name)
        await download.save_as(path)
    except (PlaywrightError, OSError) as error:
        return f"The download {name!r} failed: {first_line(error)}"
    return f"Downloaded {path.name!r} ({path.stat().st_size} bytes)."


def safe_name(suggested: str) -> str:
    """Return a page's suggestion as a plain file name: no folders, no control characters."""
    name = re.sub(r"[\x00-\x1f\x7f/\\:]", "_", suggested).strip(". ")
    return name[-MAX_NAME_LENGTH:] or "download"


def free_path(folder: Path, name: str) -> Path:
    """Return a path in `folder` that does not exist: name, then "name (2)" and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    path, number = folder / name, 2
    while path.exists():
        path = folder / f"{Path(name).stem} ({number}){Path(name).suffix}"
        number += 1
    return path
