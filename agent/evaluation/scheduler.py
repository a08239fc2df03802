"""Scheduler: episodes that wait, and workers that take the next one as soon as they are free.

What an episode is does not depend on who runs it or what ran before it, so any number of workers
gives the same rows. A worker that is lost loses only the episode that it was running; a fresh
worker runs it again, from its beginning. The same holds where it was who decided that is lost.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from eyehand.agent.evaluation.inference import Decider, Question
from eyehand.agent.evaluation.messages import Answer, Ask, Failed, Finished, Job, Lost, Ready, Reply
from eyehand.agent.evaluation.worker import lost_episode
from eyehand.agent.results.episode_result import EpisodeRow
from eyehand.errors import WorkerLost

MOST_LOSSES = 3
"""How many workers or engines an episode may lose before it counts as lost to a fault."""

MOST_FALSE_STARTS = 5
"""How many workers in a row may end before they are ready; then nothing can be expected."""


class Worker(Protocol):
    """Where one episode at a time runs; see `messages` for what is said."""

    def send(self, message: Job | Answer) -> None:
        """Send a message; one that does not arrive shows as a loss in `Fleet.wait`."""

    def dismiss(self) -> None:
        """Tell it to close its environment and end."""

    def close(self) -> None:
        """Dismiss it and wait until it has ended."""

    def kill(self) -> None:
        """End it at once."""

    def why_lost(self) -> str:
        """Return what is known about its end."""


class Fleet(Protocol):
    """Makes workers and hears them."""

    def hire(self) -> Worker:
        """Start a worker; it will say Ready."""

    def wait(self, workers: Sequence[Worker]) -> list[tuple[Worker, Reply | None]]:
        """Wait for at least one worker; None in a reply's place is the worker's end."""

    def close(self) -> None:
        """Let go of what it holds; the workers have ended."""


@dataclass
class _Seat:
    number: int
    worker: Worker
    job: Job | None = None
    spec: str | None = None
    ready: bool = False

    @property
    def free(self) -> bool:
        return self.ready and self.job is None


class Scheduler:
    """Runs jobs on a fleet.

    Args:
        fleet: Makes the workers.
        decider: Answers those that ask.
        jobs: The episodes; see `JobQueue` for which begins when.
        workers: How many run at a time, at least 1.
        clear: Called with a job before it runs again: removes what it left behind.
    """

    def __init__(
        self,
        fleet: Fleet,
        decider: Decider,
        jobs: Iterable[Job],
        workers: int,
        clear: Callable[[Job], None],
    ) -> None:
        self._fleet = fleet
        self._decider = decider
        self._queue = JobQueue(jobs)
        self._workers = workers
        self._clear = clear
        self._seats: dict[int, _Seat] = {}
        self._next_seat = 0
        self._losses: Counter[int] = Counter()
        self._false_starts = 0

    def run(self) -> Iterator[Finished]:
        """Yield episodes as they end.

        Raises:
            WorkerLost: workers end before they can begin, again and again.
            Exception: whatever a worker or the policy met that ends an evaluation.
        """
        try:
            while self._staff():
                yield from self._turn()
            self._close()
        finally:
            self._kill()

    def _staff(self) -> list[_Seat]:
        """Give the free workers their next jobs, hire what is missing; return who is at work."""
        for seat in self._seats.values():
            if seat.free and self._queue:
                others = [other.spec for other in self._seats.values() if other is not seat]
                seat.job = self._queue.take(seat.spec, others)
                seat.spec = seat.job.spec
                seat.worker.send(seat.job)
        starting = sum(not seat.ready for seat in self._seats.values())
        while len(self._seats) < self._workers and starting < len(self._queue):
            number, self._next_seat = self._next_seat, self._next_seat + 1
            self._seats[number] = _Seat(number, self._fleet.hire())
            starting += 1
        if not self._queue and not any(seat.job for seat in self._seats.values()):
            return []
        return [seat for seat in self._seats.values() if not seat.free]

    def _turn(self) -> Iterator[Finished]:
        """Hear the workers once; whoever is free gets the next job before anything is counted."""
        seats = {id(seat.worker): seat for seat in self._seats.values() if not seat.free}
        asking: list[tuple[_Seat, Ask]] = []
        ended: list[Finished] = []
        for worker, reply in self._fleet.wait([seat.worker for seat in seats.values()]):
            seat = seats[id(worker)]
            if isinstance(reply, Ask):
                asking.append((seat, reply))
            elif isinstance(reply, Failed):
                raise reply.error
            elif reply is None:
                ended += self._lost(seat)
            elif isinstance(reply, Lost):
                ended += self._again(seat, reply.why)
            else:
                ended += self._freed(seat, reply)
        self._staff()
        yield from ended
        self._answer(asking)

    def _freed(self, seat: _Seat, reply: Ready | Finished) -> list[Finished]:
        seat.ready, seat.job, self._false_starts = True, None, 0
        self._decider.forget(seat.number)
        return [reply] if isinstance(reply, Finished) else []

    def _lost(self, seat: _Seat) -> list[Finished]:
        """Take a worker off that has ended; its episode runs again, unless it lost too many."""
        del self._seats[seat.number]
        seat.worker.kill()
        why = seat.worker.why_lost()
        if not seat.ready:
            self._false_starts += 1
            if self._false_starts >= MOST_FALSE_STARTS:
                raise WorkerLost(f"workers end before they can begin: {why}")
        return self._again(seat, why)

    def _again(self, seat: _Seat, why: str) -> list[Finished]:
        """Queue a seat's episode once more, which was lost, unless that was too often."""
        self._decider.forget(seat.number)
        lost, seat.job = seat.job, None
        if lost is None:
            return []
        job = replace(lost, faults=(*lost.faults, f"{WorkerLost.__name__}: {why}"))
        self._losses[job.index] += 1
        self._clear(job)
        if self._losses[job.index] < MOST_LOSSES:
            self._queue.put_back(job)
            return []
        episode = lost_episode(job.spec, job.seed, job.faults[-1])
        return [Finished(EpisodeRow.of(job.index, job.spec, episode, job.faults))]

    def _answer(self, asking: list[tuple[_Seat, Ask]]) -> None:
        questions: list[Question] = [
            (seat.number, seat.job.spec, ask) for seat, ask in asking if seat.job is not None
        ]
        if questions:
            for number, answer in self._decider.answer(questions):
                self._seats[number].worker.send(answer)

    def _close(self) -> None:
        """End all workers; each may take a moment to close its environment, all at once."""
        for seat in self._seats.values():
            seat.worker.dismiss()
        while self._seats:
            self._seats.popitem()[1].worker.close()

    def _kill(self) -> None:
        """End what still runs, after an interruption: its episodes will be run again."""
        while self._seats:
            seat = self._seats.popitem()[1]
            seat.worker.kill()
            if seat.job is not None:
                self._clear(seat.job)
        self._decider.close()
        self._fleet.close()


class JobQueue:
    """Episodes that wait, by task.

    A worker keeps its environment open while the task stays the same, and opening one may take
    longer than an episode. So it goes on with its task as long as episodes of it wait; then it
    begins one that nobody plays; then it helps where the most are left.

    Args:
        jobs: The episodes, in the order in which they begin where nothing speaks against it.
    """

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._waiting: dict[str, deque[Job]] = {}
        for job in jobs:
            self._waiting.setdefault(job.spec, deque()).append(job)

    def __len__(self) -> int:
        """Return how many wait."""
        return sum(map(len, self._waiting.values()))

    def take(self, own: str | None, others: Collection[str | None]) -> Job:
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

    def put_back(self, job: Job) -> None:
        """Let an episode that was lost run again, as the next one of its task."""
        self._waiting.setdefault(job.spec, deque()).appendleft(job)
