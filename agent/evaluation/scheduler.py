"""Scheduler: episodes that wait, and workers that take the next one as soon as they are free.

What an episode is does not depend on who runs it or what ran before it, so any number of workers
gives the same rows. A worker that is lost loses only the episode that it was running; a fresh
worker runs it again, from its beginning. So it is where the one that decided for it is lost.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from eyehand.agent.evaluation.inference import InferenceServer, SlotRequest
from eyehand.agent.evaluation.messages import (
    EpisodeFinished,
    EpisodeJob,
    EpisodeLost,
    Reply,
    WorkerFailed,
    WorkerReady,
)
from eyehand.agent.evaluation.worker import lost_episode
from eyehand.agent.policies.base import DecisionReply, DecisionRequest
from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.errors import WorkerLost

MOST_LOSSES = 3
"""How many workers or engines an episode may lose before it counts as lost to a fault."""

MOST_FALSE_STARTS = 5
"""How many workers in a row may end before they are ready; then nothing can be expected."""


class Worker(Protocol):
    """Where one episode at a time runs; see `messages` for what is said."""

    def send(self, message: EpisodeJob | DecisionReply) -> None:
        """Send a message; one that does not arrive shows as a loss in `WorkerPool.wait`."""

    def stop(self) -> None:
        """Tell it to close its environment and end."""

    def close(self) -> None:
        """Stop it and wait until it has ended."""

    def kill(self) -> None:
        """End it at once."""

    def why_lost(self) -> str:
        """Return what is known about its end."""


class WorkerPool(Protocol):
    """Starts workers and receives their replies."""

    def start(self) -> Worker:
        """Start a worker; its first reply is `WorkerReady`."""

    def wait(self, workers: Sequence[Worker]) -> list[tuple[Worker, Reply | None]]:
        """Wait for at least one worker; None in a reply's place is the worker's end."""

    def close(self) -> None:
        """Let go of what it holds; the workers have ended."""


@dataclass
class _Slot:
    number: int
    worker: Worker
    job: EpisodeJob | None = None
    spec: str | None = None
    ready: bool = False

    @property
    def free(self) -> bool:
        return self.ready and self.job is None


class Scheduler:
    """Runs jobs on workers.

    Args:
        worker_pool: Starts the workers.
        inference: Answers their requests.
        jobs: The episodes; see `JobQueue` for which begins when.
        workers: How many run at a time, at least 1.
        clear: Called with a job before it runs again: removes what it left behind.
    """

    def __init__(
        self,
        worker_pool: WorkerPool,
        inference: InferenceServer,
        jobs: Iterable[EpisodeJob],
        workers: int,
        clear: Callable[[EpisodeJob], None],
    ) -> None:
        self._pool = worker_pool
        self._inference = inference
        self._queue = JobQueue(jobs)
        self._workers = workers
        self._clear = clear
        self._slots: dict[int, _Slot] = {}
        self._next_slot = 0
        self._losses: Counter[int] = Counter()
        self._false_starts = 0

    def run(self) -> Iterator[EpisodeFinished]:
        """Yield episodes as they end.

        Raises:
            WorkerLost: workers end before they can begin, again and again.
            Exception: whatever a worker or the policy met that ends an evaluation.
        """
        try:
            while self._assign_jobs():
                yield from self._handle_replies()
            self._close()
        finally:
            self._kill()

    def _assign_jobs(self) -> list[_Slot]:
        """Give free workers their next jobs, start missing ones; return the slots at work."""
        for slot in self._slots.values():
            if slot.free and self._queue:
                others = [other.spec for other in self._slots.values() if other is not slot]
                slot.job = self._queue.take(slot.spec, others)
                slot.spec = slot.job.spec
                slot.worker.send(slot.job)
        starting = sum(not slot.ready for slot in self._slots.values())
        while len(self._slots) < self._workers and starting < len(self._queue):
            number, self._next_slot = self._next_slot, self._next_slot + 1
            self._slots[number] = _Slot(number, self._pool.start())
            starting += 1
        if not self._queue and not any(slot.job for slot in self._slots.values()):
            return []
        return [slot for slot in self._slots.values() if not slot.free]

    def _handle_replies(self) -> Iterator[EpisodeFinished]:
        """Take the replies that are there; free workers get jobs before anything is counted."""
        slots = {id(slot.worker): slot for slot in self._slots.values() if not slot.free}
        requests: list[SlotRequest] = []
        ended: list[EpisodeFinished] = []
        for worker, reply in self._pool.wait([slot.worker for slot in slots.values()]):
            slot = slots[id(worker)]
            if isinstance(reply, DecisionRequest):
                if slot.job is not None:
                    requests.append((slot.number, slot.job.spec, reply))
            elif isinstance(reply, WorkerFailed):
                raise reply.error
            elif reply is None:
                ended += self._lost(slot)
            elif isinstance(reply, EpisodeLost):
                ended += self._again(slot, reply.why)
            else:
                ended += self._freed(slot, reply)
        self._assign_jobs()
        yield from ended
        if requests:
            for number, answer in self._inference.answer(requests):
                self._slots[number].worker.send(answer)

    def _freed(self, slot: _Slot, reply: WorkerReady | EpisodeFinished) -> list[EpisodeFinished]:
        slot.ready, slot.job, self._false_starts = True, None, 0
        self._inference.forget(slot.number)
        return [reply] if isinstance(reply, EpisodeFinished) else []

    def _lost(self, slot: _Slot) -> list[EpisodeFinished]:
        """Take a worker off that has ended; its episode runs again, unless it lost too many."""
        del self._slots[slot.number]
        slot.worker.kill()
        why = slot.worker.why_lost()
        if not slot.ready:
            self._false_starts += 1
            if self._false_starts >= MOST_FALSE_STARTS:
                raise WorkerLost(f"workers end before they can begin: {why}")
        return self._again(slot, why)

    def _again(self, slot: _Slot, why: str) -> list[EpisodeFinished]:
        """Queue a slot's lost episode once more, unless it was lost too often."""
        self._inference.forget(slot.number)
        lost, slot.job = slot.job, None
        if lost is None:
            return []
        job = replace(lost, faults=(*lost.faults, f"{WorkerLost.__name__}: {why}"))
        self._losses[job.index] += 1
        self._clear(job)
        if self._losses[job.index] < MOST_LOSSES:
            self._queue.put_back(job)
            return []
        episode = lost_episode(job.spec, job.seed, job.faults[-1])
        return [EpisodeFinished(EpisodeResult.of(job.index, job.spec, episode, job.faults))]

    def _close(self) -> None:
        """End all workers; each may take a moment to close its environment, all at once."""
        for slot in self._slots.values():
            slot.worker.stop()
        while self._slots:
            self._slots.popitem()[1].worker.close()

    def _kill(self) -> None:
        """End what still runs, after an interruption: its episodes will be run again."""
        while self._slots:
            slot = self._slots.popitem()[1]
            slot.worker.kill()
            if slot.job is not None:
                self._clear(slot.job)
        self._inference.close()
        self._pool.close()


