"""The loop: observe, decide, perform, until the task ends. Everything else is around it."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from eyehand.agent.ending import Ending, judge
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.agent.trajectory.recorder import EpisodeRecorder, Step, Watch
from eyehand.agent.trajectory.records import EpisodeRecord, OutcomeRecord, StepRecord, cut_calls
from eyehand.agent.trajectory.run_folder import RunFolder
from eyehand.agent.trajectory.writer import TrajectoryWriter
from eyehand.envs.env import Environment, EpisodeOptions, Observation, Pixels, Video
from eyehand.errors import (
    CheckpointError,
    EnvironmentFault,
    GuardRefusal,
    ModelFeedback,
    RecordingFailed,
    UsageError,
)

DEFAULT_MAX_STEPS = 30


def check_task(environment: Environment, task: str | None) -> None:
    """Say that a task is missing, where that is known before anything starts.

    Raises:
        UsageError: the environment sets no task, and none is given.
    """
    if environment.needs_task and not (task or environment.instruction):
        raise _no_task(environment)


def _no_task(environment: Environment) -> UsageError:
    return UsageError(f"{environment.spec_uri} sets no task by itself: give one")


@dataclass(frozen=True)
class Episode:
    """What became of an episode.

    Attributes:
        outcome: How it ended.
        message: The policy's answer or last word, or the reason of a fault.
        task: What was asked: the environment's own instruction where it has one.
        unused_task: The task that was given although the environment sets its own; else None.
        spec: The environment's URI.
        seed: The environment's seed, or None.
        verdict: The environment's own judgement, or None.
        gives_verdict: Whether there was one to be had; None where that is not known.
        reward: Sum of the rewards.
        seconds: Wall-clock seconds, the reset included.
        steps: The steps' records, in order.
        details: What the environment said at the last step.
        folder: The trajectory's folder, or None.
    """

    outcome: Outcome
    message: str
    task: str
    unused_task: str | None
    spec: str
    seed: int | None
    verdict: bool | None
    reward: float
    seconds: float
    steps: list[StepRecord]
    details: dict[str, Any]
    folder: Path | None
    gives_verdict: bool | None = None

    def summary(self) -> dict[str, Any]:
        """Return the episode without its steps, JSON-ready: what `eyehand run --json` prints."""
        return {
            "outcome": self.outcome.value,
            "message": self.message,
            "task": self.task,
            "unused_task": self.unused_task,
            "spec": self.spec,
            "seed": self.seed,
            "verdict": self.verdict,
            "reward": self.reward,
            "steps": len(self.steps),
            "seconds": round(self.seconds, 3),
            "folder": str(self.folder) if self.folder else None,
        }


def run_episode(
    policy: Policy,
    environment: Environment,
    *,
    task: str | None = None,
    seed: int | None = None,
    max_steps: int | None = None,
    time_limit_s: float | None = None,
    max_tokens: int | None = None,
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
        trajectory: A writer, or the folder to make; None records in memory only.
        uploads: Files that may be uploaded, by the name that the model sees.
        watch: Called with every record as it is made.

    Raises:
        UsageError: no task and no instruction, or an unusable limit or folder.
        CheckpointError: the policy's model cannot be used.
    """
    _require_limits(max_steps, time_limit_s, max_tokens)
    given = trajectory
    writer = TrajectoryWriter(given) if isinstance(given, Path | RunFolder) else given
    recorder = EpisodeRecorder(writer, watch)
    run = _Run(policy, environment, recorder, task, seed, max_steps, time_limit_s, max_tokens)
    try:
        ending = run.play(dict(uploads or {}))
    except KeyboardInterrupt:
        ending = Ending(Outcome.STOPPED, "stopped by a person")
    except GuardRefusal as refusal:
        ending = Ending(Outcome.REFUSED, str(refusal))
    except EnvironmentFault as fault:
        ending = Ending(Outcome.ENVIRONMENT_FAULT, f"{type(fault).__name__}: {fault}")
    except (UsageError, CheckpointError):
        if writer is not None:
            writer.close() if recorder.steps else writer.discard()
        raise
    try:
        return run.close(ending)
    finally:
        if writer is not None:
            writer.close()


