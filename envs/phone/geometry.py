"""The simulated phone's sizes: physical, overridden, rotated."""

from dataclasses import dataclass

from eyehand.errors import UsageError

Size = tuple[int, int]

SIZE_PX = (200, 8000)
DENSITY_DPI = (72, 1000)
"""What `wm size` and `wm density` may set: 72 is the least that Android's `wm` takes."""


@dataclass
class PhoneGeometry:
    """What decides how many pixels the screen has, and how large things are drawn on it.

    Attributes:
        physical_size: Width and height in device pixels, upright.
        density: Dots per inch; a dp is density/160 device pixels.
        override_size: The size that `wm size WxH` sets, upright; None without one.
        override_density: The density that `wm density N` sets; None without one.
        rotation: Quarter turns, 0 to 3; 1 and 3 lie on the side.
    """

    physical_size: Size = (1080, 2400)
    density: int = 420
    override_size: Size | None = None
    override_density: int | None = None
    rotation: int = 0

    @property
    def current_size(self) -> Size:
        """Width and height in device pixels, as the screen is shown now."""
        width, height = self.override_size or self.physical_size
        return (height, width) if self.rotation % 2 else (width, height)

    @property
    def current_density(self) -> int:
        """Dots per inch in force."""
        return self.override_density or self.density

    def reset(self) -> None:
        """Take back overrides and rotation."""
        self.override_size = self.override_density = None
        self.rotation = 0


def check_size(size: Size) -> Size:
    """Return `size` where a screen may have it.

    Raises:
        UsageError: a side lies outside 200 to 8000 pixels.
    """
    low, high = SIZE_PX
    if not all(low <= side <= high for side in size):
        raise UsageError(f"a phone's screen has sides of {low} to {high} pixels, got {size}")
    return size


def check_density(density: int) -> int:
    """Return `density` where a screen may have it.

    Raises:
        UsageError: it lies outside 72 to 1000 dots per inch.
    """
    low, high = DENSITY_DPI
    if not low <= density <= high:
        raise UsageError(f"a phone's density is {low} to {high} dots per inch, got {density}")
    return density
