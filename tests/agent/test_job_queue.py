"""Which episode a free worker is given: as few environments as possible are opened."""

from collections.abc import Collection, Sequence
from itertools import pairwise

import pytest

from eyehand.agent.evaluation.messages import EpisodeJob
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.evaluation.scheduler import JobQueue

A, B, C = "cards:number-line", "cards:blackjack", "cards:ez-points"


def queue(*specs: str, episodes: int = 3) -> JobQueue:
    return JobQueue(Plan("s", list(specs), episodes, 0).jobs())


def taken(jobs: JobQueue, own: str | None, others: Collection[str | None] = ()) -> tuple[str, int]:
    job = jobs.take(own, others)
    return job.spec, job.seed


def test_a_worker_goes_on_with_its_task_and_begins_one_that_nobody_plays() -> None:
    jobs = queue(A, B, C)
    assert taken(jobs, None) == (A, 0)
    assert taken(jobs, None, [A]) == (B, 0)
    assert [taken(jobs, A, [B]) for _ in range(2)] == [(A, 1), (A, 2)]
    assert taken(jobs, A, [B]) == (C, 0)


def test_where_every_task_is_played_it_helps_where_the_most_are_left() -> None:
    jobs = queue(A, B)
    jobs.take(A, [])
    assert taken(jobs, C, [A, B]) == (B, 0)
    assert taken(jobs, C, [A, B]) == (A, 1)


def test_an_episode_that_was_lost_is_the_next_of_its_task() -> None:
    jobs = queue(A)
    lost = jobs.take(None, [])
    jobs.put_back(lost)
    assert jobs.take(None, []) is lost


def test_every_episode_is_taken_once_and_then_none_waits() -> None:
    jobs = queue(A, B, C)
    numbers = [jobs.take(None, []).index for _ in range(len(jobs))]
    assert sorted(numbers) == list(range(9))
    assert len(jobs) == 0
    with pytest.raises(IndexError, match="no episode waits"):
        jobs.take(A, [])


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_hardly_more_environments_are_opened_than_there_are_tasks(workers: int) -> None:
    opened = 0
    for specs in _play(queue(A, B, C, episodes=10), workers):
        opened += sum(spec != before for before, spec in pairwise(["", *specs]))
    assert opened <= 3 + workers - 1


def _play(jobs: JobQueue, workers: int) -> Sequence[list[str]]:
    """Let workers take turns; returns the tasks of each worker's episodes."""
    played: list[list[str]] = [[] for _ in range(workers)]
    while len(jobs):
        for specs in played[: len(jobs)]:
            others = [theirs[-1] for theirs in played if theirs is not specs and theirs]
            job: EpisodeJob = jobs.take(specs[-1] if specs else None, others)
            specs.append(job.spec)
    return played
