"""Android devices over adb: `android:SERIAL`, or `android:` where there is one device."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyehand.envs.android.environment import AndroidEnvironment

__all__ = ["AndroidEnvironment"]


def __getattr__(name: str) -> Any:
    """Import the environment, and with it adbutils, when it is first asked for."""
    if name == "AndroidEnvironment":
        from eyehand.envs.android.environment import AndroidEnvironment

        return AndroidEnvironment
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
