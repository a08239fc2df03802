"""The checks of `eyehand doctor`: each looks at one thing and says how to get it."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

from eyehand.agent.cli.doctor.check import Check, lacks, output_of
from eyehand.agent.cli.doctor.screens import (
    check_desktop,
    check_drawing,
    check_fonts,
    check_mujoco,
    check_virtual_screen,
)
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT, trained_for
from eyehand.envs.packages import ADB
from eyehand.errors import EyehandError, MissingProgram

NEEDED_DISK_BYTES = 1_000_000_000
NEEDED_MEMORY_BYTES = 2_000_000_000
PLAYWRIGHT_FIX = "pip install playwright"

PACKAGES = ("torch", "playwright", "gymnasium", "pydantic", "safetensors", "tokenizers", "miniwob")

CHECKPOINT_FILES = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "preprocessor_config.json",
    "eyehand.json",
    "model_card.json",
)


def checks() -> dict[str, Callable[[], Check]]:
    """Return every check by the word that names it on the command line."""
    return {
        "python": check_python,
        "packages": check_packages,
        "torch": check_torch,
        "chromium": check_chromium,
        "fonts": check_fonts,
        "checkpoint": check_checkpoint,
        "disk": check_disk,
        "memory": check_memory,
        "adb": check_adb,
        "phones": check_phones,
        "desktop": check_desktop,
        "xvfb": check_virtual_screen,
        "mujoco": check_mujoco,
        "drawing": check_drawing,
    }


def run_checks(names: Sequence[str] = ()) -> Iterator[Check]:
    """Run checks; each is yielded as soon as it is known.

    Args:
        names: Words of `checks`; none means all.
    """
    known = checks()
    for name in names or known:
        try:
            yield known[name]()
        except Exception as error:  # whatever is broken here, it is one line and no traceback
            yield Check(name, False, f"could not be looked at: {str(error) or 'no reason given'}")


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
    try:
        from eyehand.envs.web.browser import chromium_version

        return Check("Chromium", True, chromium_version())
    except ImportError as error:
        return Check("Chromium", False, f"playwright cannot be imported: {error}", PLAYWRIGHT_FIX)
    except MissingProgram as error:
        return Check("Chromium", False, str(error), packages=error.packages)
    except EyehandError as error:
        return Check("Chromium", False, str(error))


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
    from eyehand.envs.android.server import adb_program

    try:
        path = adb_program()
    except MissingProgram:
        return lacks("adb", "not installed", ADB, "for Android", needed=False)
    version = (output_of(path, "version") or "").splitlines()
    if not version:
        return lacks("adb", f"{path} does not start", ADB, "for Android", needed=False)
    return Check("adb", True, f"{version[0]} ({path})", needed=False)


def check_phones() -> Check:
    """Look at the phones that the adb server lists; none is started to look for them."""
    from eyehand.envs.android.inspection import inspect_phones

    try:
        found, troubles = inspect_phones()
    except EyehandError as error:
        return Check("phones", False, str(error), needed=False)
    return Check("phones", not troubles, "; ".join(found), "; ".join(troubles), needed=False)
