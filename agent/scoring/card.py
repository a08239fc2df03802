"""The score card: matches added up, by kind and by episode."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from eyehand.agent.results.statistics import Rate
from eyehand.agent.scoring import aitz, calls
from eyehand.agent.scoring.aitz import Clicks
from eyehand.agent.scoring.gestures import gesture_of
from eyehand.agent.scoring.steps import ScoredStep
from eyehand.errors import UsageError


class ScoringRule(StrEnum):
    """By which rule steps are scored."""

    AITZ = "aitz"
    CALLS = "calls"


@dataclass(frozen=True)
class StepScore:
    """One step's marks.

    Attributes:
        step: What was scored.
        kind: The reference's gesture, or the name of its function.
        type_match: The right kind of call.
        exact_match: The right call; implies `type_match`.
    """

    step: ScoredStep
    kind: str
    type_match: bool
    exact_match: bool


@dataclass(frozen=True)
class Marks:
    """Marks of several steps.

    Attributes:
        type_match: Steps with the right kind of call.
        exact_match: Steps with the right call.
    """

    type_match: Rate
    exact_match: Rate

    @classmethod
    def of(cls, scores: Sequence[StepScore]) -> "Marks":
        """Count."""
        return cls(
            Rate(sum(score.type_match for score in scores), len(scores)),
            Rate(sum(score.exact_match for score in scores), len(scores)),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the marks, JSON-ready; intervals are Wilson's, 95%."""
        return {
            "steps": self.type_match.trials,
            "type_match": self.type_match.value,
            "type_match_interval": list(self.type_match.interval),
            "exact_match": self.exact_match.value,
            "exact_match_interval": list(self.exact_match.interval),
        }


@dataclass(frozen=True)
class ScoreCard:
    """What all steps came to.

    Attributes:
        rule: By which rule.
        total: All steps.
        kinds: Marks by the reference's kind, the most frequent first.
        answered: Steps whose answer held a call.
        episodes: Episodes whose every step matches exactly.
        progress: Mean share of an episode's steps before the first one that does not match: AITZ's
            goal progress.
    """

    rule: ScoringRule
    total: Marks
    kinds: dict[str, Marks]
    answered: Rate
    episodes: Rate
    progress: float

    def to_json(self) -> dict[str, Any]:
        """Return the card, JSON-ready."""
        return {
            "rule": self.rule.value,
            "total": self.total.to_json(),
            "kinds": {kind: marks.to_json() for kind, marks in self.kinds.items()},
            "answered": self.answered.value,
            "episodes": self.episodes.trials,
            "episode_success_rate": self.episodes.value,
            "goal_progress": self.progress,
        }


def score(
    steps: Sequence[ScoredStep],
    rule: ScoringRule = ScoringRule.AITZ,
    clicks: Clicks = Clicks.DISTANCE,
) -> ScoreCard:
    """Score steps.

    Args:
        steps: At least one.
        rule: Which calls are the same.
        clicks: When a click is right; for the rule "aitz" only.

    Raises:
        UsageError: there is no step, or a reference does not say what its kind is scored by.
    """
    if not steps:
        raise UsageError("there is no step to score")
    scores = [score_step(step, rule, clicks) for step in steps]
    kinds: dict[str, list[StepScore]] = {}
    for one in scores:
        kinds.setdefault(one.kind, []).append(one)
    episodes = list(_episodes(scores).values())
    return ScoreCard(
        rule=rule,
        total=Marks.of(scores),
        kinds={
            kind: Marks.of(found)
            for kind, found in sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))
        },
        answered=Rate(sum(step.prediction is not None for step in steps), len(steps)),
        episodes=Rate(sum(_progress(episode) == 1 for episode in episodes), len(episodes)),
        progress=sum(map(_progress, episodes)) / len(episodes),
    )


def score_step(
    step: ScoredStep, rule: ScoringRule = ScoringRule.AITZ, clicks: Clicks = Clicks.DISTANCE
) -> StepScore:
    """Score one step.

    Raises:
        UsageError: the reference does not say what its kind is scored by.
    """
    reference, prediction = step.reference, step.prediction
    if rule is ScoringRule.CALLS:
        match = calls.type_match(prediction, reference)
        return StepScore(step, reference.name, match, calls.exact_match(prediction, reference))
    wanted = gesture_of(reference)
    if not wanted.complete:
        raise UsageError(
            f"step {step.step} of episode {step.episode!r} cannot be scored: its reference, "
            f"{reference.name}, says too little ({NEEDED[wanted.kind]})"
        )
    given = gesture_of(prediction) if prediction else None
    return StepScore(
        step,
        wanted.kind,
        aitz.type_match(given, wanted),
        aitz.exact_match(given, wanted, step.boxes, clicks),
    )


NEEDED = {
    "click": 'a click needs "point": [x, y] or "box": [left, top, right, bottom]',
    "scroll": 'a scroll needs "direction", or "start" and "end"',
    "type": 'typing needs "text"',
    "press": 'a press needs "key"',
}
"""What a reference has to say, by gesture."""


def _episodes(scores: Iterable[StepScore]) -> dict[str, list[StepScore]]:
    episodes: dict[str, list[StepScore]] = {}
    for one in sorted(scores, key=lambda one: one.step.step):
        episodes.setdefault(one.step.episode, []).append(one)
    return episodes


def _progress(episode: Sequence[StepScore]) -> float:
    """Return the share of the steps before the first one that does not match exactly."""
    before = next((n for n, one in enumerate(episode) if not one.exact_match), len(episode))
    return before / len(episode)
