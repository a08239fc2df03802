"""The doctor finds what is missing and says how to get it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from eyehand.agent import doctor


def test_it_looks_at_this_machine_and_starts_chromium() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "eyehand", "doctor", "--json"],
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    report = json.loads(result.stdout)
    checks = {check["name"]: check for check in report["checks"]}
    assert checks["Python"]["fine"]
    assert checks["Chromium"]["fine"], checks["Chromium"]
    assert "starts" in checks["Chromium"]["found"]
    assert not checks["adb"]["needed"]
    healthy = all(check["fine"] or not check["needed"] for check in report["checks"])
    assert report["healthy"] is healthy
    assert result.returncode == (0 if healthy else 1)


def test_a_chromium_that_does_not_run_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYEHAND_CHROMIUM", "/bin/false")
    check = doctor.check_chromium()
    assert not check.fine
    assert "playwright install" in check.fix
    assert str(check).startswith("MISSING   Chromium: ")


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", ("pytest", "no-such-package-anywhere"))
    check = doctor.check_packages()
    assert not check.fine
    assert check.fix == "pip install no-such-package-anywhere"


def test_missing_fonts_are_named_with_their_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "platform", "linux")
    check = doctor.check_fonts()
    assert not check.fine
    assert "fonts-liberation" in check.fix


def test_a_checkpoint_without_its_files_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "EMBEDDED_CHECKPOINT", tmp_path)
    check = doctor.check_checkpoint()
    assert not check.fine
    assert "lacks config.json, model.safetensors" in check.found


def test_what_is_optional_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    check = doctor.check_adb()
    assert (check.fine, check.needed) == (False, False)
    assert str(check).startswith("optional  adb: not installed")
