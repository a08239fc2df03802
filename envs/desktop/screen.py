"""The desktop's pixels, through mss, and the area of them that is shown."""

from typing import Any

import mss
import numpy as np
from mss import ScreenShotError

from eyehand.envs.desktop.area import Area, AreaChoice
from eyehand.envs.desktop.xlib import x_faults
from eyehand.envs.env import Pixels, ScreenGeometry
from eyehand.envs.packages import X_CAPTURE, apt_command
from eyehand.errors import CaptureFailed, StartUnreachable, UsageError


class DesktopScreen:
    """Captures one area of the desktop, and follows it when the monitors change.

    On X11 a pixel of the root window is a pixel of the monitor: scaling for small pixels (HiDPI)
    happens inside the programs, so points need no factor.

    Args:
        connection: The X connection; watched for changes of the desktop's size.
        choice: What to show.

    Raises:
        UsageError: there is no such monitor, or the region lies outside.
        StartUnreachable: the display cannot be captured.
    """

    def __init__(self, connection: Any, choice: AreaChoice) -> None:
        self._connection = connection
        self._choice = choice
        self._layout = self._read_layout()
        self._open()

    @property
    def geometry(self) -> ScreenGeometry:
        """How the captures lie on the root window."""
        area = self.area
        return ScreenGeometry(
            screen=area.screen_name,
            width_px=area.width,
            height_px=area.height,
            device_width=area.width,
            device_height=area.height,
            left=area.left,
            top=area.top,
        )

    def refresh(self) -> bool:
        """Find the area again where monitors came, went or changed their size.

        Returns:
            Whether the area is another one now, so that older points mean another place.

        Raises:
            CaptureFailed: the area is no longer there.
            EnvironmentFault: the X server is gone.
        """
        layout = self._read_layout()
        if layout == self._layout:
            return False
        before = self.area
        self._layout = layout
        self.close()
        try:
            self._open()
        except UsageError as error:
            raise CaptureFailed(f"the monitors changed: {error}") from error
        return self.area != before

    def capture(self) -> Pixels:
        """Return what the area shows now, RGB uint8 (H, W, 3); the pointer is not drawn.

        Raises:
            CaptureFailed: the X server is gone, or has another layout since `refresh`.
        """
        area = self.area
        box = {"left": area.left, "top": area.top, "width": area.width, "height": area.height}
        try:
            shot = self._capturer.grab(box)
        except (ScreenShotError, OSError) as error:
            raise CaptureFailed(f"the area {area} could not be captured: {error}") from error
        bgrx = np.frombuffer(shot.raw, np.uint8).reshape(area.height, area.width, 4)
        return np.ascontiguousarray(bgrx[:, :, 2::-1])

    def close(self) -> None:
        """Close mss's own connection."""
        self._capturer.close()

    def _open(self) -> None:
        try:
            self._capturer = mss.MSS(display=self._connection.get_display_name())
            monitors = [_area(monitor) for monitor in self._capturer.monitors]
            primary = _area(self._capturer.primary_monitor)
        except (ScreenShotError, OSError) as error:
            raise StartUnreachable(
                f"the display cannot be captured: {error}; mss needs its libraries: "
                f"{apt_command(X_CAPTURE)}"
            ) from error
        try:
            self.area = self._choice.resolve(monitors, primary)
        except BaseException:
            self._capturer.close()
            raise

    def _read_layout(self) -> tuple[Any, ...]:
        """Return the desktop's size and where its monitors lie, to be compared."""
        with x_faults("reading the desktop's size"):
            root = self._connection.screen().root
            size = root.get_geometry()
            layout: tuple[Any, ...] = (size.width, size.height)
            if hasattr(root, "xrandr_get_monitors"):  # RandR 1.5
                monitors = root.xrandr_get_monitors().monitors
                layout += tuple(
                    (m.primary, m.x, m.y, m.width_in_pixels, m.height_in_pixels) for m in monitors
                )
        return layout


def _area(monitor: Any) -> Area:
    """Turn mss's description of a monitor into an area."""
    return Area(monitor["left"], monitor["top"], monitor["width"], monitor["height"])
