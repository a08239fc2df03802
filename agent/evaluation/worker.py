"""EpisodeRunner: one environment at a time, and the episodes that are run in it, one by one."""

import traceback
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from eyehand.agent.ending import Episode
from eyehand.agent.episode import run_episode
from eyehand.agent.evaluation.evaluation_folder import EvaluationFolder, episode_folder
from eyehand.agent.evaluation.inference import InferenceLost
from eyehand.agent.evaluation.messages import (
    WHAT_TO_DO,
    EpisodeFinished,
    EpisodeJob,
    EpisodeLost,
    WorkerFailed,
    WorkerReady,
    WorkerSetup,
    packed,
    unpacked,
)
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.base import DecisionReply, DecisionRequest, RequestFunction
from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.agent.trajectory.run_folder import RunFolder
from eyehand.envs.env import Environment
from eyehand.envs.temporary import TemporaryFolder
from eyehand.errors import EnvironmentFault, RecordingFailed, UsageError

FAULT_RETRIES = 2
"""How often an episode is tried again after a fault of the environment."""

MOST_SENT_BYTES = 1024 * 1024 * 1024
"""Of a file that is sent from one machine to another."""


class EpisodeRunner:
    """Runs jobs. Its environment stays open while the spec stays the same.

    Args:
        setup: What holds for all jobs.
    """

    def __init__(self, setup: WorkerSetup) -> None:
        self._setup = setup
        self._environment: Environment | None = None
        self._spec: str | None = None

    def run(self, job: EpisodeJob) -> EpisodeFinished:
        """Run an episode until it meets no fault of the environment, at most three times.

        Each try has the same seed and, after a fault, a fresh environment.

        Raises:
            KeyboardInterrupt: a person stopped it.
            RecordingFailed: the disk is full: another try would only fail again.
            UsageError: the environment or the policy cannot be used.
            CheckpointError: the policy's model cannot be used.
        """
        if job.spec != self._spec:
            self.close()
        self._spec = job.spec
        faults = list(job.faults)
        for attempt in range(FAULT_RETRIES + 1):
            try:
                episode = self._attempt(job, attempt)
            except UsageError as error:
                raise type(error)(f"{job.spec}, seed {job.seed}: {error}") from error
            if episode.outcome is Outcome.STOPPED:
                raise KeyboardInterrupt
            if episode.outcome is not Outcome.ENVIRONMENT_FAULT:
                break
            faults.append(episode.message)
            self.close()
        return self._finished(job, episode, faults)

    def close(self) -> None:
        """Close the environment; the next job makes another."""
        environment, self._environment = self._environment, None
        if environment is not None:
            # A browser that has crashed may also fail to close; the next one is a fresh process.
            with suppress(EnvironmentFault):
                environment.close()

    def _attempt(self, job: EpisodeJob, attempt: int) -> Episode:
        setup = self._setup
        if self._environment is None:
            try:
                self._environment = setup.make_environment(job.spec)
            except EnvironmentFault as fault:
                return lost_episode(job.spec, job.seed, f"{type(fault).__name__}: {fault}")
        keeps = setup.out is not None and setup.keep != "none"
        episode = run_episode(
            setup.policies[job.spec],
            self._environment,
            seed=job.seed,
            max_steps=setup.max_steps[job.spec],
            time_limit_s=setup.time_limit_s,
            max_tokens=setup.max_tokens,
            max_cost_usd=setup.max_cost_usd,
            trajectory=episode_folder(setup.out, job.spec, job.seed, attempt)
            if setup.out and keeps
            else None,
        )
        kind, _, message = episode.message.partition(": ")
        if episode.outcome is Outcome.ENVIRONMENT_FAULT and kind == RecordingFailed.__name__:
            raise RecordingFailed(message)
        return episode

    def _finished(self, job: EpisodeJob, episode: Episode, faults: list[str]) -> EpisodeFinished:
        """Settle what stays on disk, before anybody counts the episode."""
        out = self._setup.out
        row = EpisodeResult.of(job.index, job.spec, episode, faults, out)
        files: dict[str, bytes] = {}
        if out is not None and (folder := row.folder) is not None:
            if self._setup.keep == "failures" and row.succeeded:
                RunFolder(out).remove_tree(folder)
                row = row.without_folder()
            elif self._setup.deliver:
                files = _files(RunFolder(out, folder))
                RunFolder(out).remove_tree(folder)
        return EpisodeFinished(row, files)


def lost_episode(spec: str, seed: int, message: str) -> Episode:
    """Return the episode that a fault kept from beginning, or took away."""
    return Episode(
        outcome=Outcome.ENVIRONMENT_FAULT,
        message=message,
        task="",
        unused_task=None,
        spec=spec,
        seed=seed,
        verdict=None,
        reward=0.0,
        seconds=0.0,
        steps=[],
        details={},
        folder=None,
    )


def _files(folder: RunFolder) -> dict[str, bytes]:
    return {name: folder.read(name, MOST_SENT_BYTES) for name in folder.files()}


GONE = (EOFError, BrokenPipeError, ConnectionResetError)
"""What `MessageLink` raises when the other side is gone."""


class MessageLink(Protocol):
    """Carries packed messages; both functions raise one of `GONE` when there is nobody."""

    def send_bytes(self, blob: bytes) -> None:
        """Send a message."""

    def recv_bytes(self) -> bytes:
        """Wait for a message."""


def serve(link: MessageLink, ask: RequestFunction | None = None) -> None:
    """Take the `WorkerSetup` and then job after job, until the other side is gone.

    Args:
        link: To the evaluator.
        ask: Sends a request to where policies decide; None sends it to the evaluator. It may
            raise `InferenceLost`.
    """
    blob = link.recv_bytes()
    try:
        setup: WorkerSetup = unpacked(blob)
    except Exception as error:  # unpickling imports whatever was sent by its name
        said = " ".join(str(error).split())
        unknown = UsageError(f"a worker cannot load what it was sent ({said}); {WHAT_TO_DO}")
        link.send_bytes(packed(WorkerFailed(unknown)))
        return
    with ExitStack() as stack:
        if setup.deliver and setup.out is not None:
            setup = replace(setup, out=stack.enter_context(TemporaryFolder()).path)
        for policy in setup.policies.values():
            policy.connect(ask or _asking(link))
        runner = EpisodeRunner(setup)
        link.send_bytes(packed(WorkerReady()))
        try:
            while True:
                link.send_bytes(packed(_run(runner, setup.out, unpacked(link.recv_bytes()))))
        except GONE:
            return
        finally:
            runner.close()


def _asking(link: MessageLink) -> RequestFunction:
    def ask(request: DecisionRequest) -> DecisionReply:
        link.send_bytes(packed(request))
        reply: DecisionReply = unpacked(link.recv_bytes())
        return reply

    return ask


def _run(
    runner: EpisodeRunner, out: Path | None, job: EpisodeJob
) -> EpisodeFinished | EpisodeLost | WorkerFailed:
    try:
        return runner.run(job)
    except GONE:
        raise
    except InferenceLost as gone:
        # This worker may be the one that runs it again.
        EvaluationFolder(out).clear(job.spec, job.seed)
        return EpisodeLost(str(gone))
    except Exception as error:  # whatever it is, the evaluator raises it
        error.add_note("".join(traceback.format_exception(error)))
        return WorkerFailed(error)
