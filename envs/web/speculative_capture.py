"""A picture that is taken while the page settles, and holds where nothing changed meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable

from eyehand.envs.env import Pixels
from eyehand.envs.web.settle import Settled
from eyehand.envs.web.tab import leave_running

Take = Callable[[], Awaitable[Pixels]]


class SpeculativeCapture:
    """One picture of a settled page: the early one where it holds, else another.

    Waiting until a page is quiet and taking its picture each take a frame or two. Most actions
    change the page at once or not at all, so both can go on side by side.

    Args:
        take: Takes a picture. It is never called while an earlier one is being taken: Chromium
            restores the page's size after a picture, and two at once restore the wrong one.
    """

    def __init__(self, take: Take) -> None:
        self._take = take
        self._early: asyncio.Future[Pixels] | None = None

    def begin(self) -> None:
        """Begin the early picture; `settle` calls it as `on_watch`."""
        self._early = asyncio.ensure_future(self._take())
        # Whether it succeeds matters only where it is asked for.
        leave_running(self._early)

    async def picture(self, settled: Settled) -> Pixels:
        """Return the page's picture.

        Args:
            settled: What the wait came to.

        Raises:
            CaptureFailed: the picture is damaged.
        """
        early, self._early = self._early, None
        if early is not None:
            await asyncio.wait({early})
            if settled.untouched:
                return early.result()
        return await self._take()
