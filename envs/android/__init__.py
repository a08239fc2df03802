"""Android devices over adb: `android:SERIAL`, or `android:` where there is one device."""

from typing import TYPE_CHECKING

from eyehand.lazy import lazy

if TYPE_CHECKING:
    from eyehand.envs.android.environment import AndroidEnvironment

__all__ = ["AndroidEnvironment"]

__getattr__ = lazy(__name__, {"AndroidEnvironment": "environment"})
