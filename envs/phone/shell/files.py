"""The phone's files: in memory, never on the host's disk."""

import fnmatch
import posixpath
import stat
import time
from dataclasses import dataclass

DIRECTORY_MODE = stat.S_IFDIR | 0o771
FILE_MODE = stat.S_IFREG | 0o660
FIRST_DIRECTORIES = ("/", "/data/local/tmp", "/sdcard/Download", "/sdcard/Pictures", "/system/bin")


@dataclass
class Entry:
    """A file or a folder.

    Attributes:
        mode: Unix type and permission bits.
        content: The bytes of a file; empty for a folder.
        modified_s: Time of the last change, seconds since the epoch.
    """

    mode: int
    content: bytes = b""
    modified_s: int = 0

    @property
    def is_directory(self) -> bool:
        """Whether this is a folder."""
        return stat.S_ISDIR(self.mode)


class MemoryFiles:
    """Files by absolute path. Paths are taken from "/" and `..` cannot leave it."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        for path in FIRST_DIRECTORIES:
            self.make_directory(path)

    def get(self, path: str) -> Entry | None:
        """Return what is at a path, or None."""
        return self._entries.get(absolute(path))

    def write(self, path: str, content: bytes, mode: int = FILE_MODE, append: bool = False) -> bool:
        """Write a file whose folder exists; returns whether that was possible."""
        path = absolute(path)
        parent, here = self.get(posixpath.dirname(path)), self.get(path)
        if parent is None or not parent.is_directory or (here is not None and here.is_directory):
            return False
        before = here.content if append and here is not None else b""
        self._entries[path] = Entry(mode, before + content, int(time.time()))
        return True

    def make_directory(self, path: str) -> None:
        """Make a folder and the folders above it."""
        path = absolute(path)
        while path not in self._entries:
            self._entries[path] = Entry(DIRECTORY_MODE, b"", int(time.time()))
            path = posixpath.dirname(path)

    def remove(self, path: str) -> None:
        """Remove a file, or a folder with all it holds."""
        path = absolute(path)
        for each in [p for p in self._entries if p == path or p.startswith(path.rstrip("/") + "/")]:
            del self._entries[each]

    def entries(self, path: str) -> dict[str, Entry]:
        """Return what lies in a folder, by name, in order."""
        folder = absolute(path)
        inside = {
            posixpath.basename(p): entry
            for p, entry in self._entries.copy().items()
            if p != "/" and posixpath.dirname(p) == folder
        }
        return dict(sorted(inside.items()))

    def matching(self, pattern: str) -> list[str]:
        """Return the paths that a shell pattern stands for, written as the pattern was."""
        folder, _, last = pattern.rpartition("/")
        prefix = f"{folder}/" if "/" in pattern else ""
        names = (n for n in self.entries(folder or "/") if not n.startswith("."))
        return [prefix + name for name in names if fnmatch.fnmatchcase(name, last)]


def absolute(path: str) -> str:
    """Return the absolute, normalised form of a path; the working folder is "/"."""
    return "/" + posixpath.normpath(posixpath.join("/", path)).lstrip("/")
