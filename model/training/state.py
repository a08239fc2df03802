"""The state of a training run on disk: written whole, read back bit by bit."""

import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from eyehand.errors import UsageError

STATE_FILE = "state.pt"


def write_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Replace a folder's state; an interruption leaves the old one.

    Args:
        folder: Made when it is missing.
        state: Tensors, numbers, texts and containers of them: what `torch.load` reads with
            `weights_only`, so that a stranger's state cannot run code.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{STATE_FILE}.partial"
    with partial.open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / STATE_FILE)


def read_state(folder: Path) -> dict[str, Any] | None:
    """Return a folder's state, or None where it has none.

    Raises:
        UsageError: the file cannot be read as a state.
    """
    path = folder / STATE_FILE
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen kinds for a damaged file
        raise UsageError(f"{path} is no training state: {error}") from error
    return state


def branch(source: Path, folder: Path, beside: Collection[str] = ()) -> None:
    """Copy a run's state to another folder, where its rate may fall while the run goes on.

    A folder that has a state already keeps it.

    Args:
        source: The run's folder.
        folder: Made when it is missing.
        beside: Names of files that are copied too.

    Raises:
        UsageError: there is no state to copy.
    """
    if not (source / STATE_FILE).is_file():
        raise UsageError(f"{source} holds no {STATE_FILE}: name the folder of a training run")
    if (folder / STATE_FILE).is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*beside, STATE_FILE):
        shutil.copyfile(source / name, folder / name)
