"""What the evaluator and its workers say to each other.

The evaluator speaks first, and a worker answers every message with exactly one: `WorkerSetup` with
`WorkerReady`, `EpisodeJob` and `DecisionReply` with `DecisionRequest`, `EpisodeFinished`,
`EpisodeLost` or `WorkerFailed`. The same holds over a pipe and over a cluster, where a worker's
requests go to an inference actor and never to the evaluator.
"""

import io
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]

from eyehand.agent.evaluation.evaluation_folder import Keep
from eyehand.agent.policies.base import DecisionRequest, Policy
from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.envs.registry import Factory
from eyehand.errors import UsageError


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker needs to know once.

    Attributes:
        make_environment: Makes an environment from a spec.
        policies: Spec to the policy that decides in the worker.
        max_steps: Spec to the most steps an episode; None for the environment's own limit.
        time_limit_s: Most seconds an episode, or None.
        max_tokens: Most tokens an episode, or None.
        max_cost_usd: Most US dollars an episode, or None.
        out: The evaluation's folder, or None.
        keep: Which trajectories stay in it.
        deliver: Whether trajectories are sent back, because the disk may be another machine's.
    """

    make_environment: Factory
    policies: dict[str, Policy]
    max_steps: dict[str, int | None]
    time_limit_s: float | None = None
    max_tokens: int | None = None
    max_cost_usd: float | None = None
    out: Path | None = None
    keep: Keep = "all"
    deliver: bool = False


@dataclass(frozen=True)
class EpisodeJob:
    """An episode to run.

    Attributes:
        index: Its number in the plan.
        spec: The environment's URI.
        seed: The environment's seed.
        faults: What earlier tries met, the loss of a worker among them.
    """

    index: int
    spec: str
    seed: int
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class WorkerReady:
    """The worker waits for its first job."""


@dataclass(frozen=True)
class EpisodeFinished:
    """An episode ended.

    Attributes:
        row: What is counted.
        files: The trajectory's files by relative path, where they are sent back.
    """

    row: EpisodeResult
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class EpisodeLost:
    """Who decided for the episode is gone, and the episode with it; the worker is free."""

    why: str


@dataclass(frozen=True)
class WorkerFailed:
    """The worker met what ends the evaluation: wrong usage, a full disk, a defect."""

    error: BaseException


Reply = WorkerReady | DecisionRequest | EpisodeFinished | EpisodeLost | WorkerFailed


UNSENDABLE = (TypeError, AttributeError, pickle.PicklingError)
"""What `packed` raises of a message that holds what cannot be sent: a lock, an open file."""


def packed(message: Any) -> bytes:
    """Return a message as bytes.

    Action types that an environment builds at run time, and functions of a script, exist in no
    module that the other side could import: cloudpickle sends them by value, and a type that
    comes back is the type that was sent.
    """
    blob: bytes = cloudpickle.dumps(message)
    return blob


def unpacked(blob: bytes) -> Any:
    """Return the message; only ever called on bytes of our own processes."""
    return pickle.load(io.BytesIO(blob))


WHAT_TO_DO = (
    "workers are processes of their own: define it at the top of a module, let it open files, "
    "locks and connections when it is called, or run with one worker"
)


def packed_setup(setup: WorkerSetup) -> bytes:
    """Return a setup as bytes.

    Raises:
        UsageError: what makes the environments, or a policy, cannot be sent to another process.
    """
    try:
        return packed(setup)
    except Exception as error:  # pickling runs the code of whatever is pickled
        said = " ".join(str(error).split())
        raise UsageError(
            f"{_culprit(setup)} cannot be sent to workers ({said}); {WHAT_TO_DO}"
        ) from error


def require_known_to_workers(specs: list[str]) -> None:
    """Refuse environments of Gymnasium that no other process can make.

    Raises:
        UsageError: an id is registered by this program alone.
    """
    from eyehand.envs.gym.make import known_here_only

    for spec in specs:
        scheme, _, name = spec.partition(":")
        environment_id = name.partition("?")[0]
        if scheme.lower() == "gym" and known_here_only(environment_id):
            bare = environment_id.rpartition(":")[2]
            raise UsageError(
                f"workers do not know {bare}, which this program registers: register it in a "
                f"module and write gym:MODULE:{bare}, or run with one worker"
            )


def _culprit(setup: WorkerSetup) -> str:
    for spec, policy in setup.policies.items():
        if not _sendable(policy):
            return f"the policy {policy.name!r} of {spec}"
    return "what makes the environments"


def _sendable(value: object) -> bool:
    try:
        cloudpickle.dumps(value)
    except Exception:
        return False
    return True
