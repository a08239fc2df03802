"""Temporary folders go with their process, or with the next one that makes one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eyehand.envs.temporary import PREFIX, TemporaryFolder, sweep
from eyehand.errors import UsageError

HOLDER = """
import sys
from eyehand.envs.temporary import TemporaryFolder
folder = TemporaryFolder()
(folder.path / "profile").mkdir()
(folder.path / "profile" / "cookies").write_text("x")
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files of this test alone."""
    found = tmp_path / "tmp"
    found.mkdir()
    monkeypatch.setenv("TMPDIR", str(found))
    monkeypatch.setattr("tempfile.tempdir", None)
    return found


def test_a_folder_is_removed_when_it_is_closed(place: Path) -> None:
    with TemporaryFolder() as folder:
        assert folder.path.parent == place
        (folder.path / "artifacts" / "deep").mkdir(parents=True)
        (folder.path / "file").write_text("x")
    assert not list(place.iterdir())
    folder.close()


def test_what_a_killed_process_left_goes_and_what_is_in_use_stays(place: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        left = Path(holder.stdout.readline().strip())
        sweep()
        assert (left / "profile" / "cookies").is_file()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert left.is_dir()
    with TemporaryFolder() as mine:
        assert [path for path in place.iterdir() if path != mine.path] == []


def test_nothing_else_is_removed(place: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / ".lock").touch()
    (place / f"{PREFIX}link").symlink_to(precious)
    (place / f"{PREFIX}file").write_text("x")
    (place / f"{PREFIX}being-made").mkdir()
    linked = place / f"{PREFIX}linked-lock"
    linked.mkdir()
    (linked / ".lock").symlink_to(precious / ".lock")
    (place / "other").mkdir()
    sweep()
    assert len(list(place.iterdir())) == 5
    assert (precious / ".lock").exists()


def test_a_missing_folder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/no/such/folder")
    sweep()
    with pytest.raises(UsageError, match=r"TMPDIR is /no/such/folder, which is no folder"):
        TemporaryFolder()


def test_links_inside_are_removed_and_not_followed(place: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("x")
    with TemporaryFolder() as folder:
        os.symlink(tmp_path / "precious", folder.path / "link")
    assert (tmp_path / "precious" / "file").is_file()
    assert not list(place.iterdir())


def test_a_path_that_is_too_long_is_named(place: Path) -> None:
    with pytest.raises(UsageError, match="too long a path"):
        TemporaryFolder(longest=len(str(place)) + 5)
