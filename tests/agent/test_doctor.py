"""The doctor finds what is missing and says how to get it."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from eyehand.agent.cli.commands import doctor as doctor_command
from eyehand.agent.cli.doctor import check as doctor_check
from eyehand.agent.cli.doctor import checks as doctor
from eyehand.agent.cli.doctor import screens as doctor_screens
from eyehand.envs.packages import CJK_FONTS, EGL, X_CAPTURE, X_SERVER


def test_it_looks_at_this_machine_and_starts_chromium() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "eyehand", "doctor", "--json"],
        capture_output=True, text=True, timeout=240, check=False,
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
    assert str(check).startswith("MISSING   Chromium: EYEHAND_CHROMIUM names /bin/false")
    assert "it ended at once" in check.found


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", ("pytest", "no-such-package-anywhere"))
    check = doctor.check_packages()
    assert not check.fine
    assert check.fix == "pip install no-such-package-anywhere"


def test_missing_fonts_are_named_with_their_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "platform", "linux")
    check = doctor_screens.check_fonts()
    assert not check.fine
    assert "fonts-liberation" in check.fix
    assert set(CJK_FONTS) < set(check.packages)


def test_fonts_without_chinese_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    latin = Path(doctor_check.output_of("fc-match", "-f", "%{file}", "DejaVu Sans") or "")
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / latin.name).symlink_to(latin)
    configuration = tmp_path / "fonts.conf"
    configuration.write_text(
        f"<fontconfig><dir>{tmp_path / 'fonts'}</dir><cachedir>{tmp_path}</cachedir></fontconfig>"
    )
    monkeypatch.setenv("FONTCONFIG_FILE", str(configuration))
    check = doctor_screens.check_fonts()
    assert not check.fine
    assert check.found.startswith("1 families, none with Chinese, Japanese, Korean")
    assert check.packages == CJK_FONTS


def test_renderers_that_cannot_work_are_one_line_with_their_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for version in ("", *(f".{number}" for number in range(10))):
        (tmp_path / f"libOSMesa.so{version}").write_bytes(b"")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_DIRS", str(tmp_path))
    check = doctor_screens.check_mujoco()
    expected = "egl: no driver of it works here, osmesa: libOSMesa.so.8 cannot be loaded"
    assert (check.fine, check.found, check.packages) == (False, expected, EGL)
    monkeypatch.undo()  # as after an installation, in the same process
    assert doctor_screens.check_mujoco().fine


def test_a_check_that_breaks_is_one_line_without_the_exceptions_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_: str) -> str:
        raise RuntimeError

    monkeypatch.setattr(metadata, "version", broken)
    checks = list(doctor.run_checks(["packages", "python"]))
    assert [check.fine for check in checks] == [False, True]
    assert "Error" not in str(checks[0])


def test_a_screen_that_is_not_there_is_started_to_be_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    assert doctor_screens.check_virtual_screen().found == "Xvfb starts, and shows 0,0,320,240"
    monkeypatch.setenv("PATH", "")
    check = doctor_screens.check_virtual_screen()
    assert (check.fine, check.packages) == (False, X_SERVER + X_CAPTURE)


def test_every_check_has_its_word_on_the_command_line() -> None:
    assert tuple(doctor.checks()) == doctor_command.NAMES


def test_a_checkpoint_without_its_files_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "EMBEDDED_CHECKPOINT", tmp_path)
    check = doctor.check_checkpoint()
    assert not check.fine
    assert "lacks config.json, model.safetensors" in check.found


def test_the_adb_that_comes_along_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    check = doctor.check_adb()
    assert check.fine, check
    assert "Android Debug Bridge version" in check.found
    assert "/adbutils/binaries/adb" in check.found


def test_what_is_optional_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("adbutils._utils._get_bin_dir", lambda: str(tmp_path))
    check = doctor.check_adb()
    assert (check.fine, check.needed) == (False, False)
    assert str(check).startswith("optional  adb: not installed")


def test_an_adb_that_does_not_start_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADBUTILS_ADB_PATH", "/bin/false")
    check = doctor.check_adb()
    assert (check.fine, check.needed) == (False, False)
    assert "adb: /bin/false does not start" in str(check)
