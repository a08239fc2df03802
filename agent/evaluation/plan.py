"""What an evaluation asks for."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from eyehand.agent.evaluation.evaluation_folder import Keep
from eyehand.agent.evaluation.messages import EpisodeJob
from eyehand.agent.results.plan_file import MOST_EPISODES
from eyehand.envs.suites import declared_content, step_limit
from eyehand.errors import UsageError


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
        max_cost_usd: Most US dollars an episode, or None.
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
    max_cost_usd: float | None = None
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
            "max_cost_usd": self.max_cost_usd,
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
