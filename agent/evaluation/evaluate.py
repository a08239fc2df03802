"""Many episodes, honestly counted.

An episode is fixed by its number in the plan: its task and its seed, `first_seed + i`, the same
for every task. So the rows are the same whoever runs it: this process, several workers, or a
cluster. Only faults of the environment are retried, with the same seed in a fresh environment, and
they are counted apart: a wrong answer never gets a second try, a crash never counts as a wrong
answer.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from eyehand.agent.evaluation.evaluation_folder import EvaluationFolder
from eyehand.agent.evaluation.inference import LocalInferenceServer
from eyehand.agent.evaluation.messages import (
    EpisodeFinished,
    EpisodeJob,
    WorkerSetup,
    require_known_to_workers,
)
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.evaluation.processes import ProcessPool
from eyehand.agent.evaluation.scheduler import Scheduler, WorkerPool
from eyehand.agent.evaluation.store import ResultStore
from eyehand.agent.evaluation.worker import EpisodeRunner
from eyehand.agent.policies.base import Policy
from eyehand.agent.results.ceiling import ceiling_of, written_ceiling
from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.agent.results.episodes_csv import write_csv
from eyehand.agent.results.evaluation_result import EvaluationResult
from eyehand.envs.env import Environment
from eyehand.envs.temporary import sweep
from eyehand.errors import CheckpointError, UsageError
from eyehand.version import __version__

if TYPE_CHECKING:
    from eyehand.agent.evaluation.ray.cluster import RayCluster

MakeEnvironment = Callable[[str], Environment]
MakePolicy = Callable[[str], Policy]


class EvaluationObserver(Protocol):
    """Follows an evaluation: live progress."""

    def begins(self, plan: Plan, rows: list[EpisodeResult]) -> None:
        """The first episode is about to start; `rows` are those of an earlier, interrupted run."""

    def episode_ended(self, row: EpisodeResult) -> None:
        """An episode has ended, or was lost to faults."""


class SilentObserver:
    """Follows nothing."""

    def begins(self, plan: Plan, rows: list[EpisodeResult]) -> None:
        """Do nothing."""

    def episode_ended(self, row: EpisodeResult) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class ComputeConfig:
    """What an evaluation runs on.

    None of it changes the rows, as long as there is memory for the histories of all episodes that
    run at once, or `cache_gb` bounds them.

    Attributes:
        workers: Environments at a time. 1 runs in this process, unless there is a cluster or
            `own_process` asks for another one.
        ray_address: A Ray cluster's address, "auto" or "HOST:PORT"; None stays on this machine.
        engines: How many actors of the cluster decide where the policy is a model; None is 1.
        own_process: Whether one worker runs in a process of its own too: what an environment does
            there (exit, crash, print, hang in compiled code) costs its episode only.
    """

    @property
    def here(self) -> bool:
        """Whether the episodes run in this process."""
        return self.workers == 1 and self.ray_address is None and not self.own_process

    workers: int = 1
    ray_address: str | None = None
    engines: int | None = None
    own_process: bool = False

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"expected at least 1 worker, got {self.workers}")
        if self.engines is not None and self.engines < 1:
            raise UsageError(f"expected at least 1 engine, got {self.engines}")
        if self.engines is not None and self.ray_address is None:
            raise UsageError("engines run on a Ray cluster: --engines needs --ray ADDRESS")


def run_evaluation(
    plan: Plan,
    make_environment: MakeEnvironment,
    make_policy: MakePolicy,
    observer: EvaluationObserver | None = None,
    *,
    compute: ComputeConfig | None = None,
    resume: bool = False,
) -> EvaluationResult:
    """Run a plan.

    Args:
        plan: What to run.
        make_environment: Makes an environment from a spec; called again after a fault. With
            several workers it is sent to them.
        make_policy: Returns the policy for a spec; it may return the same one each time. With a
            cluster it is sent to the engines, which make the policies on their nodes.
        observer: Follows along.
        compute: What to run on; this process alone by default.
        resume: Go on with the interrupted evaluation in `plan.out`: what ended is not run again.

    Returns:
        What it came to; where a person stopped it, what it came to so far.

    Raises:
        UsageError: a spec or a policy cannot be made, or the folder does not fit.
        CheckpointError: a policy's model cannot be used.
        EnvironmentFault: the disk is full, so that nothing more can be kept; or workers cannot
            be started.
    """
    compute = compute or ComputeConfig()
    if plan.out is not None:  # an environment may change the working directory
        plan = replace(plan, out=plan.out.absolute())
    if not compute.here:
        require_known_to_workers(plan.specs)
    with ExitStack() as stack:
        stack.callback(sweep)  # of workers that were killed
        # Before the folder is begun: a wrong address leaves nothing behind.
        cluster = _joined(compute, stack)
        policies = _policies(plan, make_policy, cluster, compute.workers)
        resources = _Resources(make_environment, policies, compute, cluster)
        return _evaluate(plan, resources, observer or SilentObserver(), resume)


@dataclass(frozen=True)
class _Resources:
    """What runs the episodes."""

    make_environment: MakeEnvironment
    policies: dict[str, Policy]
    compute: ComputeConfig
    cluster: "RayCluster | None"


def _joined(compute: ComputeConfig, stack: ExitStack) -> "RayCluster | None":
    if compute.ray_address is None:
        return None
    from eyehand.agent.evaluation.ray.cluster import RayCluster

    return stack.enter_context(closing(RayCluster(compute.ray_address, compute.engines or 1)))


def _policies(
    plan: Plan, make_policy: MakePolicy, cluster: "RayCluster | None", workers: int
) -> dict[str, Policy]:
    """Make all policies first: one that does not exist is better refused before hours of work.

    On a cluster they are made there, unless what makes them says that they decide in the workers.
    """
    at_once = min(workers, len(plan.specs) * plan.episodes)
    if cluster is not None and getattr(make_policy, "placement", "shared") != "worker":
        return cluster.policies(make_policy, plan.specs, plan.batch, at_once)
    policies = {spec: make_policy(spec) for spec in plan.specs}
    for policy in policies.values():
        policy.set_conversations(at_once)
        policy.set_batch_size(plan.batch)
    return policies


def _evaluate(
    plan: Plan, resources: _Resources, observer: EvaluationObserver, resume: bool
) -> EvaluationResult:
    """Run the episodes that have not ended yet; keep what the plan came to."""
    folder = EvaluationFolder(plan.out)
    described = {spec: policy.describe() for spec, policy in resources.policies.items()}
    document = {"eyehand": __version__, **plan.to_json(), "policies": described}
    with ResultStore(plan.out, document, resume) as store:
        jobs = [job for job in plan.jobs() if job.index not in store.rows]
        for job in jobs if resume else ():
            folder.clear(job.spec, job.seed)
        observer.begins(plan, store.in_order())
        try:
            with closing(_run(plan, jobs, resources, folder, store)) as episodes:
                for finished in episodes:
                    folder.deliver(finished.row, finished.files)
                    store.append(finished.row)
                    observer.episode_ended(finished.row)
        except KeyboardInterrupt:
            pass  # what has ended is kept and counted
        except (UsageError, CheckpointError):
            if not store.rows and not resume:
                folder.discard(plan.specs)
            raise
        store.sort()
        ceilings = [{"task": s, **written_ceiling(ceiling_of(s))} for s in plan.specs]
        result = EvaluationResult(plan.out, document | {"tasks": ceilings}, store.in_order())
        folder.save(result.to_json())
        if plan.out is not None:
            write_csv(plan.out, store.in_order())
    return result


def _run(
    plan: Plan,
    jobs: list[EpisodeJob],
    resources: _Resources,
    evaluation_folder: EvaluationFolder,
    store: ResultStore,
) -> Generator[EpisodeFinished, None, None]:
    """Yield the episodes as they end, wherever they run."""
    compute, policies = resources.compute, resources.policies
    setup = WorkerSetup(
        resources.make_environment,
        policies,
        {spec: plan.steps_of(spec) for spec in plan.specs},
        plan.time_limit_s,
        plan.max_tokens,
        plan.max_cost_usd,
        plan.out.absolute() if plan.out else None,
        plan.keep,
    )
    if compute.here:
        yield from _run_here(setup, jobs)
        return
    pairs = {spec: policy.split() for spec, policy in policies.items()}
    setup = replace(setup, policies={spec: shipped for spec, (shipped, _) in pairs.items()})
    inference = LocalInferenceServer(
        {spec: served for spec, (_, served) in pairs.items() if served is not None}, plan.batch
    )
    worker_pool = _pool(setup, resources.cluster, store)
    scheduler = Scheduler(
        worker_pool,
        inference,
        jobs,
        compute.workers,
        lambda job: evaluation_folder.clear(job.spec, job.seed),
    )
    yield from scheduler.run()


def _pool(setup: WorkerSetup, cluster: "RayCluster | None", store: ResultStore) -> WorkerPool:
    if cluster is None:
        return ProcessPool(setup, store.descriptor)
    return cluster.worker_pool(replace(setup, deliver=True))


def _run_here(setup: WorkerSetup, jobs: list[EpisodeJob]) -> Iterator[EpisodeFinished]:
    runner = EpisodeRunner(setup)
    try:
        for job in jobs:
            yield runner.run(job)
    finally:
        runner.close()
