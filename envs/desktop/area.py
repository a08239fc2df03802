"""Which part of the desktop is seen and worked: a monitor, all of them, or a region."""

from collections.abc import Sequence
from dataclasses import dataclass

from eyehand.errors import UsageError

MIN_SIDE_PX = 28
"""The side of the square that becomes one image token: nothing smaller can be looked at."""


@dataclass(frozen=True)
class Area:
    """A rectangle of the desktop, in pixels of the X root window.

    Attributes:
        left: First column.
        top: First row.
        width: Number of columns.
        height: Number of rows.
    """

    left: int
    top: int
    width: int
    height: int

    @property
    def screen_name(self) -> str:
        """Name of the screen that shows this area; another area is another screen."""
        return f"desktop:{self}"

    def holds(self, other: "Area") -> bool:
        """Return whether the other area lies wholly inside this one."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and other.left + other.width <= self.left + self.width
            and other.top + other.height <= self.top + self.height
        )

    def __str__(self) -> str:
        """Return `left,top,width,height`."""
        return f"{self.left},{self.top},{self.width},{self.height}"


@dataclass(frozen=True)
class AreaChoice:
    """What the user named: a monitor by its number, or a region.

    Attributes:
        monitor: None for the primary one, 0 for all of them, or a number from 1.
        region: The region, which then outranks the monitor.
    """

    monitor: int | None = None
    region: Area | None = None

    def resolve(self, monitors: Sequence[Area], primary: Area) -> Area:
        """Find the area among the monitors that are connected now.

        Args:
            monitors: All of them together at index 0, then one by one.
            primary: The primary monitor.

        Raises:
            UsageError: there is no such monitor, or the region reaches outside the desktop.
        """
        if self.region is not None:
            if not monitors[0].holds(self.region):
                raise UsageError(
                    f"the region {self.region} reaches outside the desktop {monitors[0]} "
                    "(left,top,width,height in pixels)"
                )
            return self.region
        if self.monitor is None:
            return primary
        if self.monitor >= len(monitors):
            known = "; ".join(f"{i}: {area}" for i, area in enumerate(monitors[1:], start=1))
            raise UsageError(f"there is no monitor {self.monitor}; there are {known}; 0 is all")
        return monitors[self.monitor]


def read_area(text: str) -> AreaChoice:
    """Read what stands after `desktop:`.

    Args:
        text: Empty for the primary monitor, a monitor's number, or "left,top,width,height".

    Raises:
        UsageError: it is none of these.

    Example:
        >>> read_area("100,50,800,600").region
        Area(left=100, top=50, width=800, height=600)
    """
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit()]
    if len(numbers) != len(parts) or len(parts) not in (0, 1, 4):
        raise UsageError(
            f"cannot read {text!r}: expected desktop: (the primary monitor), desktop:1 (a monitor, "
            "0 for all of them) or desktop:left,top,width,height in pixels"
        )
    if len(numbers) == 4:
        region = Area(*numbers)
        if min(region.width, region.height) < MIN_SIDE_PX:
            raise UsageError(f"a region has at least {MIN_SIDE_PX}x{MIN_SIDE_PX} px; got {region}")
        return AreaChoice(region=region)
    return AreaChoice(monitor=numbers[0] if numbers else None)
