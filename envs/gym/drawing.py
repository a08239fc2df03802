"""What MuJoCo environments draw with, each in an OpenGL context of its own.

Gymnasium makes a context current only where one environment draws in several ways, and MuJoCo frees
what was drawn with when Python collects it, in whichever context is current by then. Where a
process has two environments, one after the other or at once, one would draw into the other's
picture, or free its buffers: its screens stay black from then on.
"""

from typing import Any


def use_own_context(environment: Any) -> None:
    """Make an environment's context current before it draws; nothing where it is no MuJoCo's.

    Args:
        environment: One of Gymnasium.
    """
    viewer = getattr(_renderer(environment), "viewer", None)
    if viewer is not None and hasattr(viewer, "make_context_current"):
        viewer.make_context_current()


def free_drawing(environment: Any) -> None:
    """Free what an environment draws with, in its own context, before it is closed.

    Args:
        environment: One of Gymnasium.
    """
    for viewer in getattr(_renderer(environment), "_viewers", {}).values():
        viewer.make_context_current()
        viewer.con.free()


def _renderer(environment: Any) -> Any:
    return getattr(environment.unwrapped, "mujoco_renderer", None)
