"""What an evaluation asks for, and what it counted."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eyehand.agent.episode import DEFAULT_MAX_STEPS, Episode
from eyehand.agent.outcome import Outcome
from eyehand.agent.retention import Keep
from eyehand.agent.statistics import Rate
from eyehand.errors import UsageError

ANSWER_ERRORS = {
    "Unparsable": "unparsable",
    "UnknownAction": "unknown",
    "InvalidArgument": "illegal",
    "OutOfRange": "illegal",
    "StaleScreen": "illegal",
}
"""Error class to the count that it goes into."""


@dataclass(frozen=True)
class Plan:
    """What is evaluated.

    Attributes:
        suite: The suite as the user named it.
        specs: The tasks.
        episodes: Episodes a task.
        first_seed: Seed of episode 0.
        max_steps: Most steps an episode.
        time_limit_s: Most seconds an episode, or None.
        out: Folder of the evaluation; None keeps nothing.
        keep: Which trajectories stay in it.
    """

    suite: str
    specs: list[str]
    episodes: int = 10
    first_seed: int = 1_000_000
    max_steps: int = DEFAULT_MAX_STEPS
    time_limit_s: float | None = None
    out: Path | None = None
    keep: Keep = "all"

    def __post_init__(self) -> None:
        if self.episodes < 1:
            raise UsageError(f"expected at least 1 episode, got {self.episodes}")
        if self.first_seed < 0:
            raise UsageError(f"expected a first seed of at least 0, got {self.first_seed}")

    def seeds(self) -> Iterable[int]:
        """The seeds, one an episode."""
        return range(self.first_seed, self.first_seed + self.episodes)


@dataclass
class TaskResult:
    """The count of one task.

    Attributes:
        task: Its spec.
        outcomes: How many episodes ended how; faults are not among them.
        environment_faults: Faults that were met, retried ones included.
        unscored: Episodes that were lost because every try met a fault.
        answer_errors: Answers without a valid action: unparsable, unknown, illegal.
        steps: Steps of all counted episodes.
        seconds: Seconds of all counted episodes.
        raw_rewards: The environment's raw rewards, where it reports them.
    """

    task: str
    outcomes: Counter[str] = field(default_factory=Counter)
    environment_faults: int = 0
    unscored: int = 0
    answer_errors: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    seconds: float = 0.0
    raw_rewards: list[float] = field(default_factory=list)

    @property
    def rate(self) -> Rate:
        """The success rate: only the environment's own verdict counts."""
        return Rate(self.outcomes[Outcome.SUCCEEDED], self.outcomes.total())

    def add(self, episode: Episode) -> None:
        """Count an episode that met no fault."""
        self.outcomes[episode.outcome.value] += 1
        self.steps += len(episode.steps)
        self.seconds += episode.seconds
        kinds = [ANSWER_ERRORS.get(s.error.type) for s in episode.steps if s.error]
        self.answer_errors.update(kind for kind in kinds if kind)
        if isinstance(reward := episode.details.get("raw_reward"), int | float):
            self.raw_rewards.append(float(reward))

    def to_json(self) -> dict[str, Any]:
        """Return the row, JSON-ready."""
        row: dict[str, Any] = {
            "task": self.task,
            "episodes": self.rate.trials,
            "successes": self.rate.successes,
            "success_rate": self.rate.value,
            "interval": [round(bound, 4) for bound in self.rate.interval],
            "environment_faults": self.environment_faults,
            "unscored": self.unscored,
            "outcomes": dict(self.outcomes),
            "answer_errors": {
                kind: self.answer_errors[kind] for kind in ("unparsable", "unknown", "illegal")
            },
            "mean_steps": round(self.steps / max(1, self.rate.trials), 2),
            "mean_seconds": round(self.seconds / max(1, self.rate.trials), 3),
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
        tasks: A row a task, in the order of the plan.
        finished: False where a person stopped it; the rows so far stand.
    """

    plan: Plan
    policy: dict[str, Any] = field(default_factory=dict)
    tasks: list[TaskResult] = field(default_factory=list)
    finished: bool = True

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
