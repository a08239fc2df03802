"""Which pixels are where: size, rotation, overrides and displays, as the device tells them.

`dumpsys window displays` tells size, density, override, rotation and focus in one answer;
`dumpsys display` tells which panel a display is shown on, which matters where there are several.
"""

import re
from dataclasses import dataclass

from eyehand.envs.android.link import DeviceLink
from eyehand.envs.env import ScreenGeometry
from eyehand.errors import CaptureFailed

_BLOCK = re.compile(r"^\s*Display: mDisplayId=(\d+)", re.MULTILINE)
_SIZE = re.compile(r"\b(init|base|cur)=(\d+)x(\d+)(?: (\d+)dpi)?")
_ROTATION = re.compile(r"\bm(?:Current)?Rotation=(?:ROTATION_)?(\d+)")
_FOCUS = re.compile(r"mCurrentFocus=Window\{\S+ (?:u\d+ )?([^}]*)\}")
_VIEWPORT = re.compile(r"DisplayViewport\{([^}]*)\}")
_UNIQUE_ID = re.compile(r"uniqueId='?\"?local:(\d+)")
_PANEL = re.compile(r"^Display (\d+) ", re.MULTILINE)
_WM_SIZE = re.compile(r"(Physical|Override) size: (\d+)x(\d+)")
_DEGREES = {90: 1, 180: 2, 270: 3}

Size = tuple[int, int]


@dataclass(frozen=True)
class DisplayState:
    """One display, as it is now.

    Attributes:
        display_id: Android's number of the display; 0 is the main one.
        logical: Width and height in touch pixels, as it is turned.
        panel: Width and height of the panel in pixels, as it is turned.
        density: Dots per inch that apps are laid out for; 0 where it is not told.
        rotation: Quarter turns, 0 to 3.
        focus: The focused window: "package/activity", a name such as "StatusBar", or empty.
        physical_id: SurfaceFlinger's id of the panel; empty where there is only one.
    """

    display_id: int
    logical: Size
    panel: Size
    density: int
    rotation: int
    focus: str = ""
    physical_id: str = ""

    @property
    def screen(self) -> str:
        """The screen's name: another one whenever older points lose their meaning."""
        width, height = self.logical
        panel = f":{self.physical_id}" if self.physical_id else ""
        turned = 90 * self.rotation
        return f"display{self.display_id}{panel}:{width}x{height}:{self.density}dpi:{turned}deg"

    @property
    def package(self) -> str:
        """The package of the focused window; empty where it is none of an app's."""
        return self.focus.split("/", 1)[0] if "/" in self.focus else ""

    def shows(self, size: Size) -> bool:
        """Return whether a capture of this size can be one of this display."""
        return size in (self.logical, self.panel)

    def geometry(self, size: Size) -> ScreenGeometry:
        """Return how a capture's pixels lie on the display.

        Before Android 11 a capture has the panel's size, with black bars where a size override
        has another shape; the display lies in the middle of it.

        Args:
            size: Width and height of the capture in pixels.

        Raises:
            CaptureFailed: a capture of this size is not one of this display.
        """
        if not self.shows(size):
            raise CaptureFailed(
                f"a capture of {size[0]}x{size[1]} is not one of {self.screen}: another display?"
            )
        (width, height), (touch_width, touch_height) = size, self.logical
        if size == self.logical:
            return ScreenGeometry(self.screen, width, height, float(width), float(height))
        scale = min(width / touch_width, height / touch_height)
        left = (touch_width - width / scale) / 2
        top = (touch_height - height / scale) / 2
        return ScreenGeometry(
            self.screen, width, height, width / scale, height / scale, left=left, top=top
        )

    def covers(self, x: float, y: float) -> bool:
        """Return whether touch pixels lie on the display, and not on a bar beside it."""
        width, height = self.logical
        return 0 <= x < width and 0 <= y < height


class Displays:
    """Tells the state of one display of a device.

    Args:
        link: The device.
        display_id: Android's number of the display.
    """

    def __init__(self, link: DeviceLink, display_id: int = 0) -> None:
        self._link = link
        self.display_id = display_id
        self._panels: tuple[str, ...] | None = None

    def look(self) -> DisplayState:
        """Ask the device.

        Raises:
            CaptureFailed: there is no such display, or its size is not told.
            DeviceTimeout: the device did not answer.
            DeviceDisconnected: it is gone.
        """
        if self._panels is None:
            said = self._link.ask("dumpsys", "SurfaceFlinger", "--display-id").stdout
            self._panels = tuple(_PANEL.findall(said))
        physical_id = self._physical_id() if len(self._panels) > 1 else ""
        told = self._link.ask("dumpsys", "window", "displays").stdout
        return parse_display(told, self.display_id, physical_id)

    def _physical_id(self) -> str:
        """Return the panel that shows the display, on a device that has several."""
        told = self._link.ask("dumpsys", "display").stdout
        for viewport in _VIEWPORT.findall(told):
            named = _UNIQUE_ID.search(viewport)
            if named and re.search(rf"\bdisplayId={self.display_id}\b", viewport):
                return named.group(1)
        raise CaptureFailed(f"no panel shows display {self.display_id}; see 'dumpsys display'")


def parse_display(told: str, display_id: int, physical_id: str = "") -> DisplayState:
    """Read one display's state from `dumpsys window displays`.

    Raises:
        CaptureFailed: the display is not there, or its size is not told.
    """
    blocks = {int(m.group(1)): m.end() for m in _BLOCK.finditer(told)}
    if display_id not in blocks:
        known = ", ".join(str(number) for number in blocks) or "none"
        raise CaptureFailed(f"there is no display {display_id}; the device has: {known}")
    start = blocks[display_id]
    block = told[start : min((end for end in blocks.values() if end > start), default=len(told))]
    sizes = {name: (int(w), int(h), int(d or 0)) for name, w, h, d in _SIZE.findall(block)}
    if "cur" not in sizes:
        raise CaptureFailed(f"display {display_id} tells no size: {block[:200]!r}")
    turned = _ROTATION.search(block)
    rotation = int(turned.group(1)) if turned else 0
    logical = sizes["cur"][:2]
    panel = sizes.get("init", sizes["cur"])[:2]
    # "init" is told for the upright device.
    rotation = _DEGREES.get(rotation, rotation) % 4
    panel = panel[::-1] if rotation % 2 else panel
    density = sizes.get("base", sizes.get("init", (0, 0, 0)))[2]
    focus = _FOCUS.findall(block)
    focused = focus[-1].strip() if focus else ""
    return DisplayState(display_id, logical, panel, density, rotation, focused, physical_id)
