"""A run folder that somebody else may have made: nothing in it leads out of it.

Every read and write of an episode's or an evaluation's folder goes through `RunFolder`. It opens
each component of a name below the one before it and follows no link, so that neither a linked
folder nor a linked file is read, written, cut or removed elsewhere. Only regular files are opened,
so that a pipe or a device never hangs a reader, and every read has a bound.

The folder itself is the user's own word, and may be reached through links.
"""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from eyehand.errors import UsageError

MOST_DEPTH = 16
"""Folders within each other below a run folder."""

MOST_ENTRIES = 200_000
"""Files and folders that are looked at below a run folder."""

PARTIAL = ".partial"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without O_NONBLOCK, opening a pipe that took a file's place would wait for its other end.
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class RunFolder:
    """Reads and writes below one folder. Names are relative, with "/" between their parts.

    Args:
        path: The folder, which need not exist yet.
        *parts: Names of folders below it, none of which may be a link.

    Raises:
        UsageError: by every method that takes a name: it leads out of the folder, a part of it is
            a link, or what lies there is no regular file (or, where one is asked for, no folder).
        OSError: by every method: what lies there is missing, or the disk does not take it.
    """

    def __init__(self, path: "Path | str | RunFolder", *parts: str) -> None:
        self.root: Path
        self._shown: Path
        self._parts: tuple[str, ...]
        if isinstance(path, RunFolder):
            self._shown, self.root, self._parts = path._shown, path.root, path._parts
        else:
            # Where it is, wherever an environment may change the working directory to.
            self._shown, self.root, self._parts = Path(path), Path(path).absolute(), ()
        inside = [part for name in parts for part in self._split(name)]
        self._parts = (*self._parts, *inside)
        self._shown = self._shown.joinpath(*inside)

    @property
    def path(self) -> Path:
        """The folder as it was named, for messages."""
        return self._shown

    def below(self, name: str) -> "RunFolder":
        """Return a folder of this one."""
        return RunFolder(self, name)

    def make(self) -> None:
        """Make the folder, with those above it, where it is missing."""
        self.root.mkdir(parents=True, exist_ok=True)
        with self._opened([], make=True):
            pass

    def status(self, name: str) -> os.stat_result | None:
        """Return what lies there, a link as a link; None where nothing does."""
        *folders, last = self._split(name)
        try:
            with self._opened(folders) as folder:
                return os.stat(last, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def holds(self, name: str) -> bool:
        """Return whether anything lies there, even a link that leads nowhere."""
        return self.status(name) is not None

    def require_folder(self, name: str) -> None:
        """Refuse what lies there unless it is a folder or nothing."""
        found = self.status(name)
        if found is not None and not stat.S_ISDIR(found.st_mode):
            raise self._irregular(name, found, "a folder")

    @contextmanager
    def reading(self, name: str) -> Iterator[BinaryIO]:
        """Open a file to read it."""
        with open(self._open(name, os.O_RDONLY), "rb") as file:
            yield file

    def read(self, name: str, most_bytes: int) -> bytes:
        """Return a file's content.

        Raises:
            UsageError: it is larger than `most_bytes`.
        """
        with self.reading(name) as file:
            data = file.read(most_bytes + 1)
        if len(data) > most_bytes:
            raise UsageError(f"{self.path / name} is larger than {most_bytes:,} bytes")
        return data

    def lines(
        self, name: str, most_bytes: int, most_line_bytes: int
    ) -> Iterator[tuple[int, bytes]]:
        """Yield a file's lines with their numbers from 1, each with its end where it has one.

        Args:
            name: The file.
            most_bytes: Of the whole file.
            most_line_bytes: Of a line.

        Raises:
            UsageError: the file or a line is larger.
        """
        path, number, read = self.path / name, 0, 0
        with self.reading(name) as file:
            while line := file.readline(most_line_bytes + 1):
                number, read = number + 1, read + len(line)
                if len(line) > most_line_bytes:
                    raise UsageError(
                        f"{path}, line {number}: it is longer than {most_line_bytes:,} bytes"
                    )
                if read > most_bytes:
                    raise UsageError(f"{path} is larger than {most_bytes:,} bytes")
                yield number, line

    def write(self, name: str, data: bytes) -> None:
        """Write a file so that it is there whole, or as it was before; a link is replaced."""
        *folders, last = self._split(name)
        partial = f".{last[:200]}.{secrets.token_hex(8)}{PARTIAL}"
        with self._opened(folders, make=True) as folder:
            try:
                self._fill(partial, folder, data)
                self._replace(partial, last, folder)
            except BaseException:
                with suppress(OSError):
                    os.unlink(partial, dir_fd=folder)
                raise

    def write_new(self, name: str, data: bytes) -> None:
        """Write a file, whole or none, in place of what lay there; quicker than `write`."""
        *folders, last = self._split(name)
        with self._opened(folders, make=True) as folder:
            try:
                try:
                    self._fill(last, folder, data)
                except FileExistsError:
                    os.unlink(last, dir_fd=folder)
                    self._fill(last, folder, data)
            except OSError:
                with suppress(OSError):
                    os.unlink(last, dir_fd=folder)
                raise

    def create(self, name: str) -> int:
        """Make a file and return its descriptor.

        Raises:
            FileExistsError: something lies there.
        """
        *folders, last = self._split(name)
        with self._opened(folders, make=True) as folder:
            return os.open(last, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o644, dir_fd=folder)

    def appending(self, name: str) -> int:
        """Open a file to write at its end, made where it is missing; returns the descriptor.

        One that has another name too, perhaps outside, becomes a file of its own first.
        """
        descriptor = self._open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        if os.fstat(descriptor).st_nlink < 2:
            return descriptor
        os.close(descriptor)
        with self.reading(name) as file:
            self.write(name, file.read())
        return self._open(name, os.O_WRONLY | os.O_APPEND)

    def remove(self, name: str) -> None:
        """Remove a file or a link; nothing where there is none."""
        *folders, last = self._split(name)
        with suppress(FileNotFoundError), self._opened(folders) as folder:
            os.unlink(last, dir_fd=folder)

    def remove_tree(self, name: str) -> None:
        """Remove what lies there: a folder with all that is in it, a link as a link."""
        *folders, last = self._split(name)
        found = self.status(name)
        if found is None:
            return
        if not stat.S_ISDIR(found.st_mode):
            self.remove(name)
            return
        with self._opened(folders) as folder:
            try:
                shutil.rmtree(last, dir_fd=folder)
            except RecursionError:
                raise UsageError(f"{self.path / name} is nested too deeply to be removed") from None

    def remove_folder(self, name: str) -> None:
        """Remove a folder that holds nothing."""
        *folders, last = self._split(name)
        with self._opened(folders) as folder:
            os.rmdir(last, dir_fd=folder)

    def move(self, name: str, to: str) -> None:
        """Give what lies there another name in the same folder, in place of what lay there."""
        *folders, last = self._split(name)
        with self._opened(folders) as folder:
            os.replace(last, self._split(to)[-1], src_dir_fd=folder, dst_dir_fd=folder)

    def entries(self, name: str = "") -> list[tuple[str, os.stat_result]]:
        """Return the names in a folder, sorted, each with what lies there; none without a folder.

        Args:
            name: The folder; "" is this one.
        """
        try:
            with self._opened(self._split(name) if name else []) as folder:
                names = sorted(os.listdir(folder)[:MOST_ENTRIES])
                return [(one, os.stat(one, dir_fd=folder, follow_symlinks=False)) for one in names]
        except FileNotFoundError:
            return []

    def files(self) -> list[str]:
        """Return the names of all files in and below the folder, in order.

        Raises:
            UsageError: a link, a pipe or the like is among them, or there are too many.
        """
        found, waiting, seen = [], [""], 0
        while waiting:
            inside = waiting.pop()
            for one, status in self.entries(inside):
                name, seen = f"{inside}/{one}".lstrip("/"), seen + 1
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(name)
                elif stat.S_ISREG(status.st_mode):
                    found.append(name)
                else:
                    raise self._irregular(name, status, "a file")
                if seen > MOST_ENTRIES or name.count("/") > MOST_DEPTH:
                    raise UsageError(f"{self.path} holds too many folders and files to look at")
        return sorted(found)

    def sweep(self) -> None:
        """Remove what a process that was killed has left of files it was writing here."""
        for name, status in self.entries():
            if name.startswith(".") and name.endswith(PARTIAL) and stat.S_ISREG(status.st_mode):
                self.remove(name)

    def _fill(self, name: str, folder: int, data: bytes) -> None:
        """Write a new file whole."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE
        descriptor = os.open(name, flags, 0o644, dir_fd=folder)
        try:
            write_all(descriptor, data)
        finally:
            os.close(descriptor)

    def _replace(self, partial: str, name: str, folder: int) -> None:
        os.replace(partial, name, src_dir_fd=folder, dst_dir_fd=folder)

    def _open(self, name: str, flags: int) -> int:
        """Open a regular file and return its descriptor."""
        *folders, last = self._split(name)
        with self._opened(folders, make=bool(flags & os.O_CREAT)) as folder:
            self._require_file(name, last, folder)
            descriptor = os.open(last, flags | _FILE, 0o644, dir_fd=folder)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise self._irregular(name, status, "a file")
        return descriptor

    def _require_file(self, name: str, last: str, folder: int) -> None:
        """Refuse what is no regular file before it is opened: opening a device may act on it."""
        with suppress(FileNotFoundError):
            status = os.stat(last, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                raise self._irregular(name, status, "a file")

    @contextmanager
    def _opened(self, folders: Sequence[str], make: bool = False) -> Iterator[int]:
        """Open a folder below this one, part by part, and close it again."""
        descriptor = os.open(self.root, _FOLDER)
        place = self.root
        try:
            for part in (*self._parts, *folders):
                place = place / part
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(part, 0o777, dir_fd=descriptor)
                descriptor, outer = self._entered(part, descriptor, place), descriptor
                os.close(outer)
            yield descriptor
        finally:
            os.close(descriptor)

    def _entered(self, part: str, outer: int, place: Path) -> int:
        try:
            return os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=outer)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
                status = os.stat(part, dir_fd=outer, follow_symlinks=False)
                raise self._refused(place, status, "a folder") from None
            raise

    def _split(self, name: str) -> list[str]:
        parts = name.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise UsageError(f"{name[:200]!r} is no name of something in {self._shown}")
        return parts

    def _irregular(self, name: str, status: os.stat_result, expected: str) -> UsageError:
        return self._refused(self.path / name, status, expected)

    def _refused(self, place: Path, status: os.stat_result, expected: str) -> UsageError:
        if stat.S_ISLNK(status.st_mode):
            return UsageError(f"{place} is a link, and links in a run folder are not followed")
        return UsageError(f"{place} is not {expected}; it cannot be used")


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte: a single write may take fewer when the disk fills up."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
