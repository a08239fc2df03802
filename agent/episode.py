"""The loop: observe, decide, perform, until the task ends. Everything else is around it."""

import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from eyehand.agent.ending import Ending, Episode, judge
from eyehand.agent.limits import EpisodeLimits
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.agent.trajectory.recorder import EpisodeRecorder, Step, Watch
from eyehand.agent.trajectory.records import EpisodeRecord, OutcomeRecord, cut_calls
from eyehand.agent.trajectory.run_folder import RunFolder
from eyehand.agent.trajectory.writer import TrajectoryWriter
from eyehand.envs.env import Environment, EpisodeOptions, Observation
from eyehand.errors import (
    CheckpointError,
    EnvironmentFault,
    GuardRefusal,
    ModelFeedback,
    RecordingFailed,
    UsageError,
)


def run_episode(
    policy: Policy,
    environment: Environment,
    *,
    task: str | None = None,
    seed: int | None = None,
    max_steps: int | None = None,
    time_limit_s: float | None = None,
    max_tokens: int | None = None,
    max_cost_usd: float | None = None,
    trajectory: TrajectoryWriter | Path | RunFolder | None = None,
    uploads: Mapping[str, Path] | None = None,
    watch: Watch | None = None,
) -> Episode:
    """Run one episode to its end and return what became of it.

    Limits, faults of the environment and Ctrl-C are outcomes, not exceptions. What is the
    caller's mistake, or a broken checkpoint, is raised.

    Args:
        policy: Who decides.
        environment: Where; it is reset here, and stays open.
        task: What to do; not needed where the environment has its own instruction.
        seed: Fixes the environment's episode, where it is seeded, and the policy's randomness.
        max_steps: Most decisions, at least 1; an answer without a valid action counts too. None
            is the environment's own limit, 30 where it sets none.
        time_limit_s: Most seconds; looked at before each decision. A call of a Gymnasium
            environment that is under way then has 5 s more; then it is a fault.
        max_tokens: Most tokens that the policy reads anew and writes, as its decisions' "prompt"
            and "generated" count them; looked at before each decision.
        max_cost_usd: Most US dollars, as its decisions' `COST` counts them; likewise.
        trajectory: A writer, or the folder to make; None records in memory only.
        uploads: Files that may be uploaded, by the name that the model sees.
        watch: Called with every record as it is made.

    Raises:
        UsageError: no task and no instruction, or an unusable limit or folder.
        CheckpointError: the policy's model cannot be used.
    """
    limits = EpisodeLimits(max_steps, time_limit_s, max_tokens, max_cost_usd)
    given = trajectory
    writer = TrajectoryWriter(given) if isinstance(given, Path | RunFolder) else given
    recorder = EpisodeRecorder(writer, watch)
    run = _Run(policy, environment, recorder, limits, task, seed)
    try:
        ending = run.ending(dict(uploads or {}))
    except (UsageError, CheckpointError):
        if writer is not None:
            writer.close() if recorder.steps else writer.discard()
        raise
    try:
        return run.close(ending)
    finally:
        if writer is not None:
            writer.close()


