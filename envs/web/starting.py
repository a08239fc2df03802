"""Starting Playwright's driver and Chromium, and the one line on why they do not start."""

import os
import re
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import playwright
from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Playwright, async_playwright

from eyehand.envs.packages import CHROMIUM, apt_command, missing_library, package_of
from eyehand.errors import BrowserCrashed, MissingProgram, UsageError

DRIVER_TIMEOUT_S = 20.0
LONGEST_REASON = 200
OUTSIDE = Path(__file__).parent / "outside"
"""Programs with which a desktop opens what is no page (mailto:, tel:); these open nothing."""

REMEDY = "`eyehand doctor --fix chromium` installs what it needs"

# Signals that come from outside (a person, the system when memory is short); the others are those
# of a program that fails by itself.
_SENT = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
_ENDED_BY = re.compile(r"<process did exit: exitCode=null, signal=(?P<signal>\w+)>")
_OWN_WORDS = re.compile(r"\[err\]\s*(?P<said>\S.*)")


async def start_driver(temporary: Path) -> Playwright:
    """Start Playwright's driver, a program of its own that speaks with Chromium.

    Args:
        temporary: The folder for its temporary files and the browser's: profiles, downloads.

    Raises:
        MissingProgram: it does not start.
    """
    _check_driver()
    try:
        with _temporary_files_in(temporary), _nothing_outside():
            return await async_playwright().start()
    except Exception as error:  # its end comes as whatever was being read from it
        raise _does_not_start("Playwright's driver", str(error)) from error


@contextmanager
def _nothing_outside() -> Iterator[None]:
    """Let what is started meanwhile find no program that opens what is outside the browser."""
    before = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = f"{OUTSIDE}{os.pathsep}{before}"
    try:
        yield
    finally:
        os.environ["PATH"] = before


async def start_first(
    candidates: Sequence[str | None],
    launch: Callable[[str | None], Awaitable[PlaywrightBrowser]],
    variable: str = "",
) -> tuple[str | None, PlaywrightBrowser]:
    """Start the first Chromium of several that can be started.

    Args:
        candidates: Paths of programs; None is Playwright's own.
        launch: Starts one.
        variable: The environment variable that names the only candidate; empty where none does.

    Returns:
        The one that started, and the browser.

    Raises:
        MissingProgram: none starts; the message says why not, and what to install.
        UsageError: the one that `variable` names does not start.
        BrowserCrashed: one was killed while it started.
    """
    faults: list[tuple[str | None, str]] = []
    for program in candidates:
        try:
            return program, await launch(program)
        except PlaywrightError as error:
            _check_not_killed(str(error))
            if "Executable doesn't exist" not in str(error):
                faults.append((program, str(error)))
    if not faults:
        how = f"{REMEDY}, or: {apt_command(CHROMIUM)}"
        raise MissingProgram(f"Chromium is not installed; {how}", CHROMIUM)
    program, said = faults[0]
    if variable and not missing_library(said):
        raise UsageError(
            f"{variable} names {program}, which does not start ({_reason(said)}): "
            "name another Chromium in it, or unset it"
        )
    raise _does_not_start(f"Chromium ({program or 'Playwright’s own'})", said, CHROMIUM)


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Let what is started meanwhile keep its temporary files there; nothing else says where."""
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before


def _check_not_killed(said: str) -> None:
    """Tell a Chromium that was killed from one that does not start here: another try may help."""
    ended = _ENDED_BY.search(said)
    if ended is not None and ended["signal"] in _SENT:
        raise BrowserCrashed(f"Chromium was ended by {ended['signal']} while it started")


def _check_driver() -> None:
    """Run the driver's interpreter by itself: when it cannot start, only its loader says why."""
    own = Path(playwright.__file__).parent / "driver" / "node"
    program = os.environ.get("PLAYWRIGHT_NODEJS_PATH", str(own))
    try:
        answer = subprocess.run(
            [program, "--version"],
            capture_output=True, text=True, timeout=DRIVER_TIMEOUT_S, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return  # it lies elsewhere: Playwright knows where
    except (OSError, subprocess.SubprocessError) as error:
        raise _does_not_start("Playwright's driver", str(error)) from error
    if answer.returncode != 0:
        raise _does_not_start("Playwright's driver", answer.stderr)


def _does_not_start(program: str, said: str, packages: tuple[str, ...] = ()) -> MissingProgram:
    """Return the error for a program that is installed and does not start.

    Args:
        program: What it is.
        said: What it said.
        packages: What helps where no library was missing.
    """
    library = missing_library(said)
    packages = (package_of(library),) if library else packages
    reason = f"{library} is missing" if library else _reason(said)
    how = f", or: {apt_command(packages)}" if packages else ""
    return MissingProgram(f"{program} does not start ({reason}); {REMEDY}{how}", packages)


def _reason(said: str) -> str:
    """Return the line that tells most: the program's own last one, else the first of all."""
    if "No usable sandbox" in said:
        return "this system does not permit its sandbox"
    said = said.removeprefix("BrowserType.launch: ")
    own = [found["said"] for found in _OWN_WORDS.finditer(said)]
    lines = own[-1:] or [line.strip() for line in said.splitlines() if line.strip()]
    if not lines or "has been closed" in lines[0]:
        return "it ended at once"
    return lines[0][:LONGEST_REASON]
