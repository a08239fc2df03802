"""The desktop as an environment: screens by mss, mouse and keyboard through X11's XTEST."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyehand.envs.desktop.environment import DesktopEnvironment

__all__ = ["DesktopEnvironment"]


def __getattr__(name: str) -> Any:
    """Import the environment when it is first asked for: it needs python-xlib."""
    if name == "DesktopEnvironment":
        from eyehand.envs.desktop.environment import DesktopEnvironment

        return DesktopEnvironment
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
