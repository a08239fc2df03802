"""Tables over episode rows: what a task, and what a suite came to. Pure functions of the rows."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeVar

from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.agent.results.statistics import (
    NO_VERDICT,
    Estimate,
    Rate,
    mean_rate,
    mean_with_interval,
)

Number = TypeVar("Number", int, float)

SIMULATED = "simulated"
"""Stands beside every result on the simulated phone."""

LATENCY_PARTS = ("decide", "perform", "record")
"""The parts of a step; their own parts are named with a dot, as "policy.prefill"."""


@dataclass(frozen=True)
class Summary:
    """What the episodes of one task, or of a whole suite, came to.

    Attributes:
        name: The task's spec, or the suite's name.
        rate: Successes of the scored episodes; of a suite, of its tasks that have a verdict.
        success: The success rate. Of a suite: the mean of its tasks' rates, with its interval.
        reward: Mean reward an episode, with its bootstrap interval.
        outcomes: Scored episodes by outcome.
        answer_errors: Answers without a valid action, by kind.
        decisions: Steps of all scored episodes together.
        mean_steps: Steps an episode; None without an episode.
        median_steps: The middle one.
        mean_seconds: Wall-clock seconds an episode; None without an episode.
        tokens: Tokens an episode, by kind.
        latency_s: Seconds a step, by part.
        faults: Faults of the environment that were met, those of retried episodes too.
        lost: Episodes that were lost to faults, which count nowhere else.
    """

    name: str
    rate: Rate
    success: Estimate
    reward: Estimate
    outcomes: dict[str, int]
    answer_errors: dict[str, int]
    decisions: int
    mean_steps: float | None
    median_steps: float | None
    mean_seconds: float | None
    tokens: dict[str, float]
    latency_s: dict[str, float]
    faults: int
    lost: int

    @property
    def answer_error_share(self) -> float | None:
        """Share of the decisions that held no valid action."""
        return sum(self.answer_errors.values()) / self.decisions if self.decisions else None

    def to_json(self) -> dict[str, Any]:
        """Return the summary, JSON-ready."""
        return {
            "name": self.name,
            "simulated": is_simulated(self.name),
            "episodes": self.rate.episodes,
            "successes": self.rate.successes,
            "success_rate": self.success.to_json(),
            "mean_reward": self.reward.to_json(),
            "outcomes": self.outcomes,
            "answer_errors": self.answer_errors,
            "decisions": self.decisions,
            "mean_steps": _rounded(self.mean_steps),
            "median_steps": self.median_steps,
            "mean_seconds": _rounded(self.mean_seconds),
            "tokens_per_episode": {name: round(n, 3) for name, n in self.tokens.items()},
            "seconds_per_step": {part: round(s, 6) for part, s in self.latency_s.items()},
            "environment_faults": self.faults,
            "lost": self.lost,
        }


def summarize(name: str, rows: Sequence[EpisodeResult]) -> Summary:
    """Return what the rows of one task came to.

    Args:
        name: The task's spec.
        rows: Its episodes; those that were lost to faults are counted apart.
    """
    rate = rate_of(rows)
    if rate.unjudged:
        return _summary(name, rows, rate, Estimate(None, method=NO_VERDICT))
    return _summary(name, rows, rate, Estimate(rate.value, *rate.interval, "wilson"))


def summarize_suite(name: str, rows: Sequence[EpisodeResult]) -> Summary:
    """Return what all rows came to; the success rate is the mean of the tasks' rates.

    Tasks without a verdict have none, and count in everything else.
    """
    rates = [rate_of(task) for task in by_spec(rows).values()]
    return _summary(name, rows, total_rate(rates), mean_rate(rates))


def total_rate(rates: Iterable[Rate]) -> Rate:
    """Return the successes, trials and unjudged episodes of several tasks together."""
    counted = list(rates)
    return Rate(
        sum(rate.successes for rate in counted),
        sum(rate.trials for rate in counted),
        sum(rate.unjudged for rate in counted),
    )


def summarize_tasks(rows: Sequence[EpisodeResult]) -> list[Summary]:
    """Return a summary a task, in the order in which the tasks appear in the plan."""
    return [summarize(spec, task) for spec, task in by_spec(rows).items()]


def by_spec(rows: Iterable[EpisodeResult]) -> dict[str, list[EpisodeResult]]:
    """Return the rows a task, ordered by their index: the order of arrival does not matter."""
    tasks: dict[str, list[EpisodeResult]] = {}
    for row in sorted(rows, key=lambda row: row.index):
        tasks.setdefault(row.spec, []).append(row)
    return tasks


def rate_of(rows: Iterable[EpisodeResult]) -> Rate:
    """Return the success rate of the scored rows; none where nobody judges the task."""
    scored = [row for row in rows if row.scored]
    if without_verdict(scored):
        return Rate(0, 0, unjudged=len(scored))
    return Rate(sum(row.succeeded for row in scored), len(scored))


def without_verdict(scored: Sequence[EpisodeResult]) -> bool:
    """Return whether a task has no verdict: an episode shows that, and none shows one.

    Args:
        scored: Its episodes, without those that were lost to faults.
    """
    judged = {row.judged for row in scored}
    return False in judged and True not in judged


def settled(rows: Sequence[EpisodeResult], seeds: Sequence[int]) -> list[EpisodeResult]:
    """Return, for each task, the rows before its first episode that is still missing.

    Where an evaluation was stopped, the episodes that are there lean to the short ones, for those
    end first. The rows up to the first gap were chosen by their seeds and not by their lengths.

    Args:
        rows: What is there.
        seeds: The seeds of the plan, in order, the same for every task.
    """
    kept = []
    for task in by_spec(rows).values():
        there = {row.seed: row for row in task}
        for seed in seeds:
            if seed not in there:
                break
            kept.append(there[seed])
    return sorted(kept, key=lambda row: row.index)


def is_simulated(spec: str) -> bool:
    """Return whether a spec runs on the simulated phone."""
    return spec == "phone" or spec.startswith("phone:")


def shown_name(spec: str) -> str:
    """Return a spec for people: a phone's says that it is simulated."""
    return f"{spec} ({SIMULATED})" if is_simulated(spec) else spec


def _summary(name: str, rows: Sequence[EpisodeResult], rate: Rate, success: Estimate) -> Summary:
    scored = [row for row in rows if row.scored]
    steps = [row.steps for row in scored]
    decisions = sum(steps)
    return Summary(
        name=name,
        rate=rate,
        success=success,
        reward=mean_with_interval([row.reward for row in scored]),
        outcomes=dict(Counter(row.outcome for row in scored).most_common()),
        answer_errors=_summed(row.answer_errors for row in scored),
        decisions=decisions,
        mean_steps=decisions / len(scored) if scored else None,
        median_steps=median(steps) if scored else None,
        mean_seconds=sum(row.seconds for row in scored) / len(scored) if scored else None,
        tokens=_divided(_summed(row.tokens for row in scored), len(scored)),
        latency_s=_divided(_summed(row.timings_s for row in scored), decisions),
        faults=sum(len(row.faults) for row in rows),
        lost=sum(not row.scored for row in rows),
    )


def _summed(counts: Iterable[Mapping[str, Number]]) -> dict[str, Number]:
    sums: dict[str, Number] = {}
    for count in counts:
        for name, number in count.items():
            sums[name] = sums[name] + number if name in sums else number
    return dict(sorted(sums.items()))


def _divided(sums: Mapping[str, float], by: int) -> dict[str, float]:
    return {name: number / by for name, number in sums.items()} if by else {}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
