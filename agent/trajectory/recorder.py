"""Turns what happens in an episode into records, for the disk and for whoever watches."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from eyehand.agent.ending import Ending
from eyehand.agent.policies.base import Decision, Policy
from eyehand.agent.trajectory.json_text import json_ready
from eyehand.agent.trajectory.records import (
    ActionRecord,
    ActionTypeRecord,
    AnyRecord,
    EpisodeRecord,
    ErrorRecord,
    OutcomeRecord,
    ScreenRecord,
    StepRecord,
    cut,
    cut_calls,
)
from eyehand.agent.trajectory.writer import TrajectoryWriter, screen_record
from eyehand.envs.env import Environment, Observation, StepInfo
from eyehand.errors import ModelFeedback, RecordingFailed
from eyehand.version import __version__

Watch = Callable[[AnyRecord], None]
"""Receives every record as it is made: live progress, a user's own logging."""


@dataclass
class Step:
    """One step while it happens; the parts are filled in as they become known."""

    observation: Observation
    decision: Decision | None = None
    refusal: ModelFeedback | None = None
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    info: StepInfo = field(default_factory=lambda: StepInfo())
    decide_s: float = 0.0
    perform_s: float = 0.0


class EpisodeRecorder:
    """Makes the records of one episode.

    Args:
        trajectory: Where they are written; None keeps them in memory only.
        watch: Called with every record.
    """

    def __init__(self, trajectory: TrajectoryWriter | None, watch: Watch | None) -> None:
        self.trajectory = trajectory
        self.episode: EpisodeRecord | None = None
        self.steps: list[StepRecord] = []
        self.outcome: OutcomeRecord | None = None
        self._watch = watch
        self._started_at_s = time.perf_counter()
        self._latest: Observation | None = None

    @property
    def seconds(self) -> float:
        """Seconds since the episode began, its reset included."""
        return time.perf_counter() - self._started_at_s

    def deadline_s(self, limit_s: float) -> float:
        """Return when so many seconds will have passed, on the clock of `time.monotonic`."""
        return time.monotonic() + limit_s - self.seconds

    def begin(
        self,
        policy: Policy,
        environment: Environment,
        *,
        task: str,
        seed: int | None,
        max_steps: int,
        time_limit_s: float | None,
        unused_task: str | None,
        details: dict[str, Any],
    ) -> None:
        """Write the first line."""
        space = getattr(environment, "action_space", None)
        self.episode = EpisodeRecord(
            eyehand=__version__,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            task=cut(task),
            spec=environment.spec_uri,
            seed=seed,
            policy=policy.describe(),
            actions=[ActionTypeRecord.of(kind) for kind in space.types] if space else [],
            max_steps=max_steps,
            time_limit_s=time_limit_s,
            unused_task=None if unused_task is None else cut(unused_task),
            details=details,
        )
        self._emit(self.episode)

    @contextmanager
    def step(self, observation: Observation) -> Iterator[Step]:
        """Record the step that happens inside, also when it ends in an exception.

        Args:
            observation: What the decision is made on.
        """
        began_s = time.perf_counter()
        screen = self._screen(observation)
        record_s = time.perf_counter() - began_s
        step, fault = Step(observation), None
        try:
            yield step
        except BaseException as error:
            fault = error
            raise
        finally:
            # Without a decision nothing happened that a line could tell; the screen is kept.
            if step.decision is not None:
                self._emit_step(step, step.decision, screen, record_s, fault)

    def end(self, ending: Ending) -> OutcomeRecord:
        """Write the last line. A disk that refuses it keeps the lines before it readable."""
        seconds = self.seconds
        screen = None
        try:
            if self._latest is not None:
                screen = self._screen(self._latest)
        except RecordingFailed:
            screen = None
        self.outcome = OutcomeRecord(
            outcome=ending.outcome,
            message=cut(ending.message),
            verdict=ending.verdict,
            steps=len(self.steps),
            seconds=round(seconds, 4),
            reward=sum(step.reward for step in self.steps),
            screen=screen,
            details=self.steps[-1].details if self.steps else {},
        )
        self._emit(self.outcome)
        return self.outcome

    def saw(self, observation: Observation) -> None:
        """Remember the newest screen: the outcome's line shows it."""
        self._latest = observation

    def _screen(self, observation: Observation) -> ScreenRecord:
        if self.trajectory is None:
            return screen_record(observation, None)
        return self.trajectory.screen(len(self.steps), observation)

    def _emit_step(
        self,
        step: Step,
        decision: Decision,
        screen: ScreenRecord,
        record_s: float,
        fault: BaseException | None,
    ) -> None:
        error = fault or decision.error or step.refusal
        timings_s = {"record": record_s, "decide": step.decide_s, "perform": step.perform_s}
        record = StepRecord(
            index=len(self.steps),
            screen=screen,
            text=cut(step.observation.text),
            feedback=cut(step.observation.feedback),
            thought=cut(decision.thought),
            raw_text=cut(decision.raw_text),
            action=ActionRecord.of(decision.action) if decision.action else None,
            error=ErrorRecord.of(error) if error else None,
            not_performed=cut_calls(decision.not_performed),
            effect=cut(step.info.get("effect", "")),
            reward=float(step.reward),
            terminated=step.terminated,
            truncated=step.truncated,
            verdict=step.info.get("verdict"),
            timings_s=_rounded(timings_s),
            policy_timings_s=_rounded(decision.timings_s),
            environment_timings_s=_rounded(step.info.get("timings_s", {})),
            tokens=dict(decision.tokens),
            details=json_ready({**decision.details, **step.info.get("details", {})}),
        )
        self.steps.append(record)
        self._emit(record)

    def _emit(self, record: AnyRecord) -> None:
        if self.trajectory is not None:
            self.trajectory.write(record)
        if self._watch is not None:
            self._watch(record)


def _rounded(timings_s: dict[str, float]) -> dict[str, float]:
    """Tenths of a millisecond are as fine as a record needs."""
    return {name: round(float(value), 4) for name, value in timings_s.items()}
