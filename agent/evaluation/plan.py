"""What an evaluation asks for, and what it counted."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from eyehand.agent.evaluation.messages import EpisodeJob
from eyehand.agent.evaluation.retention import Keep
from eyehand.agent.outcome import Outcome
from eyehand.agent.results.ceiling import Ceiling, ceiling_of
from eyehand.agent.results.episode_result import ANSWER_ERRORS, EpisodeResult
from eyehand.agent.results.plan_file import MOST_EPISODES
from eyehand.agent.results.statistics import Rate, mean_with_interval
from eyehand.envs.suites import declared_content, step_limit
from eyehand.errors import UsageError

ILLEGAL = ("illegal", "out_of_range", "stale_screen")
"""Kinds of answer errors that the short count takes together: a call, but not a valid one."""


@dataclass(frozen=True)
class Plan:
    """What is evaluated.

    Attributes:
        suite: The suite as the user named it.
        specs: The tasks.
        episodes: Episodes a task.
        first_seed: Seed of episode 0.
        max_steps: Most steps an episode; None for each task's own limit, 30 where it sets none.
        time_limit_s: Most seconds an episode, or None.
        max_tokens: Most tokens an episode that are read anew and written, or None.
        out: Folder of the evaluation; None keeps nothing.
        keep: Which trajectories stay in it.
        batch: Most observations that a policy is handed in one call (`Policy.decide_many`). One
            that computes them together may round otherwise in another batch, so it is part of
            what is evaluated.
        options: How the policy was asked for, JSON-ready; kept with the plan, so that an
            interrupted evaluation goes on with the same policy.
    """

    suite: str
    specs: list[str]
    episodes: int = 10
    first_seed: int = 1_000_000
    max_steps: int | None = None
    time_limit_s: float | None = None
    max_tokens: int | None = None
    out: Path | None = None
    keep: Keep = "all"
    batch: int = 1
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.episodes < 1:
            raise UsageError(f"expected at least 1 episode, got {self.episodes}")
        if self.episodes * len(self.specs) > MOST_EPISODES:
            raise UsageError(f"expected at most {MOST_EPISODES:,} episodes, all tasks together")
        if self.first_seed < 0:
            raise UsageError(f"expected a first seed of at least 0, got {self.first_seed}")
        if self.batch < 1:
            raise UsageError(f"expected a batch of at least 1, got {self.batch}")

    def jobs(self) -> Iterator[EpisodeJob]:
        """The episodes, in order: each one's number fixes its task and its seed.

        Every task has the same seeds, `first_seed`, `first_seed + 1`, ....
        """
        for position, spec in enumerate(self.specs):
            for i in range(self.episodes):
                yield EpisodeJob(position * self.episodes + i, spec, self.first_seed + i)

    def steps_of(self, spec: str) -> int | None:
        """Return the most steps of a task's episodes: as planned, or its suite's.

        None leaves it to the environment, whose own limit counts, else 30.
        """
        return self.max_steps or step_limit(spec)

    def to_json(self) -> dict[str, Any]:
        """Return what fixes the episodes, JSON-ready; not where they are kept.

        Raises:
            UsageError: a task's declaration file cannot be read.
        """
        return {
            "suite": self.suite,
            "specs": self.specs,
            "declared": [declared_content(spec) for spec in self.specs],
            "episodes": self.episodes,
            "first_seed": self.first_seed,
            "max_steps": self.max_steps,
            "time_limit_s": self.time_limit_s,
            "max_tokens": self.max_tokens,
            "keep": self.keep,
            "batch": self.batch,
            "options": self.options,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any], out: Path) -> "Plan":
        """Read a plan that `to_json` wrote.

        Raises:
            UsageError: it is none.
        """
        named = {field.name for field in fields(cls)} - {"out"}
        try:
            return cls(**{name: data[name] for name in named}, out=out)
        except (KeyError, TypeError) as error:
            raise UsageError(f"the plan in {out} cannot be read: {error}") from None


@dataclass
class TaskResult:
    """The count of one task.

    Attributes:
        task: Its spec.
        outcomes: How many episodes ended how; faults are not among them.
        environment_faults: Faults that were met, retried ones included.
        unscored: Episodes that were lost because every try met a fault.
        answer_errors: Answers without a valid action, by kind.
        steps: Steps of all counted episodes.
        seconds: Seconds of all counted episodes.
        tokens: Tokens of all counted episodes, by name.
        rewards: The summed reward of every counted episode.
        raw_rewards: The environment's raw rewards, where it reports them.
        judged: What the episodes tell of a verdict, see `EpisodeResult.judged`.
    """

    task: str
    outcomes: Counter[str] = field(default_factory=Counter)
    environment_faults: int = 0
    unscored: int = 0
    answer_errors: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    seconds: float = 0.0
    tokens: Counter[str] = field(default_factory=Counter)
    rewards: list[float] = field(default_factory=list)
    raw_rewards: list[float] = field(default_factory=list)
    judged: set[bool | None] = field(default_factory=set)

    @property
    def rate(self) -> Rate:
        """The success rate: only the environment's own verdict counts; none without one."""
        if False in self.judged and True not in self.judged:
            return Rate(0, 0, unjudged=self.outcomes.total())
        return Rate(self.outcomes[Outcome.SUCCEEDED], self.outcomes.total())

    @property
    def ceiling(self) -> Ceiling | None:
        """The best success rate that there can be, where it is known."""
        return ceiling_of(self.task)

    def add(self, row: EpisodeResult) -> None:
        """Count an episode; one that only met faults counts as lost, never as a failure."""
        self.environment_faults += len(row.faults)
        if not row.scored:
            self.unscored += 1
            return
        self.outcomes[row.outcome] += 1
        self.steps += row.steps
        self.seconds += row.seconds
        self.answer_errors.update(row.answer_errors)
        self.tokens.update(row.tokens)
        self.rewards.append(row.reward)
        self.judged.add(row.judged)
        if row.raw_reward is not None:
            self.raw_rewards.append(row.raw_reward)

    def to_json(self) -> dict[str, Any]:
        """Return the row, JSON-ready."""
        rate, ceiling = self.rate, self.ceiling
        count, interval = max(1, rate.episodes), [round(bound, 4) for bound in rate.interval]
        row: dict[str, Any] = {
            "task": self.task,
            "episodes": rate.episodes,
            "judged": not rate.unjudged,
            "successes": rate.successes,
            "success_rate": rate.value,
            "interval": None if rate.unjudged else interval,
            "ceiling": ceiling.value if ceiling else None,
            "ceiling_source": ceiling.source if ceiling else "",
            "environment_faults": self.environment_faults,
            "unscored": self.unscored,
            "outcomes": dict(sorted(self.outcomes.items())),
            "answer_errors": {
                "unparsable": self.answer_errors["unparsable"],
                "unknown": self.answer_errors["unknown"],
                "illegal": sum(self.answer_errors[kind] for kind in ILLEGAL),
            },
            "answer_errors_by_kind": {
                kind: self.answer_errors[kind] for kind in ANSWER_ERRORS.values()
            },
            "mean_reward": mean_with_interval(self.rewards).to_json(),
            "mean_steps": round(self.steps / count, 2),
            "mean_seconds": round(self.seconds / count, 3),
            "mean_tokens": {name: round(n / count, 1) for name, n in sorted(self.tokens.items())},
        }
        if self.raw_rewards:
            full = sum(reward == 1.0 for reward in self.raw_rewards)
            above = sum(reward > 0 for reward in self.raw_rewards)
            row["success_rules"] = {"raw_reward == 1": full, "raw_reward > 0": above}
        return row


