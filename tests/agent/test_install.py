"""`eyehand doctor --fix` installs what is missing: Playwright's Chromium, else the system's."""

import io
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from eyehand.agent.cli.doctor.apt import install_packages
from eyehand.envs.packages import CHROMIUM
from eyehand.envs.web.browser import find_chromium
from eyehand.errors import UsageError

# Debian's apt-get as the installer meets it: it notes its words, says how far it is on the
# descriptor that it was given, and "installs" by uncovering a program.
APT_GET = """#!/bin/sh
echo "$*" >> {log}
case "$*" in *update*) exit 0 ;; esac
for percent in 10 60 100; do echo "dlstatus:1:$percent.5:Retrieving file" >&3; done
echo "pmstatus:chromium:50.0:Unpacking chromium (amd64)" >&3
{act}
"""
SUDO = """#!/bin/sh
echo sudo >> {log}
exec "$@"
"""
# Playwright's archives by their names' beginnings: the folder and the program that it looks for.
ARCHIVES = {
    "chrome-headless-shell": "chrome-headless-shell-linux64/chrome-headless-shell",
    "chrome-linux": "chrome-linux64/chrome",
    "ffmpeg": "ffmpeg-linux",
}


@dataclass(frozen=True)
class Machine:
    """A machine without Chromium: what its environment says, its programs, what was called."""

    environment: dict[str, str]
    programs: Path
    log: Path

    def doctor(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "eyehand", "doctor", *words],
            env=self.environment, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    def program(self, name: str, text: str, act: str = "") -> None:
        path = self.programs / name
        path.write_text(text.format(log=self.log, act=act))
        path.chmod(0o755)

    def called(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture(scope="module")
def chromium() -> str:
    """This machine's own Chromium, wherever it lies."""
    if found := find_chromium():
        return os.path.realpath(found)
    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "env"):
        (programs / name).symlink_to(f"/bin/{name}" if name == "sh" else "/usr/bin/env")
    environment = {
        **os.environ,
        "PATH": str(programs),
        "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "builds"),
        "PLAYWRIGHT_DOWNLOAD_HOST": "http://127.0.0.1:9",  # nothing listens there
    }
    environment.pop("EYEHAND_CHROMIUM", None)
    return Machine(environment, programs, tmp_path / "log")


@pytest.fixture
def builds(chromium: str) -> Iterator[str]:
    """A server of Playwright's archives; the Chromium in them is this machine's own."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            (program,) = [inside for start, inside in ARCHIVES.items() if name.startswith(start)]
            archive = io.BytesIO()
            with zipfile.ZipFile(archive, "w") as writer:
                entry = zipfile.ZipInfo(program)
                entry.external_attr = 0o100755 << 16
                writer.writestr(entry, f'#!/bin/sh\nexec {chromium} "$@"\n')
            self.send_response(200)
            self.send_header("Content-Length", str(len(archive.getvalue())))
            self.end_headers()
            self.wfile.write(archive.getvalue())

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_playwrights_chromium_is_fetched_and_started(machine: Machine, builds: str) -> None:
    machine.environment["PLAYWRIGHT_DOWNLOAD_HOST"] = builds
    result = machine.doctor("--fix", "chromium")
    assert (result.returncode, machine.called()) == (0, []), result.stderr
    assert "starts (Playwright’s own)" in result.stdout
    assert "playwright install chromium" in result.stderr


def test_the_systems_chromium_is_installed_where_playwrights_cannot_be_had(
    machine: Machine, chromium: str
) -> None:
    machine.program("sudo", SUDO)
    machine.program("apt-get", APT_GET, f"ln -s {chromium} {machine.programs}/chromium")
    (machine.programs / "ln").symlink_to("/bin/ln")
    assert machine.doctor("chromium").returncode == 1
    result = machine.doctor("--fix", "chromium", "--json")
    assert result.returncode == 0, result.stderr
    assert f"starts ({machine.programs}/chromium)" in result.stdout
    assert machine.called()[-1].endswith(" ".join(("-o APT::Status-Fd=3", *CHROMIUM)))
    said = result.stderr.splitlines()
    assert ["  downloaded: 50%", "  downloaded: 100%", "  installed: 50%"] == said[-3:]
    assert "Traceback" not in result.stderr


def test_what_cannot_be_installed_is_one_line(machine: Machine) -> None:
    failed = "echo 'E: Unable to locate package chromium' >&2; exit 100"
    machine.program("sudo", SUDO)
    machine.program("apt-get", APT_GET, failed)
    result = machine.doctor("--fix", "chromium")
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("eyehand:")]
    assert line.endswith("failed: Unable to locate package chromium")
    assert result.stdout.startswith("MISSING   Chromium: Chromium is not installed")
    assert result.returncode == 1


@pytest.mark.parametrize(
    "told", ["Unable to locate package absent", "Package 'absent' has no installation candidate"]
)
def test_a_package_that_the_release_does_not_have_does_not_keep_the_others_away(
    told: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuses = f"""case "$*" in *absent*) echo "E: {told}" >&2; exit 100 ;; esac"""
    machine.program("apt-get", APT_GET, refuses)
    monkeypatch.setenv("PATH", str(machine.programs))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    said: list[str] = []
    install_packages(("xvfb", "absent", "libegl1"), said.append)
    assert machine.called()[-1].endswith(" xvfb libegl1")
    assert "this system's release has no absent; installing the others" in said


def test_nothing_is_installed_where_everything_is_there(machine: Machine, chromium: str) -> None:
    (machine.programs / "chromium").symlink_to(chromium)
    machine.program("apt-get", APT_GET)
    assert machine.doctor("--fix", "chromium").returncode == 0
    assert machine.called() == []


@pytest.mark.parametrize(("user", "calls"), [(0, 2), (1000, 4)], ids=["root", "another user"])
def test_packages_are_installed_with_sudo_where_this_is_not_root(
    user: int, calls: int, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.program("sudo", SUDO)
    machine.program("apt-get", APT_GET)
    monkeypatch.setenv("PATH", str(machine.programs))
    monkeypatch.setattr(os, "geteuid", lambda: user)
    install_packages(("libatomic1",), lambda line: None)
    assert len(machine.called()) == calls
    assert ("sudo" in machine.called()) is (user != 0)


@pytest.mark.parametrize(
    ("programs", "message"),
    [((), "no apt-get on this system"), (("apt-get",), "no sudo; as root: apt-get install adb")],
)
def test_no_way_to_install_says_what_to_do(
    programs: tuple[str, ...], message: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in programs:
        machine.program(program, APT_GET)
    monkeypatch.setenv("PATH", str(machine.programs))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UsageError, match=message):
        install_packages(("adb",), lambda line: None)
    assert machine.called() == []
