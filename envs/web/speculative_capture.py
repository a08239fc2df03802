"""A picture that is taken while the page settles, and holds where nothing changed meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable

from eyehand.envs.env import Pixels
from eyehand.envs.web.painting import Mark, Painting
from eyehand.envs.web.settle import Settled
from eyehand.envs.web.tab import leave_running

LATE_FRAMES = 2
"""A canvas on which nothing was drawn yet is given so many frames more: no mutation tells of it."""

Take = Callable[[], Awaitable[Pixels]]


class SpeculativeCapture:
    """One picture of a settled page: the last one or an early one where it holds, else another.

    Waiting until a page is quiet and taking its picture each take a frame or two. Most actions
    change the page at once or not at all, so both can go on side by side.

    Args:
        take: Takes a picture. It is never called while an earlier one is being taken: Chromium
            restores the page's size after a picture, and two at once restore the wrong one.
        painting: Asked, when the watch begins, for the notices of the tab that `take` shows.
    """

    def __init__(self, take: Take, painting: Callable[[], Painting | None] = lambda: None) -> None:
        self._take = take
        self._shown_painting = painting
        self._painting: Painting | None = None
        self._asked: Mark | None = None
        self._early: asyncio.Future[Pixels] | None = None

    def begin(self) -> None:
        """Begin the early picture; `settle` calls it as `on_watch`.

        Where nothing was painted since the last look, it begins when something is: what the action
        does is still to come.
        """
        self._painting = self._shown_painting()
        if self._painting is not None and self._painting.idle:
            self._painting.on_paint = self._begin_now
        else:
            self._begin_now()

    def _begin_now(self) -> None:
        self._early = asyncio.ensure_future(self._take_early())
        # Whether it succeeds matters only where it is asked for.
        leave_running(self._early)

    async def _take_early(self) -> Pixels:
        if self._painting is not None:
            if self._painting.drawable:
                # What the action drew is painted now, and not after the picture was asked for.
                await self._painting.painted()
            self._asked = self._painting.mark()
        return await self._take()

    async def picture(self, settled: Settled) -> Pixels:
        """Return the page's picture.

        Args:
            settled: What the wait came to.

        Raises:
            CaptureFailed: the picture is damaged.
        """
        try:
            return await self._picture(settled)
        finally:
            if self._painting is not None:
                self._painting.note_look()

    async def _picture(self, settled: Settled) -> Pixels:
        early, self._early = self._early, None
        if self._painting is not None:
            self._painting.on_paint = None
            self._painting.drawable = settled.drawable
        if early is not None:
            await asyncio.wait({early})
            if settled.untouched and (not settled.drawable or await self._painted_once()):
                return early.result()
        elif settled.untouched and self._painting is not None:
            for _ in range(LATE_FRAMES if settled.drawable else 0):
                await self._painting.painted()
            await self._painting.told()
            if (last := self._painting.kept) is not None:
                return last.copy()  # an observation has pixels of its own
        return await self._take()

    async def _painted_once(self) -> bool:
        """Return whether the page painted nothing after the early picture had been asked for."""
        if self._painting is None or self._asked is None:
            return False
        await self._painting.told()
        return self._painting.only_once(self._asked)
