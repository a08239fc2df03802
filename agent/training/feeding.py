"""Fills the pools of a run while it trains: packing processes send, one thread receives."""

import multiprocessing
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from eyehand.agent.training.packers import Packer, PackerNotice, Portion, work
from eyehand.errors import UsageError
from eyehand.model.training.packing import Pool, Size

DRAWN = "drawn:"
"""What the sources of drawn screens begin with."""
FEW = 60
"""A source of fewer documents counts less beside the others, so that none is learned by heart."""

_LOOK_S = 0.2
_END_S = 5.0


class SourcedPool:
    """A pool that knows which documents are of which source.

    Args:
        pool: The documents.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._drawn: list[int] = []
        self._shown: dict[str, list[int]] = {}

    def add(self, portion: Portion) -> None:
        """Append documents, as many as there is room for."""
        first = self.pool.count
        for index in range(self.pool.put(portion.documents)):
            source = portion.sources[index]
            drawn = source.startswith(DRAWN)
            places = self._drawn if drawn else self._shown.setdefault(source, [])
            places.append(first + index)

    def weight(self, weights: Mapping[str, float]) -> float:
        """Return the weight of all demonstrations; a source weighs 1 where it is not named."""
        return float(self._weighted(weights)[1].sum())

    def any_of(self, generator: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Draw `count` of all documents that are there."""
        return generator.integers(0, self.pool.count, count)

    def choose(
        self, generator: np.random.Generator, count: int, weights: Mapping[str, float],
        drawn_share: float,
    ) -> NDArray[np.int64]:  # fmt: skip
        """Draw documents: first whether a drawn screen, else which source, then which of them.

        Args:
            generator: Draws.
            count: How many.
            weights: Of sources of demonstrations.
            drawn_share: Share of drawn screens, 0 to 1.
        """
        sources, shares = self._weighted(weights)
        if not sources or not shares.sum():
            drawn_share = 1.0
        is_drawn = generator.random(count) < (drawn_share if self._drawn else 0.0)
        by_chance = np.searchsorted(np.cumsum(shares), generator.random(count) * shares.sum())
        places = []
        for drawn, index in zip(is_drawn, by_chance, strict=True):
            of_source = self._drawn if drawn else sources[min(index, len(sources) - 1)]
            places.append(of_source[int(generator.integers(len(of_source)))])
        return np.array(places, dtype=np.int64)

    def _weighted(
        self, weights: Mapping[str, float]
    ) -> tuple[list[list[int]], NDArray[np.float64]]:
        shown = list(self._shown.items())
        shares = [weights.get(name, 1.0) * min(1.0, len(places) / FEW) for name, places in shown]
        return [places for _, places in shown], np.array(shares, dtype=np.float64)


class Feeder:
    """The packing processes of a run, from their start to their end.

    Args:
        packers: One for each process; they begin at once.
    """

    def __init__(self, packers: Sequence[Packer]) -> None:
        self._changed = threading.Condition()
        self._failure = ""
        self._unread = len(packers)
        self._closing = False
        self._processes: list[BaseProcess] = []
        self._open: list[Connection] = []
        self._ended: set[Connection] = set()
        self._thread: threading.Thread | None = None
        for packer in packers:
            self._start(packer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def fill(self, pools: Mapping[Size, SourcedPool], lock: AbstractContextManager[object]) -> None:
        """Begin to receive into pools.

        Args:
            pools: By their size; documents of another size are dropped.
            lock: Held while the device is given work.
        """
        self._thread = threading.Thread(target=self._receive, args=(pools, lock), daemon=True)
        self._thread.start()

    def wait_for(self, enough: Callable[[], bool]) -> None:
        """Wait until there is enough, or nothing more will come.

        Raises:
            UsageError: a packing process failed.
        """
        with self._changed:
            while not enough() and self._open:
                self.check()
                self._changed.wait(1.0)
            self.check()

    def wait_for_demonstrations(self) -> None:
        """Wait until all demonstrations are there.

        Raises:
            UsageError: a packing process failed.
        """
        self.wait_for(lambda: self._unread == 0)

    def check(self) -> None:
        """Raise what went wrong in a packing process.

        Raises:
            UsageError: one failed.
        """
        if self._failure:
            raise UsageError(f"documents could not be made ready: {self._failure}")

    def close(self) -> None:
        """End the processes, whatever they are at."""
        self._closing = True
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(_END_S)
            if process.is_alive():
                process.kill()
                process.join()
        if self._thread is not None:
            self._thread.join(_END_S)
        for connection in self._open:
            connection.close()
        self._open = []

    def _start(self, packer: Packer) -> None:
        # A fork would copy what libraries of this process do not survive, such as their threads.
        context = multiprocessing.get_context("forkserver")
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(packer, sending), daemon=True)
        process.start()
        sending.close()  # so that the end of the process is the end of its messages
        self._processes.append(process)
        self._open.append(receiving)

    def _receive(
        self, pools: Mapping[Size, SourcedPool], lock: AbstractContextManager[object]
    ) -> None:
        try:
            while self._open and not self._closing:
                for connection in wait(self._open, _LOOK_S):
                    assert isinstance(connection, Connection)
                    self._take(connection, pools, lock)
        except Exception as error:  # a device that is full, for one
            with self._changed:
                self._failure = self._failure or str(error).partition("\n")[0]
                self._changed.notify_all()

    def _take(
        self, connection: Connection, pools: Mapping[Size, SourcedPool],
        lock: AbstractContextManager[object],
    ) -> None:  # fmt: skip
        message = self._message(connection)
        if isinstance(message, Portion) and message.size in pools:
            with lock:
                pools[message.size].add(message)
        with self._changed:
            if isinstance(message, PackerNotice):
                self._heed(message, connection)
            self._changed.notify_all()

    def _message(self, connection: Connection) -> Portion | PackerNotice:
        try:
            message: Portion | PackerNotice = connection.recv()
        except (EOFError, OSError):
            self._open = [other for other in self._open if other is not connection]
            connection.close()
            if connection in self._ended or self._closing:
                return PackerNotice()
            return PackerNotice(failure="a process ended early, perhaps for want of memory")
        return message

    def _heed(self, notice: PackerNotice, connection: Connection) -> None:
        self._unread -= notice.read
        self._failure = self._failure or notice.failure
        if notice.ended:
            self._ended.add(connection)
