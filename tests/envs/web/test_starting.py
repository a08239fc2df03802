"""Chromium and its driver are started to see whether they are there; one line says why not."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyehand.actions import web
from eyehand.envs.packages import CHROMIUM, missing_library, package_of
from eyehand.envs.web.browser import Browser, chromium_version, find_chromium
from eyehand.errors import MissingProgram, UsageError


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Chromium: its PATH is one empty folder, and Playwright has no build."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.delenv("EYEHAND_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "builds"))
    return programs


@pytest.fixture
def lacking(tmp_path: Path) -> Path:
    """A program that needs a library which is on no machine: the loader refuses it."""
    program = tmp_path / "lacking"
    program.write_bytes(Path("/bin/true").read_bytes().replace(b"libc.so.6", b"libq.so.6"))
    program.chmod(0o755)
    return program


def test_no_chromium_is_one_line_with_what_installs_it(bare: Path) -> None:
    with pytest.raises(MissingProgram, match=r"^Chromium is not installed; .*doctor --fix") as told:
        chromium_version()
    assert "apt-get install chromium" in str(told.value)
    assert told.value.packages == CHROMIUM


@pytest.mark.parametrize("command", ["demo", "doctor chromium", "run --env miniwob:click-test"])
def test_a_driver_that_lacks_a_library_is_one_line_with_its_package(
    command: str, lacking: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", str(lacking))
    result = subprocess.run(
        [sys.executable, "-m", "eyehand", *command.split()],
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    said = result.stdout + result.stderr
    (line,) = [line for line in said.splitlines() if "libq" in line]
    assert "Playwright's driver does not start (libq.so.6 is missing)" in line
    assert line.endswith("apt-get install libq6")
    assert "Traceback" not in said
    assert result.returncode == (1 if command.startswith("doctor") else 2)
    assert not list(tmp_path.glob("runs/*/plan.json"))


def test_a_chromium_that_lacks_a_library_names_its_package(bare: Path, lacking: Path) -> None:
    (bare / "chromium").symlink_to(lacking)
    with pytest.raises(MissingProgram, match=r"chromium\) does not start \(libq") as told:
        Browser()
    assert told.value.packages == ("libq6",)


def test_the_first_chromium_that_starts_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    works = find_chromium()
    (tmp_path / "chromium").symlink_to("/bin/false")
    if works is not None:
        (tmp_path / "chromium-browser").symlink_to(works)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    browser = Browser()
    browser.close()
    assert browser.program == (works and str(tmp_path / "chromium-browser"))


def test_a_program_that_is_no_chromium_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYEHAND_CHROMIUM", "/bin/false")
    with pytest.raises(UsageError, match=r"names /bin/false, which does not start \(it ended"):
        Browser()


@pytest.mark.parametrize(
    ("library", "package"),
    [
        ("libatomic.so.1", "libatomic1"),
        ("libnss3.so", "libnss3"),
        ("libX11-xcb.so.1", "libx11-xcb1"),
        ("libglib-2.0.so.0", "libglib2.0-0"),
        ("libatk-bridge-2.0.so.0", "libatk-bridge2.0-0"),
        ("libasound.so.2", "libasound2"),
        ("libstdc++.so.6", "libstdc++6"),
        ("libgcc_s.so.1", "libgcc-s1"),
        ("libdbus-1.so.3", "libdbus-1-3"),
    ],
)
def test_a_librarys_package_follows_debians_rule(library: str, package: str) -> None:
    said = f"x: error while loading shared libraries: {library}: cannot open shared object file: No"
    assert missing_library(said) == library
    assert package_of(library) == package


def test_chinese_is_drawn_with_glyphs_of_its_own(visit: Any) -> None:
    letters = "漢字가나カ\U0010fffd"  # the last one has no glyph in any font
    text = "".join(f"<p style='margin:0;font:40px/50px sans-serif'>{c}</p>" for c in letters)
    page = visit("quiet.html", viewport=(60, 320))
    page.ask("text => { document.body.style.margin = 0; document.body.innerHTML = text }", text)
    pixels = page.do(web.Wait(seconds=0.1)).pixels
    drawn = [pixels[50 * i : 50 * i + 50] for i in range(len(letters))]
    assert all(np.any(one != other) for i, one in enumerate(drawn) for other in drawn[:i])