@dataclass
class _Run:
    """One episode in progress; `counted` and `reward` are the sums so far."""

    policy: Policy
    environment: Environment
    recorder: EpisodeRecorder
    limits: EpisodeLimits
    task: str | None
    seed: int | None
    counted: Counter[str] = field(default_factory=Counter)
    reward: float = 0.0

    def ending(self, uploads: dict[str, Path]) -> Ending:
        """Play, and return what ended it: a person, the guard and a fault are endings too."""
        try:
            return self.play(uploads)
        except KeyboardInterrupt:
            return Ending(Outcome.STOPPED, "stopped by a person")
        except GuardRefusal as refusal:
            return Ending(Outcome.REFUSED, str(refusal))
        except EnvironmentFault as fault:
            return Ending(Outcome.ENVIRONMENT_FAULT, f"{type(fault).__name__}: {fault}")

    def play(self, uploads: dict[str, Path]) -> Ending:
        """Reset, then step until something ends the episode."""
        observation = self._reset(uploads)
        conversation = self._begin()
        most = self.limits.steps_in(self.environment)
        for _ in range(most):
            if limit := self.limits.reached(self.recorder.seconds, self.counted):
                return limit
            with self.recorder.step(observation) as step:
                observation = self.perform(step, self.decide(step, conversation))
            self.recorder.saw(observation)
            if ending := judge(
                step.decision.action if step.decision and not step.refusal else None,
                step.info.get("verdict"),
                step.terminated,
                step.truncated,
            ):
                note = str(step.info.get("details", {}).get("verdict_note", ""))
                return replace(ending, message=ending.message or note)
        return Ending(Outcome.STEP_LIMIT, f"{most} steps were taken")

    def decide(self, step: Step, conversation: Conversation) -> Decision:
        """Let the policy look and decide."""
        began_s = time.perf_counter()
        step.decision = conversation.decide(step.observation)
        step.decide_s = time.perf_counter() - began_s
        self.counted.update(step.decision.tokens)
        return step.decision

    def perform(self, step: Step, decision: Decision) -> Observation:
        """Perform the decision; one without a valid action leaves the environment untouched."""
        began_s = time.perf_counter()
        try:
            if decision.action is None:
                raise decision.error or ModelFeedback("the answer held no action")
            observation, reward, step.terminated, step.truncated, step.info = self.environment.step(
                decision.action
            )
            step.reward = self._finite(reward)
        except ModelFeedback as feedback:
            step.refusal = feedback
            now = self.environment.render()
            observation = step.observation.with_pixels(now, str(feedback))
        finally:
            step.perform_s = time.perf_counter() - began_s
        return _with_not_performed(observation, decision.not_performed)

    def _finite(self, reward: float) -> float:
        """Return a reward that can be counted; any other one is the environment's fault."""
        try:
            total = self.reward + float(reward)
        except (TypeError, ValueError):
            total = math.nan
        if not math.isfinite(total):
            raise EnvironmentFault(f"the reward of a step is {reward!r}, expected a finite number")
        self.reward = total
        return float(reward)

    def close(self, ending: Ending) -> Episode:
        """Write the outcome. A disk that is full by now turns it into a fault."""
        recorder = self.recorder
        try:
            if recorder.episode is None:
                self._write_first_line()
            outcome = recorder.end(ending)
        except RecordingFailed as full:
            recorder.trajectory, folder = None, recorder.trajectory
            if ending.outcome is not Outcome.ENVIRONMENT_FAULT:
                ending = Ending(Outcome.ENVIRONMENT_FAULT, f"{type(full).__name__}: {full}")
            outcome = recorder.end(ending)
            recorder.trajectory = folder
        return self._episode(outcome, recorder.episode)

    def _reset(self, uploads: dict[str, Path]) -> Observation:
        writer = self.recorder.trajectory
        limit_s = self.limits.time_limit_s
        options = EpisodeOptions(
            folder=writer.folder if writer else None,
            uploads=uploads,
            deadline_s=None if limit_s is None else self.recorder.deadline_s(limit_s),
        )
        self.policy.bind(self.environment, self.seed)
        observation, info = self.environment.reset(seed=self.seed, options=options.as_options())
        self.recorder.saw(observation)
        self._write_first_line(dict(info.get("details", {})))
        return observation

    def _begin(self) -> Conversation:
        """Start the policy's conversation on the task that holds."""
        task = self.environment.instruction or self.task
        if not task:
            raise _no_task(self.environment)
        return self.policy.start(task, self.environment.action_space, self.seed)

    def _write_first_line(self, details: dict[str, Any] | None = None) -> None:
        instruction = self.environment.instruction
        self.recorder.begin(
            self.policy,
            self.environment,
            task=instruction or self.task or "",
            seed=self.seed,
            max_steps=self.limits.steps_in(self.environment),
            time_limit_s=self.limits.time_limit_s,
            unused_task=self.task if instruction and self.task else None,
            details=details or {},
        )

    def _episode(self, outcome: OutcomeRecord, first: EpisodeRecord | None) -> Episode:
        writer = self.recorder.trajectory
        return Episode(
            outcome=outcome.outcome,
            message=outcome.message,
            task=first.task if first else self.task or "",
            unused_task=first.unused_task if first else None,
            spec=self.environment.spec_uri,
            seed=self.seed,
            verdict=outcome.verdict,
            reward=outcome.reward,
            seconds=outcome.seconds,
            steps=self.recorder.steps,
            details=outcome.details,
            folder=writer.folder if writer else None,
            gives_verdict=self.environment.gives_verdict,
        )


def check_task(environment: Environment, task: str | None) -> None:
    """Say that a task is missing, where that is known before anything starts.

    Raises:
        UsageError: the environment sets no task, and none is given.
    """
    if environment.needs_task and not (task or environment.instruction):
        raise _no_task(environment)


def _no_task(environment: Environment) -> UsageError:
    return UsageError(f"{environment.spec_uri} sets no task by itself: give one")


def _with_not_performed(observation: Observation, calls: tuple[str, ...]) -> Observation:
    """Tell the policy which of its further calls were not performed."""
    if not calls:
        return observation
    note = f"only the first call was performed; not performed: {', '.join(cut_calls(calls))}"
    return replace(observation, feedback="; ".join(filter(None, (observation.feedback, note))))
