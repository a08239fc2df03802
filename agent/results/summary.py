"""What the episodes of a task, and of a suite, came to: the one place where rows are counted."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeVar

from eyehand.agent.policies.base import COST, dollars
from eyehand.agent.results.episode_result import ANSWER_ERRORS, EpisodeResult
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

ILLEGAL = ("illegal", "out_of_range", "stale_screen")
"""Kinds of answer errors that the short count takes together: a call, but not a valid one."""

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
        success_rules: Scored episodes with a raw reward of 1, and with one above 0; empty where
            the environment reports none.
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
    success_rules: dict[str, int]

    @property
    def mean_cost_usd(self) -> float | None:
        """US dollars an episode; None where the model has no price."""
        return round(dollars(self.tokens), 6) if COST in self.tokens else None

    def to_json(self) -> dict[str, Any]:
        """Return what `evaluation.json` holds of a task, its ceiling excepted."""
        rate, errors = self.rate, self.answer_errors
        document: dict[str, Any] = {
            "task": self.name,
            "episodes": rate.episodes,
            "judged": not rate.unjudged,
            "successes": rate.successes,
            "success_rate": rate.value,
            "interval": None if rate.unjudged else [round(end, 4) for end in rate.interval],
            "environment_faults": self.faults,
            "unscored": self.lost,
            "outcomes": dict(sorted(self.outcomes.items())),
            "answer_errors": {
                "unparsable": errors.get("unparsable", 0),
                "unknown": errors.get("unknown", 0),
                "illegal": sum(errors.get(kind, 0) for kind in ILLEGAL),
            },
            "answer_errors_by_kind": {k: errors.get(k, 0) for k in ANSWER_ERRORS.values()},
            "mean_reward": self.reward.to_json(),
            "mean_steps": round(self.mean_steps or 0.0, 2),
            "mean_seconds": round(self.mean_seconds or 0.0, 3),
            "mean_tokens": {name: round(n, 1) for name, n in self.tokens.items()},
            **({} if self.mean_cost_usd is None else {"mean_cost_usd": self.mean_cost_usd}),
        }
        return document | ({"success_rules": self.success_rules} if self.success_rules else {})


def summarize(name: str, rows: Sequence[EpisodeResult]) -> Summary:
    """Return what the rows of one task came to.

    Args:
        name: The task's spec.
        rows: Its episodes; those that were lost to faults are counted apart.
    """
    rate = rate_of(rows)
    if not rate.trials:
        return _summary(name, rows, rate, Estimate(None, method=NO_VERDICT * bool(rate.unjudged)))
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
        success_rules=_success_rules([r.raw_reward for r in scored if r.raw_reward is not None]),
    )


def _success_rules(raw: Sequence[float]) -> dict[str, int]:
    if not raw:
        return {}
    rules = {"raw_reward == 1": [r == 1.0 for r in raw], "raw_reward > 0": [r > 0 for r in raw]}
    return {rule: sum(holds) for rule, holds in rules.items()}


def _summed(counts: Iterable[Mapping[str, Number]]) -> dict[str, Number]:
    sums: dict[str, Number] = {}
    for count in counts:
        for name, number in count.items():
            sums[name] = sums[name] + number if name in sums else number
    return dict(sorted(sums.items()))


def _divided(sums: Mapping[str, float], by: int) -> dict[str, float]:
    return {name: number / by for name, number in sums.items()} if by else {}
