"""Whether Chromium's GPU process lives: with it goes what pages have drawn on a canvas.

Chromium starts another one and shows the pages again, but a canvas is empty then: an episode that
went on would not be the one that it was.
"""

import asyncio
from pathlib import Path

from playwright.async_api import CDPSession

_ENDED = ("Z", "X")
# It is listed a moment after the browser answers; a browser without one is not waited for longer.
LISTED_TURNS, LISTED_TURN_S = 50, 0.02


class Graphics:
    """The GPU process that a browser began with. Where there is no /proc, nothing is noticed.

    Args:
        pid: Its number; None where it is not known.
    """

    def __init__(self, pid: int | None) -> None:
        self._stat = Path(f"/proc/{pid}/stat")
        self._watched = pid is not None and self._stat.exists()

    @classmethod
    async def of(cls, session: CDPSession) -> "Graphics":
        """Find a browser's.

        Args:
            session: A session with the whole browser.
        """
        for _ in range(LISTED_TURNS):
            listed = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
            pids = [int(found["id"]) for found in listed if found["type"] == "GPU"]
            if pids and pids[0] > 0:
                return cls(pids[0])
            await asyncio.sleep(LISTED_TURN_S)
        return cls(None)

    @property
    def lost(self) -> bool:
        """Whether it has ended."""
        if not self._watched:
            return False
        try:
            return self._stat.read_text().rpartition(")")[2].split()[0] in _ENDED
        except OSError:
            return True
