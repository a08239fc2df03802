"""EpisodeResult: what is kept of an episode for counting, one JSON line each.

`episodes.jsonl` in an evaluation's folder holds one row an episode. Tables, intervals, comparisons
and the resumption of an interrupted evaluation read nothing else.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from eyehand.agent.ending import Episode
from eyehand.agent.outcome import Outcome
from eyehand.agent.trajectory.records import (
    LONGEST_SAID,
    Count,
    Counts,
    Seconds,
    StepRecord,
    Timings,
    cut,
    first_fault,
)
from eyehand.errors import UsageError

EPISODES_FILE = "episodes.jsonl"

ANSWER_ERRORS = {
    "Unparsable": "unparsable",
    "UnknownAction": "unknown",
    "InvalidArgument": "illegal",
    "OutOfRange": "out_of_range",
    "StaleScreen": "stale_screen",
}
"""Error class to the kind of a row's `answer_errors`."""

LONGEST_TEXT = 5_000
"""Characters of an instruction, and of the policy's last word, in a row."""

LARGEST_REWARD = 1e100
"""A larger one could not be squared, as statistics do."""

RUNNING_COUNTS = ("history", "restarts")
"""Token counts that already run over the whole episode: the last step's is the episode's."""


@dataclass(frozen=True)
class EpisodeResult:
    """One episode of an evaluation, JSON-ready.

    Attributes:
        index: Number of the episode in the plan, from 0; it fixes the spec and the seed.
        spec: The environment's URI.
        seed: The environment's seed.
        task: The instruction that held; empty where a fault came before it was known.
        outcome: A value of `Outcome`; "environment_fault" only where every try met one.
        verdict: The environment's own judgement, or None.
        gives_verdict: Whether there was one to be had; None where that is not known.
        reward: Sum of the rewards.
        raw_reward: The environment's raw reward, where it reports one.
        steps: Decisions that were taken.
        answer_errors: Answers without a valid action, by kind: "unparsable", "unknown", "illegal",
            "out_of_range", "stale_screen"; kinds that did not occur are left out.
        tokens: Token counts, summed over the steps ("history" and "restarts": the last ones), and
            "cut_characters": what was left out of texts that the context has no room for.
        timings_s: Seconds by part, summed over the steps: "decide", "perform", "record", and their
            own parts as "policy.prefill" or "environment.settle".
        seconds: Wall-clock seconds of the episode, its reset included; failed tries are not.
        attempts: Tries, 1 where no fault was met.
        faults: The faults that were met, "BrowserCrashed: ...", one a failed try.
        folder: The trajectory's folder, relative to the evaluation's; None where none is kept.
        message: The policy's last word, or the reason of a fault.
    """

    index: Count
    spec: str
    seed: Annotated[int, Field(ge=-(2**63), lt=2**64)]
    task: str
    outcome: str
    verdict: bool | None = None
    reward: float = 0.0
    raw_reward: float | None = None
    steps: Annotated[int, Field(ge=0, le=10**9)] = 0
    answer_errors: Counts = field(default_factory=dict)
    tokens: Counts = field(default_factory=dict)
    timings_s: Timings = field(default_factory=dict)
    seconds: Seconds = 0.0
    attempts: Count = 1
    faults: Annotated[list[str], Field(max_length=1000, fail_fast=True)] = field(
        default_factory=list
    )
    folder: str | None = None
    message: str = ""
    gives_verdict: bool | None = None

    @property
    def scored(self) -> bool:
        """Whether the episode counts: it was not lost to faults."""
        return self.outcome != Outcome.ENVIRONMENT_FAULT

    @property
    def succeeded(self) -> bool:
        """Whether the environment's own verdict is that the task is solved."""
        return self.outcome == Outcome.SUCCEEDED

    @property
    def judged(self) -> bool | None:
        """Whether there was a verdict to be had; None where the episode does not tell."""
        if self.verdict is not None or self.outcome in (Outcome.SUCCEEDED, Outcome.FAILED):
            return True
        if self.gives_verdict is not None:
            return self.gives_verdict
        return False if self.outcome in (Outcome.ENDED, Outcome.CLAIMED) else None

    def to_json(self) -> dict[str, Any]:
        """Return the row, JSON-ready."""
        return asdict(self)

    def without_folder(self) -> "EpisodeResult":
        """Return the row of an episode whose trajectory was not kept."""
        return replace(self, folder=None)

    @classmethod
    def from_json(cls, data: Any) -> "EpisodeResult":
        """Read a row; fields that a later version added are passed over.

        Raises:
            UsageError: it is no row, or its outcome is unknown.
        """
        if not isinstance(data, dict):
            raise UsageError("expected an episode's row: a mapping of its fields")
        try:
            row = _ROW.validate_python(data)
            Outcome(row.outcome)
        except ValidationError as error:
            raise UsageError(f"expected an episode's row: {first_fault(error)}") from None
        except ValueError as error:
            raise UsageError(f"expected an episode's row: {error}") from None
        return row if abs(row.reward) <= LARGEST_REWARD else row._lost_to_its_reward()

    def _lost_to_its_reward(self) -> "EpisodeResult":
        """Return a row of an earlier version, whose reward is no number, as one lost to a fault."""
        why = f"EnvironmentFault: the rewards add up to {self.reward}"
        return replace(
            self,
            outcome=Outcome.ENVIRONMENT_FAULT.value,
            verdict=None,
            reward=0.0,
            faults=[*self.faults, why],
            message=why,
        )

    @classmethod
    def of(
        cls,
        index: int,
        spec: str,
        episode: Episode,
        faults: Iterable[str] = (),
        out: Path | None = None,
    ) -> "EpisodeResult":
        """Count an episode.

        Args:
            index: Its number in the plan.
            spec: The environment as the plan names it.
            episode: Its last try.
            faults: What the failed tries met.
            out: The evaluation's folder, which the trajectory's path is relative to.
        """
        met = [cut(fault, LONGEST_SAID) for fault in faults]
        raw = episode.details.get("raw_reward")
        lost = episode.outcome is Outcome.ENVIRONMENT_FAULT
        return cls(
            index=index,
            spec=spec,
            seed=episode.seed or 0,
            task=cut(episode.task, LONGEST_TEXT),
            outcome=episode.outcome.value,
            verdict=episode.verdict,
            reward=float(episode.reward),
            raw_reward=float(raw) if isinstance(raw, int | float) else None,
            steps=len(episode.steps),
            answer_errors=_answer_errors(episode.steps),
            tokens=_tokens(episode.steps),
            timings_s=_timings_s(episode.steps),
            seconds=round(episode.seconds, 4),
            attempts=len(met) if lost else len(met) + 1,
            faults=met,
            folder=_relative(episode.folder, out),
            message=cut(episode.message, LONGEST_TEXT),
            gives_verdict=episode.gives_verdict,
        )


_ROW = TypeAdapter(EpisodeResult)


def _answer_errors(steps: list[StepRecord]) -> dict[str, int]:
    kinds = (ANSWER_ERRORS.get(step.error.type) for step in steps if step.error)
    return dict(sorted(Counter(kind for kind in kinds if kind).items()))


def _tokens(steps: list[StepRecord]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for step in steps:
        for name, count in step.tokens.items():
            counts[name] = count if name in RUNNING_COUNTS else counts[name] + count
    return dict(counts)


def _timings_s(steps: list[StepRecord]) -> dict[str, float]:
    sums: Counter[str] = Counter()
    for step in steps:
        for prefix, parts in (
            ("", step.timings_s),
            ("policy.", step.policy_timings_s),
            ("environment.", step.environment_timings_s),
        ):
            for part, seconds in parts.items():
                sums[prefix + part] += seconds  # type: ignore[assignment]
    return {part: round(seconds, 4) for part, seconds in sums.items()}


def _relative(folder: Path | None, out: Path | None) -> str | None:
    if folder is None:
        return None
    return folder.relative_to(out).as_posix() if out else str(folder)
