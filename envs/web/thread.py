"""One thread with an asyncio loop, on which everything of Playwright runs.

Playwright's synchronous interface refuses to start where an asyncio loop is running (notebooks,
servers), and its asynchronous one is bound to its loop. A loop of our own on a thread of our own
works from everywhere, and lets an action, a dialog and a crash be awaited at the same time.
"""

import asyncio
import inspect
import sys
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

from eyehand.errors import EnvironmentFault

JOIN_TIMEOUT_S = 10.0
# How long work that is given up may take to leave things in order. What waits for a driver that
# hangs would take for ever.
GIVEN_UP_S = 5.0
END_TURNS, END_TURN_S = 20, 0.02

if sys.platform == "win32":
    _AnyLoop = asyncio.ProactorEventLoop
else:
    _AnyLoop = asyncio.SelectorEventLoop


class _Loop(_AnyLoop):
    """A loop that remembers the programs which were started on it: nobody else tells their end."""

    def __init__(self) -> None:
        super().__init__()
        self.programs: list[asyncio.SubprocessTransport] = []

    async def subprocess_exec(self, *args: Any, **options: Any) -> Any:
        started = await super().subprocess_exec(*args, **options)
        self.programs.append(started[0])
        return started


class BrowserThread:
    """A daemon thread that runs coroutines for callers on any other thread."""

    def __init__(self) -> None:
        self._loop = _Loop()
        self._loop.set_exception_handler(self._unheard)
        self._thread = threading.Thread(target=self._run, name="eyehand-browser", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread still takes calls."""
        return self._thread.is_alive() and not self._loop.is_closed()

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on this thread."""
        return threading.current_thread() is self._thread

    @property
    def lost_program(self) -> bool:
        """Whether a program that was started here has ended."""
        return any(program.get_returncode() is not None for program in self._loop.programs)

    async def killed_program(self) -> bool:
        """Return whether a program that was started here was ended by a signal. Await it here.

        Its end is told a moment after its last words.
        """
        for _ in range(END_TURNS):
            if self.lost_program:
                break
            await asyncio.sleep(END_TURN_S)
        return any((program.get_returncode() or 0) < 0 for program in self._loop.programs)

    def call(self, function: Callable[..., Any], *args: Any, timeout_s: float | None = None) -> Any:
        """Run `function(*args)` on the thread and return its result.

        A `KeyboardInterrupt` in the waiting thread cancels the work and is raised here.

        Args:
            function: A coroutine function, or a plain one; a plain function that returns an
                awaitable (`lambda page: page.title()`) has it awaited.
            args: Its arguments.
            timeout_s: Cancel the work and raise after this many seconds; None waits for ever.

        Raises:
            EnvironmentFault: the thread was closed, or `timeout_s` has passed.
        """
        if self.is_current:
            raise EnvironmentFault("a call from the browser's own thread would wait for itself")
        if not self.alive:
            raise EnvironmentFault("the browser was closed; make a new environment")
        work = _within(timeout_s, function, args)
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except TimeoutError as error:
            raise EnvironmentFault(f"the browser gave no answer in {timeout_s} s") from error
        except CancelledError as error:
            raise EnvironmentFault("the browser was closed while it worked") from error
        finally:
            future.cancel()

    def close(self) -> None:
        """Cancel what still runs and end the thread. Closing twice is fine."""
        if self.alive:
            asyncio.run_coroutine_threadsafe(self._end(), self._loop)
            self._thread.join(JOIN_TIMEOUT_S)

    async def _end(self) -> None:
        """Stop; a program that did not end by itself is killed, and what it started ends then."""
        running = [one for one in self._loop.programs if one.get_returncode() is None]
        for program in running:
            program.kill()
        for _ in range(END_TURNS if running else 0):
            if all(program.get_returncode() is not None for program in running):
                break
            await asyncio.sleep(END_TURN_S)
        self._loop.stop()

    def _unheard(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Print what nobody asked for, unless it is of a program whose end is told otherwise."""
        if not (self.lost_program and "never retrieved" in context["message"]):
            loop.default_exception_handler(context)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            _cancel_all(self._loop)
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()


async def _awaited(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    result = function(*args)
    return await result if inspect.isawaitable(result) else result


async def _within(
    timeout_s: float | None, function: Callable[..., Any], args: tuple[Any, ...]
) -> Any:
    """Await a function's result, at most so long; work that is given up is cancelled.

    `asyncio.wait_for` would wait for the end of what it cancels, however long that takes.
    """
    work = asyncio.ensure_future(_awaited(function, args))
    try:
        await asyncio.wait({work}, timeout=timeout_s)
        if not work.done():
            raise TimeoutError
        return work.result()
    finally:
        if not work.done():
            work.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            work.cancel()
            await asyncio.wait({work}, timeout=GIVEN_UP_S)


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