class _Run:
    """One episode in progress."""

    def __init__(
        self,
        policy: Policy,
        environment: Environment,
        recorder: EpisodeRecorder,
        task: str | None,
        seed: int | None,
        max_steps: int | None,
        time_limit_s: float | None,
        max_tokens: int | None,
    ) -> None:
        self.policy = policy
        self.environment = environment
        self.recorder = recorder
        self.task = task
        self.seed = seed
        self._max_steps = max_steps
        self.time_limit_s = time_limit_s
        self.max_tokens = max_tokens
        self._tokens = 0
        self._reward_sum = 0.0

    @property
    def max_steps(self) -> int:
        """Most decisions: as asked, else the environment's own limit, else the default."""
        return self._max_steps or self.environment.max_episode_steps or DEFAULT_MAX_STEPS

    def play(self, uploads: dict[str, Path]) -> Ending:
        """Reset, then step until something ends the episode."""
        observation = self._reset(uploads)
        conversation = self._begin()
        most = self.max_steps
        for _ in range(most):
            if limit := self._limit_reached():
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
        counted = step.decision.tokens
        self._tokens += counted.get("prompt", 0) + counted.get("generated", 0)
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
            observation = self._look_again(step.observation, str(feedback))
        finally:
            step.perform_s = time.perf_counter() - began_s
        return _with_not_performed(observation, decision.not_performed)

    def _finite(self, reward: float) -> float:
        """Return a reward that can be counted; any other one is the environment's fault."""
        try:
            total = self._reward_sum + float(reward)
        except (TypeError, ValueError):
            total = math.nan
        if not math.isfinite(total):
            raise EnvironmentFault(f"the reward of a step is {reward!r}, expected a finite number")
        self._reward_sum = total
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

    def _limit_reached(self) -> Ending | None:
        """Return the ending by a limit of seconds or tokens, where one is reached."""
        if self.time_limit_s is not None and self.recorder.seconds >= self.time_limit_s:
            return Ending(Outcome.TIME_LIMIT, f"{self.time_limit_s:g} s have passed")
        if self.max_tokens is not None and self._tokens >= self.max_tokens:
            return Ending(Outcome.TOKEN_LIMIT, f"{self._tokens} tokens were read and written")
        return None

    def _reset(self, uploads: dict[str, Path]) -> Observation:
        writer = self.recorder.trajectory
        limit_s = self.time_limit_s
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
            max_steps=self.max_steps,
            time_limit_s=self.time_limit_s,
            unused_task=self.task if instruction and self.task else None,
            details=details or {},
        )

    def _look_again(self, before: Observation, feedback: str) -> Observation:
        """Observe without acting: the same geometry, the screen as it is now."""
        pixels = self.environment.render()
        height, width = pixels.shape[:2]
        geometry = replace(before.geometry, width_px=width, height_px=height)
        video = _with_newest(before.video, pixels)
        return Observation(pixels, geometry, before.text, feedback, video)

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


def _require_limits(
    max_steps: int | None, time_limit_s: float | None, max_tokens: int | None
) -> None:
    no_step = max_steps is not None and max_steps < 1
    if no_step or (time_limit_s is not None and time_limit_s <= 0):
        raise UsageError("an episode needs max_steps of at least 1 and a time limit above 0 s")
    if max_tokens is not None and max_tokens < 1:
        raise UsageError(f"an episode needs a limit of at least 1 token, got {max_tokens}")


def _with_newest(video: Video | None, pixels: Pixels) -> Video | None:
    """Return a video that ends with the screen as it is now; frames of another size are dropped."""
    if video is None or np.array_equal(video[-1], pixels):
        return video
    earlier = video[1:] if video.shape[1:] == pixels.shape else [pixels] * (len(video) - 1)
    return np.stack([*earlier, pixels])


def _with_not_performed(observation: Observation, calls: tuple[str, ...]) -> Observation:
    """Tell the policy which of its further calls were not performed."""
    if not calls:
        return observation
    note = f"only the first call was performed; not performed: {', '.join(cut_calls(calls))}"
    return replace(observation, feedback="; ".join(filter(None, (observation.feedback, note))))