@dataclass
class Evaluation:
    """All rows of an evaluation.

    Attributes:
        plan: What was asked.
        policy: What the policy says of itself.
        tasks: A count a task that has an episode, in the order of the plan.
        finished: False where a person stopped it; the rows so far stand.
    """

    plan: Plan
    policy: dict[str, Any] = field(default_factory=dict)
    tasks: list[TaskResult] = field(default_factory=list)
    finished: bool = True

    def count(self, rows: Iterable[EpisodeResult]) -> None:
        """Count the rows anew, in their order."""
        tasks: dict[str, TaskResult] = {}
        for row in rows:
            tasks.setdefault(row.spec, TaskResult(row.spec)).add(row)
        self.tasks = [tasks[spec] for spec in self.plan.specs if spec in tasks]

    def to_json(self) -> dict[str, Any]:
        """Return the evaluation, JSON-ready. The rate is the mean over the tasks' rates."""
        rates = [row.rate.value for row in self.tasks if row.rate.value is not None]
        return {
            "suite": self.plan.suite,
            "policy": self.policy.get("name", "policy"),
            "success_rate": sum(rates) / len(rates) if rates else None,
            "finished": self.finished,
            "episodes": self.plan.episodes,
            "first_seed": self.plan.first_seed,
            "max_steps": self.plan.max_steps,
            "policy_details": self.policy,
            "tasks": [row.to_json() for row in self.tasks],
        }
