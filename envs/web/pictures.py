"""The pictures of an episode: taken, kept, compared with what is shown now."""

import asyncio

import numpy as np
from playwright.async_api import Error as PlaywrightError

from eyehand.actions import Point
from eyehand.envs.env import Observation, Pixels
from eyehand.envs.web.capture import capture
from eyehand.envs.web.painting import Painting
from eyehand.envs.web.tab import Tab
from eyehand.envs.web.tabs import Tabs

# What a place shows is told by this many CSS pixels around it.
NEAR_PX = 24
# A smaller part of the screen that changes (a clock, a caret) is not worth a word.
WORTH_TELLING = 0.002
COMPARE_TIMEOUT_S = 1.5


class Pictures:
    """Takes pictures of the shown tab.

    Args:
        tabs: The tabs.
        pixel_ratio: Device pixels in a CSS pixel.
    """

    def __init__(self, tabs: Tabs, pixel_ratio: float) -> None:
        self._tabs = tabs
        self._pixel_ratio = pixel_ratio

    async def take(self) -> Pixels:
        """Return a picture of the shown tab.

        Raises:
            CaptureFailed: Chromium's picture is damaged.
        """
        tab = await self._tabs.shown()
        session, painting = await tab.session(), tab.painting
        if painting is None:
            return await capture(session)
        asked = painting.mark()
        pixels = await capture(session)
        painting.keep(pixels, asked)
        return pixels

    def painting(self) -> Painting | None:
        """Return what is told of the shown tab's screen; None where nothing is."""
        tab = self._tabs.current
        return tab.painting if tab is not None else None

    def seen(self, tab: Tab, last: Observation | None) -> Pixels:
        """Return the tab's screen as it was seen last, or a white one."""
        if last is not None and last.geometry.screen == tab.screen and not tab.crashed:
            return last.pixels.copy()
        width, height = (round(n * self._pixel_ratio) for n in tab.size)
        return np.full((height, width, 3), 255, dtype=np.uint8)

    async def since(self, last: Observation) -> Pixels | None:
        """Return what is shown now where it differs from the last observation, else None.

        A page that gives no picture at once is taken to be as it was.
        """
        work = asyncio.ensure_future(self.take())
        try:
            now = await asyncio.wait_for(work, COMPARE_TIMEOUT_S)
        except (PlaywrightError, TimeoutError):
            return None
        return None if np.array_equal(now, last.pixels) else now

    def lost_at(self, before: Pixels, now: Pixels, points: list[Point]) -> bool:
        """Return whether what was at one of the points of a screen is there no longer.

        It moved up or down, or something else covers it. What only says something else now (a
        counter, another label) is still there.
        """
        if before.shape != now.shape:
            return bool(points)
        height, width = before.shape[:2]
        reach = round(NEAR_PX * self._pixel_ratio)
        for point in points:
            y, x = round(point.y * height), round(point.x * width)
            rows = slice(max(y - reach, 0), y + reach)
            columns = slice(max(x - reach, 0), x + reach)
            was = before[rows, columns]
            if _mostly_differs(was, now[rows, columns]) or _moved(was, now[:, columns], rows.start):
                return True
        return False


def _mostly_differs(was: Pixels, now: Pixels) -> bool:
    return float(np.any(was != now, axis=2).mean()) >= 0.5


def _moved(was: Pixels, strip: Pixels, top: int) -> bool:
    """Return whether a patch stands at another height of its strip, and no longer at `top`."""
    height = len(was)
    if np.array_equal(was, strip[top : top + height]) or (was == was[0, 0]).all():
        return False
    places = range(len(strip) - height + 1)
    return any(np.array_equal(was, strip[place : place + height]) for place in places)


def worth_telling(before: Pixels, now: Pixels) -> bool:
    """Return whether so much of the screen changed that it matters to who saw it before."""
    if before.shape != now.shape:
        return True
    return float(np.any(before != now, axis=2).mean()) >= WORTH_TELLING