class JobQueue:
    """Episodes that wait, by task.

    A worker keeps its environment open while the task stays the same, and opening one may take
    longer than an episode. So it goes on with its task as long as episodes of it wait; then it
    begins one that nobody plays; then it helps where the most are left.

    Args:
        jobs: The episodes, in the order in which they begin where nothing speaks against it.
    """

    def __init__(self, jobs: Iterable[EpisodeJob]) -> None:
        self._waiting: dict[str, deque[EpisodeJob]] = {}
        for job in jobs:
            self._waiting.setdefault(job.spec, deque()).append(job)

    def __len__(self) -> int:
        """Return how many wait."""
        return sum(map(len, self._waiting.values()))

    def take(self, own: str | None, others: Collection[str | None]) -> EpisodeJob:
        """Take an episode for a worker.

        Args:
            own: The task whose environment it has open; None for a fresh worker.
            others: The tasks that other workers have open.

        Raises:
            IndexError: none waits.
        """
        if not self._waiting:
            raise IndexError("no episode waits")
        if own not in self._waiting:
            fresh = (spec for spec in self._waiting if spec not in others)
            own = next(fresh, None) or max(self._waiting, key=lambda s: len(self._waiting[s]))
        job = self._waiting[own].popleft()
        if not self._waiting[own]:
            del self._waiting[own]
        return job

    def put_back(self, job: EpisodeJob) -> None:
        """Let an episode that was lost run again, as the next one of its task."""
        self._waiting.setdefault(job.spec, deque()).appendleft(job)
