"""The simulated phone's screen: a real web page in Chromium that fingers touch and keys reach."""

import threading
from collections.abc import Mapping
from typing import Any, cast

from eyehand.envs.env import Pixels
from eyehand.envs.phone.geometry import PhoneGeometry, Size, check_density, check_size
from eyehand.envs.phone.hierarchy import Located, to_xml
from eyehand.envs.phone.page import PhonePage
from eyehand.envs.phone.state import ADB_IME, LATIN_IME, PhoneState, default_state, validated
from eyehand.envs.phone.touch import Touch, TouchGesture
from eyehand.envs.web.browser import Browser
from eyehand.errors import UsageError

CALL_TIMEOUT_S = 30.0
SWIPE_MS = 300  # what `input swipe` takes where no duration is given
DRAG_MS = 500
READS = frozenset({"state", "facts", "foreground", "hierarchy", "locate", "packages", "touches"})
"""What may be asked of the page without any change to what it shows."""


class PhoneScreen:
    """A phone to look at and to touch, from any thread.

    All coordinates are device pixels of the screen as it is shown, after rotation and overrides.
    Nothing on it moves by itself, its clock stands still: one state gives the same pixels.

    Args:
        width_px: Width of the upright screen, in device pixels.
        height_px: Its height.
        density_dpi: Dots per inch; Android's 160 is one device pixel per dp.
        browser: Where the page lives; None takes the program's own.

    Raises:
        UsageError: size or density is not one of a phone.
    """

    def __init__(
        self,
        width_px: int = 1080,
        height_px: int = 2400,
        density_dpi: int = 420,
        browser: Browser | None = None,
    ) -> None:
        size = check_size((width_px, height_px))
        self._geometry = PhoneGeometry(size, check_density(density_dpi))
        self._given_browser = browser
        self._browser: Browser | None = None
        self._page: PhonePage | None = None
        self._lock = threading.RLock()
        self._shown: Pixels | None = None
        self._ime = LATIN_IME
        self._imes: tuple[str, ...] = (LATIN_IME, ADB_IME)

    # Opening and closing

    def open(self, state: PhoneState | Mapping[str, Any] | None = None) -> None:
        """Put the phone into a state: home screen, upright, no overrides, Latin keyboard.

        Args:
            state: What its apps hold, copied; None for `default_state()`.

        Raises:
            UsageError: the state is not one of a phone; see `validated`.
            BrowserCrashed: the browser died while the page was opened.
        """
        fresh = validated(default_state() if state is None else state)
        with self._lock:
            self._geometry.reset()
            self._imes = tuple(fresh.get("imes", (LATIN_IME, ADB_IME)))
            self._ime = LATIN_IME
            self._ensure_page()
            self._apply_size()
            density = self._geometry.current_density
            self._ask("boot", {"state": fresh, "ime": self._ime, "density": density})

    def close(self) -> None:
        """Close the page; the browser stays. Closing twice is fine."""
        with self._lock:
            page, self._page = self._page, None
            if page is not None and self._browser is not None and self._browser.alive:
                self._browser.call(page.close, timeout_s=CALL_TIMEOUT_S)

    def __enter__(self) -> "PhoneScreen":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Geometry

    @property
    def physical_size(self) -> Size:
        """Width and height of the upright panel, in device pixels."""
        return self._geometry.physical_size

    @property
    def override_size(self) -> Size | None:
        """The upright size that was set over the physical one, or None."""
        return self._geometry.override_size

    @property
    def density(self) -> int:
        """The panel's own dots per inch."""
        return self._geometry.density

    @property
    def override_density(self) -> int | None:
        """The density that was set over the panel's own, or None."""
        return self._geometry.override_density

    @property
    def rotation(self) -> int:
        """Quarter turns, 0 to 3."""
        return self._geometry.rotation

    @property
    def current_size(self) -> Size:
        """Width and height in device pixels as shown, after override and rotation."""
        return self._geometry.current_size

    def set_size_override(self, size: Size | None) -> None:
        """Show the screen at another upright size, as `wm size WxH` does; None resets it."""
        with self._lock:
            self._geometry.override_size = None if size is None else check_size(size)
            self._apply_size()
            self._ask("redraw")

    def set_density_override(self, density: int | None) -> None:
        """Draw everything larger or smaller, as `wm density N` does; None resets it."""
        with self._lock:
            self._geometry.override_density = None if density is None else check_density(density)
            self._ask("setDensity", self._geometry.current_density)

    def set_rotation(self, rotation: int) -> None:
        """Turn the phone: 0 upright, 1 and 3 on its sides, 2 upside down (drawn upright)."""
        if rotation not in range(4):
            raise UsageError(f"a rotation is 0, 1, 2 or 3 quarter turns, got {rotation!r}")
        with self._lock:
            self._geometry.rotation = rotation
            self._apply_size()
            self._ask("redraw")

    # Looking

    def capture(self) -> Pixels:
        """Return the screen, RGB uint8 (H, W, 3), at `current_size`.

        A secure window is in it too: making it black is the capture service's business. Nothing
        moves by itself, so the browser is asked again only after something was done to the phone.

        Raises:
            CaptureFailed: the browser's picture is damaged.
        """
        with self._lock:
            if self._shown is None or not self._page_lives():
                self._shown = cast("Pixels", self._run("capture", changes=False))
            return self._shown.copy()

    def hierarchy(self) -> str:
        """Return what is visible in the window on top, as `uiautomator dump` writes it."""
        with self._lock:
            return to_xml(self._ask("hierarchy"), self.rotation)

    def locate(self, key: str) -> Located | None:
        """Return where the part with a unique key lies, bars and keyboard too, or None."""
        found = self._ask("locate", key)
        if found is None:
            return None
        left, top, right, bottom = found["box"]
        point = found["point"]
        return Located(left, top, right, bottom, None if point is None else (point[0], point[1]))

    # Touching

    def tap(self, x: float, y: float) -> None:
        """Touch the screen shortly."""
        self._touch(TouchGesture(x, y, x, y))

    def swipe(
        self, x1: float, y1: float, x2: float, y2: float, duration_ms: int = SWIPE_MS
    ) -> None:
        """Drag a finger: a list follows it. In place for 500 ms or more it is a long press."""
        self._touch(TouchGesture(x1, y1, x2, y2, duration_ms))

    def draganddrop(
        self, x1: float, y1: float, x2: float, y2: float, duration_ms: int = DRAG_MS
    ) -> None:
        """Hold a finger for a long press's time, then drag it."""
        self._touch(TouchGesture(x1, y1, x2, y2, duration_ms, held=True))

    def touches(self) -> list[Touch]:
        """Return every touch that the page itself has seen since `open`, in order."""
        return [Touch(**touch) for touch in self._ask("touches")]

    # Keys and text

    def key(self, name: str) -> bool:
        """Press a key by its Android name without KEYCODE_; return whether the phone knows it."""
        return bool(self._ask("key", name))

    def key_combination(self, names: list[str]) -> bool:
        """Press keys together, such as ["CTRL_LEFT", "A"]; return whether the phone knows it."""
        return bool(self._ask("combination", names))

    def type_text(self, text: str) -> bool:
        """Put text at the caret of the field that has the focus; return False without one."""
        return bool(self._ask("type", text))

    def clear_focused(self) -> bool:
        """Empty the field that has the focus; return False without one."""
        return bool(self._ask("clear"))

    @property
    def imes(self) -> tuple[str, ...]:
        """The ids of the installed input methods."""
        return self._imes

    @property
    def ime(self) -> str:
        """The id of the input method in use; set it to one of `imes`."""
        return self._ime

    @ime.setter
    def ime(self, name: str) -> None:
        if name not in self._imes:
            raise UsageError(f"input method {name!r} is not installed; there are {self._imes}")
        with self._lock:
            self._ask("setIme", name)
            self._ime = name

    # Apps and facts

    def packages(self) -> dict[str, str]:
        """Return the label of every app, by package."""
        return cast("dict[str, str]", self._ask("packages"))

    def launch(self, package: str) -> bool:
        """Bring an app to the front, as it was left; return False where there is none."""
        return bool(self._ask("launch", package))

    def force_stop(self, package: str) -> None:
        """End an app: its pages are forgotten, what they stored stays."""
        self._ask("forceStop", package)

    def foreground(self) -> tuple[str, str]:
        """Return the package in front and its activity, such as ".MainActivity"."""
        package, activity = self._ask("foreground")
        return package, activity

    def keyboard_shown(self) -> bool:
        """Return whether the soft keyboard covers a part of the screen."""
        return bool(self._facts()["keyboard"])

    @property
    def screen_on(self) -> bool:
        """Whether the screen is lit; when it is off, touches do nothing."""
        return bool(self._facts()["on"])

    @property
    def secure(self) -> bool:
        """Whether the window in front forbids captures, as Android's FLAG_SECURE does."""
        return bool(self._facts()["secure"])

    def state(self) -> PhoneState:
        """Return a copy of what the apps hold now."""
        return cast("PhoneState", self._ask("state"))

    def change_settings(self, **changes: Any) -> None:
        """Change settings from outside, as `settings put` and `svc` do.

        Raises:
            UsageError: there is no such setting, or it takes no such value.
        """
        with self._lock:
            state = self.state()
            validated({**state, "settings": {**state["settings"], **changes}})
            self._ask("setState", changes)

    # Reaching the page

    def _page_lives(self) -> bool:
        alive = self._browser is not None and self._browser.alive
        return alive and self._page is not None and not self._page.crashed

    def _ensure_page(self) -> None:
        if self._page_lives():
            return
        self.close()
        self._browser = self._given_browser or Browser.shared()
        size = self._geometry.current_size
        self._page = self._browser.call(
            PhonePage.open, self._browser, size, timeout_s=CALL_TIMEOUT_S
        )

    def _apply_size(self) -> None:
        self._run("resize", self._geometry.current_size)

    def _touch(self, gesture: TouchGesture) -> None:
        self._run("touch", gesture)

    def _facts(self) -> dict[str, Any]:
        return cast("dict[str, Any]", self._ask("facts"))

    def _ask(self, name: str, *arguments: Any) -> Any:
        return self._run("call", name, *arguments, changes=name not in READS)

    def _run(self, method: str, *arguments: Any, changes: bool = True) -> Any:
        with self._lock:
            if self._page is None or self._browser is None:
                raise UsageError("the phone's screen is not open; call open(state) first")
            if changes:
                self._shown = None
            function = getattr(self._page, method)
            return self._browser.call(function, *arguments, timeout_s=CALL_TIMEOUT_S)
