"""EvaluationResult: what an evaluation came to, as it ended or as its folder tells.

Progress, tables, comparisons, reports and `evaluation.json` all take their numbers from here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from eyehand.agent.results.ceiling import Ceiling, ceilings_of, mean_ceiling, written_ceiling
from eyehand.agent.results.episode_result import EPISODES_FILE, EpisodeResult
from eyehand.agent.results.folder import EVALUATION_FILE, PLAN_FILE, read_document, read_rows
from eyehand.agent.results.summary import (
    Summary,
    by_spec,
    settled,
    summarize_suite,
    summarize_tasks,
)
from eyehand.agent.trajectory.run_folder import RunFolder
from eyehand.errors import UsageError


@dataclass(frozen=True)
class EvaluationResult:
    """An evaluation, finished or not.

    Attributes:
        folder: Where it lies; None where nothing was kept.
        about: What `plan.json` and `evaluation.json` say: suite, policies, specs, seeds, limits.
        rows: One an episode, by index.
    """

    folder: Path | None
    about: dict[str, Any]
    rows: list[EpisodeResult]

    @property
    def suite(self) -> str:
        """The suite as the user named it."""
        return str(self.about.get("suite") or "evaluation")

    @property
    def policy(self) -> dict[str, Any]:
        """What the policy says of itself."""
        for name in ("policy_details", "policy"):
            if isinstance(self.about.get(name), dict):
                return dict(self.about[name])
        policies = self.about.get("policies")
        if isinstance(policies, dict) and policies:
            return dict(list(policies.values())[-1])
        return {"name": str(self.about.get("policy") or "policy")}

    @property
    def policy_name(self) -> str:
        """The policy's name, and its model where it has one: "model (embedded)"."""
        name, model = str(self.policy.get("name", "policy")), self.policy.get("model")
        return f"{name} ({Path(str(model)).name})" if model else name

    @property
    def seeds(self) -> list[int]:
        """The seeds of the plan, the same for every task; those of the rows without a plan."""
        first, count = self.about.get("first_seed"), self.about.get("episodes")
        if isinstance(first, int) and isinstance(count, int):
            return list(range(first, first + count))
        return sorted({row.seed for row in self.rows})

    @property
    def planned(self) -> int:
        """How many episodes were to be run."""
        specs = self.about.get("specs")
        tasks = len(specs) if isinstance(specs, list) else len(by_spec(self.rows))
        return max(tasks * len(self.seeds), len(self.rows))

    @property
    def finished(self) -> bool:
        """Whether every episode of the plan is there."""
        return len(self.rows) == self.planned

    @cached_property
    def counted(self) -> list[EpisodeResult]:
        """The rows that tables are made of: without those behind a gap (see `settled`)."""
        return self.rows if self.finished else settled(self.rows, self.seeds)

    @cached_property
    def summary(self) -> Summary:
        """What the whole suite came to."""
        return summarize_suite(self.suite, self.counted)

    @cached_property
    def tasks(self) -> list[Summary]:
        """A summary a task."""
        return summarize_tasks(self.counted)

    @cached_property
    def ceilings(self) -> dict[str, Ceiling]:
        """The best success rates that there can be, by spec, where they are known."""
        tasks = self.about.get("tasks")
        written = [task for task in tasks if isinstance(task, dict)] if tasks else []
        return ceilings_of([task.name for task in self.tasks], written)

    @property
    def ceiling(self) -> Ceiling | None:
        """The ceiling of the suite's rate; None unless every task's is known."""
        return mean_ceiling(self.ceilings, [task.name for task in self.tasks])

    def to_json(self) -> dict[str, Any]:
        """Return what `evaluation.json` holds. The rate is the mean over the tasks' rates."""
        return {
            "suite": self.suite,
            "policy": self.policy.get("name", "policy"),
            "success_rate": self.summary.success.value,
            "finished": self.finished,
            "episodes": self.about.get("episodes"),
            "first_seed": self.about.get("first_seed"),
            "max_steps": self.about.get("max_steps"),
            "policy_details": self.policy,
            "tasks": [
                {**task.to_json(), **written_ceiling(self.ceilings.get(task.name))}
                for task in self.tasks
            ],
        }


def is_evaluation(folder: Path) -> bool:
    """Return whether a folder holds an evaluation's rows."""
    return RunFolder(folder).holds(EPISODES_FILE)


def read_run(folder: Path) -> EvaluationResult:
    """Read an evaluation's folder; a partial last line, left by a killed process, is ignored.

    Raises:
        UsageError: there is no evaluation, or a line of it cannot be read.
    """
    about: dict[str, Any] = {}
    for name in (PLAN_FILE, EVALUATION_FILE):
        about |= read_document(folder, name) or {}
    return EvaluationResult(folder, about, _rows(folder))


def read_runs(folders: Sequence[Path]) -> list[EvaluationResult]:
    """Read several evaluations, in order.

    Raises:
        UsageError: one of them cannot be read.
    """
    return [read_run(folder) for folder in folders]


def _rows(folder: Path) -> list[EpisodeResult]:
    if not is_evaluation(folder):
        raise UsageError(
            f"{folder} holds no evaluation: there is no {EPISODES_FILE}; "
            "name a folder that eyehand eval wrote"
        )
    rows, _ = read_rows(folder / EPISODES_FILE)
    # An episode that was written twice counts once: the later line is the one that a resumed
    # evaluation goes on from.
    return sorted({row.index: row for row in rows}.values(), key=lambda row: row.index)
