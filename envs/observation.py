"""What an agent sees: pixels, how they lie on the device, and the space of all screens."""

import io
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from gymnasium.spaces import Space
from numpy.typing import NDArray

from eyehand.actions import Point
from eyehand.errors import OutOfRange, StaleScreen

Pixels = NDArray[np.uint8]

Video = NDArray[np.uint8]
"""Frames of one size, RGB uint8, shape (T, H, W, 3), the oldest first."""


@dataclass(frozen=True)
class ScreenGeometry:
    """How a screen's pixels lie on its device.

    Attributes:
        screen: Name of the screen; it changes whenever an older point would no longer mean the
            same place (another tab, another size, a rotation).
        width_px: Width of the observation in pixels.
        height_px: Height of the observation in pixels.
        device_width: Width of the same area in the device's input units (CSS pixels for a page,
            touch pixels for a phone).
        device_height: Height of the same area in the device's input units.
        left: Device x of the observation's left edge.
        top: Device y of the observation's top edge.
    """

    screen: str
    width_px: int
    height_px: int
    device_width: float
    device_height: float
    left: float = 0.0
    top: float = 0.0

    def to_device(self, point: Point) -> tuple[float, float]:
        """Turn a point into device coordinates; 1.0 becomes the middle of the last pixel.

        Raises:
            StaleScreen: the point was read from another screen.
            OutOfRange: the point lies outside 0..1, which only an unvalidated one can.
        """
        if point.screen is not None and point.screen != self.screen:
            raise StaleScreen(
                f"the point belongs to the screen {point.screen!r}, now {self.screen!r} is shown; "
                "look at the new screen"
            )
        if not (0 <= point.x <= 1 and 0 <= point.y <= 1):
            raise OutOfRange(f"({point.x:g}, {point.y:g}) is outside the screen: expected 0 to 1")
        half_x = self.device_width / self.width_px / 2
        half_y = self.device_height / self.height_px / 2
        x = min(max(point.x * self.device_width, half_x), self.device_width - half_x)
        y = min(max(point.y * self.device_height, half_y), self.device_height - half_y)
        return self.left + x, self.top + y

    def to_point(self, device_x: float, device_y: float) -> Point:
        """Turn device coordinates into a point on this screen (clamped to its edges)."""
        x = min(max((device_x - self.left) / self.device_width, 0.0), 1.0)
        y = min(max((device_y - self.top) / self.device_height, 0.0), 1.0)
        return Point(x=x, y=y, screen=self.screen)


@dataclass(frozen=True, eq=False, repr=False)
class Observation:
    """What the agent sees; a notebook shows it as a picture.

    Attributes:
        pixels: The screen, RGB uint8, shape (H, W, 3).
        geometry: How the pixels lie on the device.
        text: What the environment says beside the screen (URL, title, a dialog's text); empty
            where the pixels say it all.
        feedback: What became of the previous action, or why an answer was refused; empty at the
            first observation and where there is nothing to add.
        video: The screen over time, RGB uint8, shape (T, H, W, 3), the oldest frame first and
            `pixels` last; None where the screen is a still picture. A policy that reads no video
            has `pixels`.
    """

    pixels: Pixels
    geometry: ScreenGeometry
    text: str = ""
    feedback: str = ""
    video: Video | None = None

    def __eq__(self, other: object) -> bool:
        """Return whether everything is equal, pixel by pixel (gymnasium's check_env compares)."""
        if not isinstance(other, Observation):
            return NotImplemented
        mine = (self.geometry, self.text, self.feedback)
        theirs = (other.geometry, other.text, other.feedback)
        return (
            mine == theirs
            and np.array_equal(self.pixels, other.pixels)
            and same_video(self.video, other.video)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return the screen's name and size, and what is said beside it, without the pixels."""
        shape = "x".join(map(str, self.pixels.shape[1::-1]))
        frames = "" if self.video is None else f", {len(self.video)} frames"
        text = f", text={self.text!r}" if self.text else ""
        feedback = f", feedback={self.feedback!r}" if self.feedback else ""
        return f"Observation({self.geometry.screen!r}, {shape} px{frames}{text}{feedback})"

    def with_pixels(self, pixels: Pixels, feedback: str = "") -> "Observation":
        """Return the same screen with other pixels, and a video that ends with them.

        Args:
            pixels: The screen as it is now, RGB uint8, shape (H, W, 3), of any size.
            feedback: What became of the action.
        """
        height, width = pixels.shape[:2]
        geometry = replace(self.geometry, width_px=width, height_px=height)
        video = self.video
        if video is not None and not np.array_equal(video[-1], pixels):
            same_size = video.shape[1:] == pixels.shape
            earlier = video[1:] if same_size else [pixels] * (len(video) - 1)
            video = np.stack([*earlier, pixels])
        return Observation(pixels, geometry, self.text, feedback, video)

    def _repr_png_(self) -> bytes:
        """Return the screen as a PNG: what Jupyter shows."""
        # Imported here: an environment without pictures to show needs no Pillow.
        from PIL import Image

        written = io.BytesIO()
        Image.fromarray(self.pixels).save(written, "PNG")
        return written.getvalue()


def same_video(one: Video | None, other: Video | None) -> bool:
    """Return whether two observations' videos are equal, frame by frame; none equals none."""
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)


class ScreenSpace(Space[Observation]):
    """The observation space: every RGB screen with consistent geometry, whatever its size."""

    def __init__(self, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(shape=None, dtype=None, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """Screens differ in size, so they do not flatten to a fixed box."""
        return False

    def contains(self, x: Any) -> bool:
        """Return whether `x` is an Observation whose pixels, geometry and video agree."""
        if not isinstance(x, Observation) or not isinstance(x.pixels, np.ndarray):
            return False
        shape = (x.geometry.height_px, x.geometry.width_px, 3)
        fits = x.pixels.dtype == np.uint8 and x.pixels.shape == shape
        return fits and (x.video is None or _ends_with(x.video, x.pixels))

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> Observation:
        """Draw a screen of random size and noise."""
        height, width = (int(n) for n in self.np_random.integers(28, 257, size=2))
        pixels = self.np_random.integers(0, 256, size=(height, width, 3), dtype=np.uint8)
        return Observation(pixels, ScreenGeometry("sample", width, height, width, height))

    def __eq__(self, other: object) -> bool:
        """All screen spaces are equal."""
        return isinstance(other, ScreenSpace)

    __hash__ = None  # type: ignore[assignment]


def _ends_with(video: Any, pixels: Pixels) -> bool:
    """Return whether a video is one of frames of the screen's size, and ends with the screen."""
    if not isinstance(video, np.ndarray) or video.dtype != np.uint8 or video.ndim != 4:
        return False
    return len(video) > 0 and np.array_equal(video[-1], pixels)
