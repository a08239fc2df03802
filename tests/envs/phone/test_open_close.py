"""Environments that are opened and closed in one process leave nothing in it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.envs.footprint import Footprint, use, wait_for_none_below

from eyehand.envs.web.browser import Browser

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")

TASKS = ("click-tab", "enter-text", "choose-list", "copy-paste", "click-dialog")


@pytest.fixture
def own_temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files; its path is short, as a browser's sockets need it."""
    with tempfile.TemporaryDirectory(prefix="e-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def test_environments_that_were_closed_leave_nothing(
    own_adb: Any, own_temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.html"
    page.write_text("<h1>A page</h1><input><button>A button</button>")
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(own_adb.port))
    specs = [*(f"miniwob:{task}" for task in TASKS), "cards:number-line", f"web:{page.as_uri()}"]
    Browser.close_shared()
    wait_for_none_below()  # what earlier tests have closed may be ending yet
    counts = []
    for turn in range(3):
        for seed, spec in enumerate([*specs, "phone:add-contact"]):
            use(spec, seed)
        Browser.close_shared()
        held = Footprint.now()
        counts.append((held.threads, held.files, held.children, held.folders))
        assert (turn, held.children, held.folders) == (turn, 0, 0)
    assert counts[1] == counts[0]
    assert counts[2] == counts[0]
