"""The doctor's checks of what is drawn and looked at: fonts, screens, MuJoCo's renderers."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from eyehand.agent.cli.doctor.check import Check, lacks, output_of
from eyehand.envs.packages import CJK_FONTS, EGL, FONTS, X_CAPTURE, X_SERVER
from eyehand.errors import EyehandError, MissingExtra

CJK_LANGUAGES = {"zh-cn": "Chinese", "ja": "Japanese", "ko": "Korean"}
SCREEN = ("-screen", "0", "320x240x24", "-nolisten", "tcp")
DESKTOP_FIX = "for desktop: pip install 'eyehand[desktop]', and an X11 session or Xvfb"


def check_fonts() -> Check:
    """Count the fonts: a browser draws a box for each letter that no font has."""
    if sys.platform != "linux":
        return Check("fonts", True, "come with the system")
    listed = output_of("fc-list", ":", "family")
    if listed is None:
        return lacks("fonts", "fontconfig is not installed", FONTS + CJK_FONTS)
    families = set(listed.splitlines())
    if not families:
        return lacks("fonts", "none", FONTS + CJK_FONTS)
    without = [
        name for code, name in CJK_LANGUAGES.items() if not output_of("fc-list", f":lang={code}")
    ]
    if without:
        found = f"{len(families)} families, none with {', '.join(without)}: boxes are drawn for it"
        return lacks("fonts", found, CJK_FONTS)
    return Check(
        "fonts", True, f"{len(families)} families, Chinese, Japanese and Korean among them"
    )


def check_drawing() -> Check:
    """Look for the word list and the fonts of drawn pages, which only training needs."""
    from eyehand.model.training import pages

    name, purpose = "drawn pages", "for train"
    try:
        pages.check_drawing()
    except EyehandError as error:
        return lacks(name, str(error).split(":")[0], pages.PACKAGES, purpose, needed=False)
    return Check(name, True, "the word list and every font are there", needed=False)


def check_desktop() -> Check:
    """Look at the screen as `desktop:` would, which only the desktop needs."""
    try:
        shown = _looked_at(None)
    except EyehandError as error:
        return Check("desktop", False, str(error), DESKTOP_FIX, needed=False)
    return Check("desktop", True, f"shows {shown} (left,top,width,height)", needed=False)


def check_virtual_screen() -> Check:
    """Start Xvfb and look at it, which a desktop on a machine without a screen needs."""
    name, packages, purpose = "virtual screen", X_SERVER + X_CAPTURE, "for desktop without a screen"
    if shutil.which("Xvfb") is None:
        return lacks(name, "Xvfb is not installed", packages, purpose, needed=False)
    try:
        with _xvfb() as display:
            found = f"Xvfb starts, and shows {_looked_at(display)}"
    except MissingExtra as error:
        return Check(name, False, str(error), DESKTOP_FIX, needed=False)
    except EyehandError as error:
        return lacks(name, str(error), packages, purpose, needed=False)
    return Check(name, True, found, needed=False)


def check_mujoco() -> Check:
    """Look for a way to render MuJoCo without a display, which only robots need."""
    from eyehand.envs.gym.display import PLATFORMS, platform_fault

    name = "MuJoCo rendering"
    if find_spec("mujoco") is None:
        fix = 'for robot: pip install "eyehand[robot]"'
        return Check(name, False, "mujoco is not installed", fix, needed=False)
    platform_fault.cache_clear()  # what was missing a moment ago may have been installed
    faults = {platform: platform_fault(platform) for platform in PLATFORMS}
    found = ", ".join(f"{name}: {fault or 'works'}" for name, fault in faults.items())
    if "" in faults.values():
        return Check(name, True, found, needed=False)
    return lacks(name, found, EGL, "for robot", needed=False)


def _looked_at(display: str | None) -> str:
    """Return what is shown of a display, as `desktop:` sees it."""
    from eyehand.envs.desktop.environment import DesktopEnvironment

    with DesktopEnvironment(display=display) as environment:
        shown = environment.reset()[0].geometry.screen
    return shown.removeprefix("desktop:")


@contextmanager
def _xvfb() -> Iterator[str]:
    """Run a virtual screen; yields its display's name, such as ":3"."""
    reading, writing = os.pipe()
    with subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), *SCREEN],
        pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        os.close(writing)
        try:
            with os.fdopen(reading) as answer:
                yield f":{answer.readline().strip()}"
        finally:
            process.terminate()
