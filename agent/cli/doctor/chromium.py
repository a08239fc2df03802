"""Chromium, installed so that it starts: Playwright's own build, else the system's package."""

import re
import sys

from eyehand.agent.cli.doctor.apt import install_packages
from eyehand.agent.cli.doctor.program import Say, run_told
from eyehand.envs.packages import CHROMIUM
from eyehand.envs.web.browser import chromium_version
from eyehand.errors import MissingProgram

_PERCENT = re.compile(r"(\d+)% of ")


def install_chromium(say: Say) -> None:
    """Install what is missing until Chromium starts; nothing where it does already.

    Args:
        say: Gets the lines that tell how far it is.

    Raises:
        MissingProgram: it does not start even so; the message says why not.
        UsageError: a package cannot be installed, or EYEHAND_CHROMIUM names no Chromium.
    """
    fault = _fault()
    if fault and fault.packages and fault.packages != CHROMIUM:
        install_packages(fault.packages, say)  # what is there lacks a library
        fault = _fault()
    if fault and _playwright("install", say):
        fault = _fault()
        if fault and _playwright("install-deps", say):
            fault = _fault()
    if fault:
        install_packages(CHROMIUM, say)
        fault = _fault()
    if fault:
        raise fault


def _fault() -> MissingProgram | None:
    """Start Chromium; return why that fails, or None."""
    try:
        chromium_version()
    except MissingProgram as fault:
        return fault
    return None


def _playwright(command: str, say: Say) -> bool:
    """Let Playwright install its own build, or the libraries for it; return whether it did."""
    say(f"playwright {command} chromium")
    status, said = run_told(
        [sys.executable, "-m", "playwright", command, "chromium"], _progress, say
    )
    if status != 0:
        errors = [line.partition("Error: ")[2] for line in said if "Error: " in line]
        say(f"  not here: {(errors or said or ['it gave no reason'])[0]}")
    return status == 0


def _progress(line: str) -> tuple[str, float] | None:
    found = _PERCENT.search(line)
    return ("downloaded", float(found[1])) if found else None
