"""The checks of `eyehand doctor`: each looks at one thing and says how to get it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from eyehand.agent.suites import EMBEDDED_CHECKPOINT, trained_for
from eyehand.errors import EyehandError

NEEDED_DISK_BYTES = 1_000_000_000
NEEDED_MEMORY_BYTES = 2_000_000_000
PROGRAM_TIMEOUT_S = 20.0

PACKAGES = ("torch", "playwright", "gymnasium", "pydantic", "safetensors", "tokenizers", "miniwob")

CHECKPOINT_FILES = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "preprocessor_config.json",
    "model_card.json",
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What it is.
        fine: Whether it is as it should be.
        found: What is there.
        fix: How to get it; empty where nothing is to be mended.
        needed: Whether eyehand works without it.
    """

    name: str
    fine: bool
    found: str
    fix: str = ""
    needed: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the check, JSON-ready."""
        return asdict(self)

    def __str__(self) -> str:
        """Return one line, and a second one with the fix."""
        mark = "ok      " if self.fine else ("MISSING " if self.needed else "optional")
        line = f"{mark}  {self.name}: {self.found}"
        return line if self.fine or not self.fix else f"{line}\n            {self.fix}"


def run_checks() -> Iterator[Check]:
    """Run every check; each is yielded as soon as it is known."""
    checks: tuple[Callable[[], Check], ...] = (
        check_python,
        check_packages,
        check_torch,
        check_chromium,
        check_fonts,
        check_checkpoint,
        check_disk,
        check_memory,
        check_adb,
        check_phones,
        check_desktop,
        check_mujoco,
    )
    for check in checks:
        yield check()


def check_python() -> Check:
    """Look at the interpreter's version."""
    found = ".".join(map(str, sys.version_info[:3]))
    return Check("Python", sys.version_info >= (3, 11), found, "install Python 3.11 or later")


def check_packages() -> Check:
    """Look for the packages, without importing them."""
    versions, missing = [], []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            missing.append(package)
    found = ", ".join(versions + [f"no {package}" for package in missing])
    return Check("packages", not missing, found, f"pip install {' '.join(missing)}")


def check_torch() -> Check:
    """Import torch and say what it computes on."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return Check("torch", False, f"cannot be imported: {error}", "pip install torch")
    if torch.cuda.is_available():
        return Check("torch", True, f"computes on {torch.cuda.get_device_name(0)}")
    threads = torch.get_num_threads()
    return Check("torch", True, f"computes on the CPU, {threads} threads; no CUDA device")


def check_chromium() -> Check:
    """Start Chromium, for a path that exists may still lack a library."""
    fix = "run `playwright install --with-deps chromium`, or `apt-get install chromium`"
    try:
        from eyehand.envs.web.browser import Browser, find_chromium

        browser = Browser()
        try:
            version, path = browser.version, find_chromium() or "Playwright's own"
        finally:
            browser.close()
    except ImportError as error:
        return Check("Chromium", False, f"playwright cannot be imported: {error}", fix)
    except EyehandError as error:
        return Check("Chromium", False, str(error), fix)
    return Check("Chromium", True, f"{version} starts ({path})")


def check_fonts() -> Check:
    """Count the fonts: a browser without any draws boxes for letters."""
    fix = "apt-get install fontconfig fonts-liberation fonts-dejavu-core fonts-noto-color-emoji"
    if sys.platform != "linux":
        return Check("fonts", True, "come with the system")
    listed = _output("fc-list", ":", "family")
    if listed is None:
        return Check("fonts", False, "fontconfig is not installed", fix)
    families = set(listed.splitlines())
    return Check("fonts", bool(families), f"{len(families)} families", fix)


def check_checkpoint() -> Check:
    """Look for the files of the embedded checkpoint."""
    missing = [file for file in CHECKPOINT_FILES if not (EMBEDDED_CHECKPOINT / file).is_file()]
    if missing:
        found = f"{EMBEDDED_CHECKPOINT} lacks {', '.join(missing)}"
        return Check("embedded checkpoint", False, found, "install eyehand again")
    try:
        suites = trained_for()
    except EyehandError as error:
        return Check("embedded checkpoint", False, str(error), "install eyehand again")
    megabytes = (EMBEDDED_CHECKPOINT / "model.safetensors").stat().st_size / 1e6
    return Check("embedded checkpoint", True, f"{megabytes:.0f} MB, for {len(suites)} tasks")


def check_disk() -> Check:
    """Look at the free space where trajectories go by default."""
    free = shutil.disk_usage(Path.cwd()).free
    found = f"{free / 1e9:.1f} GB free in {Path.cwd()}"
    return Check("disk", free >= NEEDED_DISK_BYTES, found, "make room, or use --out elsewhere")


def check_memory() -> Check:
    """Look at the machine's memory."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return Check("memory", True, "cannot be read on this system")
    found = f"{total / 1e9:.1f} GB"
    return Check("memory", total >= NEEDED_MEMORY_BYTES, found, "2 GB are the least")


def check_adb() -> Check:
    """Look for adb, which only phones need."""
    path = shutil.which("adb")
    if path is None:
        fix = "for Android: apt-get install adb, or Google's platform-tools"
        return Check("adb", False, "not installed", fix, needed=False)
    version = (_output(path, "version") or "").splitlines()
    return Check("adb", True, version[0] if version else path, needed=False)


def check_phones() -> Check:
    """Look at the phones that the adb server lists; none is started to look for them."""
    from eyehand.envs.android.inspection import inspect_phones

    try:
        found, troubles = inspect_phones()
    except EyehandError as error:
        return Check("phones", False, str(error), needed=False)
    return Check("phones", not troubles, "; ".join(found), "; ".join(troubles), needed=False)


def check_desktop() -> Check:
    """Look at the screen as `desktop:` would, which only the desktop needs."""
    try:
        from eyehand.envs.desktop.environment import DesktopEnvironment

        with DesktopEnvironment() as environment:
            shown = environment.reset()[0].geometry.screen
    except EyehandError as error:
        fix = "for desktop: pip install 'eyehand[desktop]', and an X11 session or Xvfb"
        return Check("desktop", False, str(error), fix, needed=False)
    return Check("desktop", True, f"shows {shown} (left,top,width,height)", needed=False)


def check_mujoco() -> Check:
    """Look for a way to render MuJoCo without a display, which only robots need."""
    from eyehand.envs.gym_display import HOW_TO_GET, PLATFORMS, platform_fault

    if find_spec("mujoco") is None:
        fix = 'for robot: pip install "eyehand[robot]"'
        return Check("MuJoCo rendering", False, "mujoco is not installed", fix, needed=False)
    faults = {platform: platform_fault(platform) for platform in PLATFORMS}
    found = ", ".join(f"{name}: {fault or 'works'}" for name, fault in faults.items())
    fine = "" in faults.values()
    return Check("MuJoCo rendering", fine, found, f"for robot: {HOW_TO_GET}", needed=False)


def _output(*command: str) -> str | None:
    """Return what a program prints; None where it is missing or fails."""
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout
