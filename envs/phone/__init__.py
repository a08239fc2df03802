"""The simulated phone: a screen in Chromium, the adb device before it, and the tasks on it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyehand.envs.phone.adb.device import AdbDevice
    from eyehand.envs.phone.environment import PhoneEnvironment
    from eyehand.envs.phone.faults import Faults
    from eyehand.envs.phone.screen import PhoneScreen

__all__ = ["AdbDevice", "Faults", "PhoneEnvironment", "PhoneScreen"]

_HOMES = {
    "AdbDevice": "adb.device",
    "Faults": "faults",
    "PhoneEnvironment": "environment",
    "PhoneScreen": "screen",
}


def __getattr__(name: str) -> Any:
    """Import a part on first use, so that naming this package stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
