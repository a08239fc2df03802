"""The simulated phone: a screen in Chromium, the adb device before it, and the tasks on it."""

from typing import TYPE_CHECKING

from eyehand.lazy import lazy

if TYPE_CHECKING:
    from eyehand.envs.phone.adb.device import AdbDevice
    from eyehand.envs.phone.environment import PhoneEnvironment
    from eyehand.envs.phone.faults import Faults
    from eyehand.envs.phone.screen import PhoneScreen

__all__ = ["AdbDevice", "Faults", "PhoneEnvironment", "PhoneScreen"]

__getattr__ = lazy(
    __name__,
    {
        "AdbDevice": "adb.device",
        "Faults": "faults",
        "PhoneEnvironment": "environment",
        "PhoneScreen": "screen",
    },
)
