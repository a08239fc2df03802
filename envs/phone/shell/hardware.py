"""What the shell needs of a phone's screen; `PhoneScreen` has it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

LATIN_IME = "com.android.inputmethod.latin/.LatinIME"
BROADCAST_IME = "com.android.adbkeyboard/.AdbIME"


class PhoneHardware(Protocol):
    """A screen with apps, fingers and keys. Sizes and points are device pixels."""

    @property
    def physical_size(self) -> tuple[int, int]:
        """Width and height of the panel, upright."""

    @property
    def override_size(self) -> tuple[int, int] | None:
        """The size that `wm size` set, upright, or None."""

    @property
    def density(self) -> int:
        """The panel's dots per inch."""

    @property
    def override_density(self) -> int | None:
        """The density that `wm density` set, or None."""

    @property
    def rotation(self) -> int:
        """Quarter turns, 0 to 3."""

    @property
    def current_size(self) -> tuple[int, int]:
        """Width and height as it is held, after the override and the rotation."""

    @property
    def screen_on(self) -> bool:
        """Whether the display is lit."""

    @property
    def secure(self) -> bool:
        """Whether the window has FLAG_SECURE: captures must be black."""

    @property
    def imes(self) -> Sequence[str]:
        """Ids of the installed input methods."""

    @property
    def ime(self) -> str:
        """Id of the current input method."""

    @ime.setter
    def ime(self, value: str) -> None: ...

    def set_size_override(self, size: tuple[int, int] | None, /) -> None:
        """Set or remove (None) the size override."""

    def set_density_override(self, density: int | None, /) -> None:
        """Set or remove (None) the density override."""

    def set_rotation(self, rotation: int, /) -> None:
        """Turn the phone to 0..3 quarter turns."""

    def capture(self) -> NDArray[np.uint8]:
        """Return the screen, RGB uint8 (H, W, 3) of the current size."""

    def tap(self, x: int, y: int, /) -> Any:
        """Touch a point."""

    def swipe(self, x1: int, y1: int, x2: int, y2: int, duration_ms: int, /) -> Any:
        """Move a finger; one that stays in place is a long press."""

    def draganddrop(self, x1: int, y1: int, x2: int, y2: int, duration_ms: int, /) -> Any:
        """Hold, then move, then let go."""

    def key(self, name: str, /) -> Any:
        """Press a key by its Android name without KEYCODE_."""

    def key_combination(self, names: list[str], /) -> Any:
        """Press keys together."""

    def type_text(self, text: str, /) -> bool:
        """Type into the focused field; False where none has focus."""

    def clear_focused(self) -> Any:
        """Empty the focused field."""

    def packages(self) -> Mapping[str, str]:
        """Return the labels of the installed apps by package."""

    def launch(self, package: str, /) -> bool:
        """Bring an app to the front; False where there is none of that name."""

    def force_stop(self, package: str, /) -> Any:
        """End an app."""

    def foreground(self) -> tuple[str, str]:
        """Return the package and the activity in front."""

    def keyboard_shown(self) -> bool:
        """Return whether the soft keyboard is up."""

    def state(self) -> Mapping[str, object]:
        """Return the state of the phone's apps; "settings" holds the switches by name."""

    def change_settings(self, **changes: Any) -> None:
        """Change switches of the settings by name."""

    def hierarchy(self) -> str:
        """Return what is on the screen as uiautomator's XML."""
