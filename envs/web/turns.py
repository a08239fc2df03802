"""Turns: of the steps of one environment, one at a time works in the browser.

A step may be abandoned while its thread still waits: `asyncio.wait_for` around
`asyncio.to_thread(environment.step, action)` gives up the waiting, not the thread.
"""

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from eyehand.envs.web.browser import Browser
from eyehand.errors import EnvironmentFault, UsageError


class Turns:
    """Ends what was abandoned before the next step begins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest = 0
        self._own = threading.local()
        self._work: asyncio.Task[Any] | None = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take the turn for this thread, from whoever has it; a step inside a step keeps it."""
        if self._number is not None:
            yield
            return
        with self._lock:
            self._newest += 1
            self._own.number = self._newest
        try:
            yield
        finally:
            self._own.number = None

    def call(
        self, browser: Browser, function: Callable[..., Any], *args: Any, timeout_s: float
    ) -> Any:
        """Run `function(*args)` on the browser's thread, once nothing older runs there.

        A thread that has taken no turn disturbs none.

        Raises:
            UsageError: a later step took the turn meanwhile.
            EnvironmentFault: the browser failed, or `timeout_s` has passed.
        """
        number = self._number
        if number is None:
            return browser.call(function, *args, timeout_s=timeout_s)
        try:
            return browser.call(self._alone, number, function, args, timeout_s=timeout_s)
        except EnvironmentFault:
            self._check(number)
            raise

    @property
    def _number(self) -> int | None:
        return getattr(self._own, "number", None)

    def _check(self, number: int) -> None:
        if number != self._newest:
            raise UsageError(
                "this step was given up: another one began before it had ended; an environment "
                "takes one step at a time"
            )

    async def _alone(self, number: int, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        self._check(number)
        if self._work is not None and not self._work.done():
            self._work.cancel()
            await asyncio.wait({self._work})
            self._check(number)
        self._work = asyncio.current_task()
        result = function(*args)
        return await result if inspect.isawaitable(result) else result
