"""The desktop as an environment: screens by mss, mouse and keyboard through X11's XTEST."""

from typing import TYPE_CHECKING

from eyehand.lazy import lazy

if TYPE_CHECKING:
    from eyehand.envs.desktop.environment import DesktopEnvironment

__all__ = ["DesktopEnvironment"]

__getattr__ = lazy(__name__, {"DesktopEnvironment": "environment"})
