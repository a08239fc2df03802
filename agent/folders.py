"""Folders that are made for a record, and can be taken away again."""

from itertools import takewhile
from pathlib import Path


def missing_folders(folder: Path) -> list[Path]:
    """Return the folders that making a folder would make, itself included, the innermost first."""
    return list(takewhile(lambda path: not path.exists(), (folder, *folder.parents)))
