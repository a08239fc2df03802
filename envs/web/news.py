"""News: what happens in an episode's pages while nobody asks, and how a step waits for it."""

import asyncio
from typing import Any


class News:
    """Wakes who waits when something happened, and keeps sentences for the next observation.

    Attributes:
        notes: Sentences on what happened, for the next observation.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._any = asyncio.Event()
        self._interrupt = asyncio.Event()

    def tell(self, sentence: str = "") -> None:
        """Wake who waits for news, and keep a sentence for the next observation."""
        if sentence:
            self.notes.append(sentence)
        self.wake()

    def wake(self, interrupt: bool = False) -> None:
        """Wake who waits for news; `interrupt` also ends a race (a dialog, another shown tab)."""
        self._any.set()
        if interrupt:
            self._interrupt.set()

    async def race(self, work: "asyncio.Future[Any]", timeout_s: float | None) -> bool:
        """Wait for `work`, a dialog or a change of the shown tab; return whether work ended."""
        self._interrupt.clear()
        interrupted = asyncio.ensure_future(self._interrupt.wait())
        try:
            await asyncio.wait(
                {work, interrupted}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            interrupted.cancel()
        return work.done()

    async def wait(self, timeout_s: float) -> None:
        """Wait until a request, a tab, a dialog or a download makes news, or for `timeout_s`."""
        self._any.clear()
        waiting = asyncio.ensure_future(self._any.wait())
        await asyncio.wait({waiting}, timeout=max(timeout_s, 0.0))
        waiting.cancel()
