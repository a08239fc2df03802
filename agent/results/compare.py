"""Two runs compared episode by episode, by task and seed: the luck of the draw cancels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.agent.results.statistics import (
    CELLS_AT_ONCE,
    RESAMPLES,
    RESAMPLING_SEED,
    TAILS_95,
    Estimate,
    Rate,
    resampled_means,
)
from eyehand.agent.results.summary import without_verdict

EXACT_FLIPS = 14
"""Up to so many differing pairs every assignment of signs is tried, instead of drawn ones."""

Pair = tuple[EpisodeResult, EpisodeResult]


@dataclass(frozen=True)
class Difference:
    """How two runs differ on the same episodes; positive where the second one is better.

    Attributes:
        name: The task's spec, or "overall".
        first: Successes of the first run on the paired episodes.
        second: Successes of the second.
        gained: Episodes that only the second one solved.
        lost: Episodes that only the first one solved.
        success: Difference of the success rates, second less first; overall the mean over tasks.
            Tasks that have no verdict in either run count in the rewards only.
        p_value: Exact two-sided McNemar test; None without a pair that has a verdict.
        p_adjusted: The same after Holm's correction for all tasks; None overall.
        reward: Difference of the mean rewards.
        reward_p_value: Two-sided sign-flip permutation test; None without a pair.
    """

    name: str
    first: Rate
    second: Rate
    gained: int
    lost: int
    success: Estimate
    p_value: float | None
    p_adjusted: float | None
    reward: Estimate
    reward_p_value: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the difference, JSON-ready."""
        return {
            "name": self.name,
            "pairs": self.first.episodes,
            "first_successes": self.first.successes,
            "second_successes": self.second.successes,
            "only_second": self.gained,
            "only_first": self.lost,
            "success_rate_difference": self.success.to_json(),
            "mcnemar_p_value": self.p_value,
            "holm_p_value": self.p_adjusted,
            "mean_reward_difference": self.reward.to_json(),
            "reward_p_value": self.reward_p_value,
        }


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side.

    Attributes:
        overall: All pairs.
        tasks: A difference a task.
        only_first: (spec, seed) of episodes that the second run does not have.
        only_second: Those that the first run does not have.
        faults: Those that a fault of the environment took from either.
        other_task: Those with different instructions: not the same episode, and not paired.
    """

    overall: Difference
    tasks: list[Difference]
    only_first: list[tuple[str, int]]
    only_second: list[tuple[str, int]]
    faults: list[tuple[str, int]]
    other_task: list[tuple[str, int]]

    @property
    def unpaired(self) -> dict[str, list[tuple[str, int]]]:
        """What is not paired, by reason; reasons without an episode are left out."""
        reasons = {
            "only in the first run": self.only_first,
            "only in the second run": self.only_second,
            "lost to a fault of the environment": self.faults,
            "another instruction under the same seed": self.other_task,
        }
        return {reason: episodes for reason, episodes in reasons.items() if episodes}

    def to_json(self) -> dict[str, Any]:
        """Return the comparison, JSON-ready."""
        return {
            "overall": self.overall.to_json(),
            "tasks": [task.to_json() for task in self.tasks],
            "unpaired": {
                reason: [{"spec": spec, "seed": seed} for spec, seed in episodes]
                for reason, episodes in self.unpaired.items()
            },
        }


def compare(
    first: Sequence[EpisodeResult], second: Sequence[EpisodeResult], seed: int = RESAMPLING_SEED
) -> Comparison:
    """Compare two runs on the episodes that both of them have.

    Args:
        first: The run to compare with.
        second: The run whose gain is reported.
        seed: Fixes the resamples and the drawn signs.
    """
    ours = {(row.spec, row.seed): row for row in first}
    theirs = {(row.spec, row.seed): row for row in second}
    both = [place for place in ours if place in theirs]
    faults = [p for p in both if not (ours[p].scored and theirs[p].scored)]
    other = [p for p in both if p not in set(faults) and ours[p].task != theirs[p].task]
    left_out = {*faults, *other}
    tasks: dict[str, list[Pair]] = {}
    for place in both:
        if place not in left_out:
            tasks.setdefault(place[0], []).append((ours[place], theirs[place]))
    differences = [_difference(spec, [pairs], seed) for spec, pairs in tasks.items()]
    tested = [difference for difference in differences if difference.p_value is not None]
    p_values = zip(tested, holm([d.p_value or 0.0 for d in tested]), strict=True)
    adjusted = {difference.name: p for difference, p in p_values}
    return Comparison(
        overall=_difference("overall", list(tasks.values()), seed),
        tasks=[
            replace(difference, p_adjusted=adjusted.get(difference.name))
            for difference in differences
        ],
        only_first=sorted(place for place in ours if place not in theirs),
        only_second=sorted(place for place in theirs if place not in ours),
        faults=sorted(faults),
        other_task=sorted(other),
    )


def mcnemar(gained: int, lost: int) -> float:
    """Return the exact two-sided p-value of McNemar's test.

    Under the hypothesis that both runs are equally good, each pair that differs is a fair coin:
    twice the smaller binomial tail, at most 1. Source: Q. McNemar, Psychometrika 12 (1947), in
    its exact form.

    Args:
        gained: Pairs that only the second one solved.
        lost: Pairs that only the first one solved.

    Example:
        >>> mcnemar(5, 0)
        0.0625
    """
    trials, fewer = gained + lost, min(gained, lost)
    ways = tail = 1  # of choosing none
    for count in range(fewer):
        ways = ways * (trials - count) // (count + 1)
        tail += ways
    # Whole numbers until the last division: 2**-trials alone would underflow at 1,075 pairs.
    return min(1.0, float(2 * tail / 2**trials))


def sign_flip(differences: Sequence[float], seed: int = RESAMPLING_SEED) -> float:
    """Return the two-sided p-value of the sign-flip permutation test for a mean of 0.

    If both runs are equally good, each pair's difference might as well have the other sign. Few
    differing pairs are tried in every assignment; for more, `RESAMPLES` are drawn and the
    observed one is counted among them, so that the p-value is never 0.

    Args:
        differences: Second less first, one a pair.
        seed: Fixes the drawn signs.

    Example:
        >>> sign_flip([1.0, 1.0, 2.0])
        0.25
    """
    values = np.asarray([value for value in differences if value], dtype=np.float64)
    if not values.size:
        return 1.0
    # A sum that differs by rounding alone is as extreme as the observed one.
    bound = abs(float(values.sum())) - 1e-9 * float(np.abs(values).sum())
    if values.size <= EXACT_FLIPS:
        numbers = np.arange(2**values.size)[:, None]
        signs = 1 - 2 * ((numbers >> np.arange(values.size)) & 1)
        return float(np.mean(np.abs(signs @ values) >= bound))
    generator = np.random.default_rng(seed)
    at_once = max(1, CELLS_AT_ONCE // values.size)
    extreme = 0
    for begun in range(0, RESAMPLES, at_once):
        size = (min(at_once, RESAMPLES - begun), values.size)
        flips = generator.integers(0, 2, size=size, dtype=np.int8)
        extreme += int(np.count_nonzero(np.abs((1 - 2 * flips) @ values) >= bound))
    return (extreme + 1) / (RESAMPLES + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values after Holm's correction: with 125 tasks some are small by chance.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979).

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _difference(name: str, tasks: list[list[Pair]], seed: int) -> Difference:
    pairs = [pair for task in tasks for pair in task]
    judged = [task for task in tasks if not _unjudged(task)]
    successes = [[second.succeeded - first.succeeded for first, second in t] for t in judged]
    rewards = [[second.reward - first.reward for first, second in task] for task in tasks]
    gained = sum(difference == 1 for task in successes for difference in task)
    lost = sum(difference == -1 for task in successes for difference in task)
    return Difference(
        name=name,
        first=_rate([first for task in judged for first, _ in task], len(pairs)),
        second=_rate([second for task in judged for _, second in task], len(pairs)),
        gained=gained,
        lost=lost,
        success=paired_difference(successes, seed),
        p_value=mcnemar(gained, lost) if any(judged) else None,
        p_adjusted=None,
        reward=paired_difference(rewards, seed),
        reward_p_value=sign_flip([d for task in rewards for d in task], seed) if pairs else None,
    )


def _unjudged(task: list[Pair]) -> bool:
    return all(without_verdict([pair[side] for pair in task]) for side in (0, 1))


def _rate(judged: list[EpisodeResult], episodes: int) -> Rate:
    return Rate(sum(row.succeeded for row in judged), len(judged), episodes - len(judged))


def paired_difference(tasks: Sequence[Sequence[float]], seed: int = RESAMPLING_SEED) -> Estimate:
    """Return the mean over tasks of the mean difference, with a paired bootstrap interval, 95%.

    Whole pairs are resampled, within each task, and the percentiles of the means are the interval.

    Args:
        tasks: A task's differences each, second less first, one a pair. Where the pairs of every
            task are equal, resamples do not vary and there is no interval.
        seed: Fixes the resamples.
    """
    arrays = [np.asarray(task, dtype=np.float64) for task in tasks if len(task)]
    if not arrays:
        return Estimate(None)
    value = float(np.mean([array.mean() for array in arrays]))
    if all(np.ptp(array) == 0 for array in arrays):
        return Estimate(value, method="all pairs are equal")
    generator = np.random.default_rng(seed)
    means = np.mean([resampled_means(array, generator) for array in arrays], axis=0)
    low, high = np.quantile(means, TAILS_95)
    return Estimate(value, min(float(low), value), max(float(high), value), "paired bootstrap")
