"""MuJoCo's rendering without a display: which of its OpenGL platforms works here.

MuJoCo and Gymnasium read the environment variable MUJOCO_GL: "egl" (a GPU, or Mesa on the CPU)
and "osmesa" (Mesa on the CPU) need no display, "glfw" needs one.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

from eyehand.envs.packages import EGL, OSMESA, apt_command
from eyehand.errors import MissingExtra

VARIABLE = "MUJOCO_GL"
PLATFORMS: tuple[str, ...] = ("egl", "osmesa")
"""Tried in this order: EGL takes a GPU where there is one."""

PROBE_TIMEOUT_S = 60.0

HOW_TO_GET = f"{apt_command(EGL)}, or {' '.join(OSMESA)}"

LIBRARIES = {"egl": "libEGL.so.1", "osmesa": "libOSMesa.so.8", "glfw": "libGL.so.1"}

# Pixels are read back: a context that can be made may still be unable to draw. Why it fails is
# printed with a mark, for drivers print things of their own; a library that is not there makes
# exceptions of many kinds, so it is looked for.
_PROBE = """\
import ctypes, sys

def fault():
    try:
        import mujoco
        xml = "<mujoco><worldbody><geom size='1'/></worldbody></mujoco>"
        model = mujoco.MjModel.from_xml_string(xml)
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        with mujoco.Renderer(model, 16, 16) as renderer:
            renderer.update_scene(data)
            return "" if renderer.render().any() else "it drew nothing"
    except Exception as error:
        try:
            ctypes.CDLL(sys.argv[1])
        except OSError:
            return sys.argv[1] + " cannot be loaded"
        return "no driver of it works here"

print("\\nfault:" + fault(), flush=True)
"""


@cache
def platform_fault(platform: str) -> str:
    """Return why an OpenGL platform does not work here; empty where it does.

    It is tried in a process of its own, because a broken driver can end the process.

    Args:
        platform: "egl" or "osmesa".
    """
    surroundings = {**os.environ, VARIABLE: platform}
    surroundings.pop("PYOPENGL_PLATFORM", None)  # MuJoCo sets it, to the platform of this process
    command = [sys.executable, "-c", _PROBE, LIBRARIES.get(platform, platform)]
    try:
        answer = subprocess.run(
            command,
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {PROBE_TIMEOUT_S:g} s"
    _, mark, fault = answer.stdout.rpartition("\nfault:")
    return fault.strip() if mark and not answer.returncode else "its driver ended the process"


def prepare_display() -> str:
    """Choose the platform and put it into MUJOCO_GL, for this process and its children.

    A value that the user has set stays. Elsewhere than on Linux, MuJoCo's own choice works.

    Returns:
        The platform; empty where the choice is MuJoCo's own.

    Raises:
        MissingExtra: no platform works; the message says what to install.
    """
    if chosen := os.environ.get(VARIABLE, ""):
        return chosen
    if sys.platform != "linux":
        return ""
    faults = []
    windowed = ("glfw",) if os.environ.get("DISPLAY") else ()
    for platform in PLATFORMS + windowed:
        fault = platform_fault(platform)
        if not fault:
            os.environ[VARIABLE] = platform
            return platform
        faults.append(f"{platform}: {fault}")
    raise MissingExtra(
        f"MuJoCo cannot render without a display ({'; '.join(faults)}): {HOW_TO_GET}"
    )


class _BeforeMujoco(MetaPathFinder):
    """Finds nothing; that MuJoCo is looked for is the moment to choose: it reads the choice."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        """Choose before MuJoCo is imported; whether that is possible is asked for later."""
        if fullname == "mujoco":
            with suppress(MissingExtra):
                prepare_display()


@contextmanager
def mujoco_display() -> Iterator[None]:
    """Choose how MuJoCo renders as soon as something inside imports it, and only then."""
    finder = _BeforeMujoco()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def require_display(environment: Any) -> None:
    """Refuse a MuJoCo environment that cannot render; any other one passes.

    Args:
        environment: One of Gymnasium.

    Raises:
        MissingExtra: it is one, and no platform works.
    """
    inner = environment.unwrapped
    renders = hasattr(inner, "mujoco_renderer") or any(
        part == "mujoco" for kind in type(inner).__mro__ for part in kind.__module__.split(".")
    )
    if renders:
        prepare_display()
