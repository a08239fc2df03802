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

from eyehand.errors import MissingExtra

VARIABLE = "MUJOCO_GL"
PLATFORMS: tuple[str, ...] = ("egl", "osmesa")
"""Tried in this order: EGL takes a GPU where there is one."""

PROBE_TIMEOUT_S = 60.0

HOW_TO_GET = "apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri, or libosmesa6"

# Pixels are read back: a context that can be made may still be unable to draw.
_PROBE = """\
import mujoco
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>")
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
with mujoco.Renderer(model, 16, 16) as renderer:
    renderer.update_scene(data)
    if not renderer.render().any():
        raise SystemExit("it drew nothing")
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
    try:
        subprocess.run(
            [sys.executable, "-c", _PROBE],
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {PROBE_TIMEOUT_S:g} s"
    except subprocess.CalledProcessError as error:
        said = [line.strip() for line in error.stderr.splitlines() if line.strip()]
        return said[-1] if said else f"ended with status {error.returncode}"
    return ""


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
