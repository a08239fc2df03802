"""Temporary folders that do not outlive who made them.

Such a folder holds a file that its process keeps locked. The lock ends with the process, however
that came, so a folder whose file can be locked belongs to nobody and is removed by whoever makes
the next one.
"""

import errno
import fcntl
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from eyehand.errors import EnvironmentFault, UsageError

PREFIX = "eyehand."
_LOCK = ".lock"
_PATIENCE_S = 2.0
_LOOK_AGAIN_S = 0.05
_UNLOCKED_AGE_S = 3600.0
"""A folder without its file is being made, unless it is older than this."""


class TemporaryFolder:
    """A new folder among the system's temporary ones.

    Args:
        longest: Most bytes that its path may have.

    Attributes:
        path: Where it is.

    Raises:
        UsageError: TMPDIR names no folder or one whose path is too long, or there is no place for
            temporary files at all.
        EnvironmentFault: none can be made, for example because the disk is full.
    """

    def __init__(self, longest: int = 4096) -> None:
        sweep()
        self.path, self._lock = _made(longest)

    def __enter__(self) -> Self:
        """Return the folder."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove it."""
        self.close()

    def close(self) -> None:
        """Remove it with all that is in it. Closing twice is fine."""
        if self._lock < 0:
            return
        lock, self._lock = self._lock, -1
        with suppress(OSError):  # it is gone already, or stays for the next sweep
            _remove(self.path)
        os.close(lock)


def sweep() -> None:
    """Remove the temporary folders of processes that have ended."""
    with suppress(UsageError, OSError):
        for folder in _place().glob(f"{PREFIX}*"):
            with suppress(OSError):
                status = folder.lstat()
                if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid():
                    _remove_if_left(folder, time.time() - status.st_mtime)


def _place() -> Path:
    named = os.environ.get("TMPDIR")
    if named and not os.path.isdir(named):
        raise UsageError(
            f"TMPDIR is {named}, which is no folder: make it, or name another one in TMPDIR"
        )
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        raise UsageError(
            f"there is no folder for temporary files ({error.strerror}); name one in TMPDIR"
        ) from error


def _made(longest: int) -> tuple[Path, int]:
    """Make a folder and lock its file; again, should a sweep have come in between."""
    place = _place()
    if len(os.fsencode(place)) + len(f"/{PREFIX}12345678") > longest:
        raise UsageError(
            "the folder for temporary files has too long a path for a browser's sockets "
            f"({place}); name a shorter one in TMPDIR"
        )
    try:
        while True:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
            lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
            if _locked(lock) and os.fstat(lock).st_nlink:
                return folder, lock
            os.close(lock)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise
        raise EnvironmentFault(
            f"no temporary folder can be made in {place}: {error.strerror}"
        ) from error


def _remove_if_left(folder: Path, age_s: float) -> None:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        if age_s > _UNLOCKED_AGE_S:
            shutil.rmtree(folder, ignore_errors=True)
        return
    try:
        if _locked(lock):
            _remove(folder)
    finally:
        os.close(lock)


def _remove(folder: Path) -> None:
    """Remove a folder, the locked file last: what is written meanwhile is left to a later sweep.

    A browser that was killed writes for some moments more.
    """
    give_up = time.monotonic() + _PATIENCE_S
    while True:
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.name != _LOCK:
                os.unlink(entry.path)
        if os.listdir(folder) in ([], [_LOCK]):
            shutil.rmtree(folder, ignore_errors=True)
            return
        if time.monotonic() > give_up:
            return
        time.sleep(_LOOK_AGAIN_S)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
