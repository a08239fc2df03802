"""The episodes that wait for a worker, and which of them a free one is given."""

from collections import deque
from collections.abc import Collection, Iterable

from eyehand.agent.workers.messages import Job


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
