"""An evaluation's part of a Ray cluster: the same scheduler, with actors for workers.

Every node needs eyehand and what its environments need. Trajectories come back with the episode's
row, so the nodes need no common disk.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from eyehand.agent.evaluation.messages import Reply, WorkerSetup, packed_setup
from eyehand.agent.evaluation.ray.connect import connect, require_ray
from eyehand.agent.evaluation.ray.inference_actor import InferenceSetup
from eyehand.agent.evaluation.ray.inference_pool import HEALTH_INTERVAL_S, InferencePool, sharing
from eyehand.agent.evaluation.ray.workers import RayWorker, WorkerActor
from eyehand.agent.evaluation.scheduler import Worker, WorkerPool
from eyehand.agent.policies.base import Policy


class RayCluster:
    """Joins a cluster, and leaves it in `close`.

    Args:
        address: "auto", "HOST:PORT" or "ray://HOST:PORT".
        engines: How many engines decide, where policies decide elsewhere than in the workers.

    Raises:
        MissingExtra: Ray is not installed.
        ClusterUnreachable: no cluster answers at the address.
        UsageError: it is no address.
    """

    def __init__(self, address: str, engines: int = 1) -> None:
        self._ray = require_ray()
        self._joined = connect(self._ray, address)
        self._count = engines
        self._engines: InferencePool | None = None

    def policies(
        self,
        make_policy: Callable[[str], Policy],
        specs: Sequence[str],
        batch: int,
        conversations: int,
    ) -> dict[str, Policy]:
        """Let engines make the policies, and wait until they have.

        Args:
            make_policy: Returns the policy for a spec; it is sent to the engines.
            specs: The tasks.
            batch: Most requests that a policy gets at once.
            conversations: How many there are at once.

        Returns:
            Spec to the policy for the workers; those that ask find their engine in the cluster.

        Raises:
            UsageError: the cluster is too small, or a policy cannot be made.
            CheckpointError: a node cannot use the policy's model.
            WorkerLost: engines end before they are ready.
        """
        nodes = sum(bool(node["Alive"]) for node in self._ray.nodes())
        share = sharing(conversations, self._count, self._ray.cluster_resources(), nodes)
        setup = InferenceSetup(make_policy, tuple(specs), batch, share, str(Path.cwd()))
        self._engines = InferencePool(self._ray, setup, self._count)
        made = self._engines.made()
        if not made.serves:
            self._close_engines()
        return made.policies

    def worker_pool(self, setup: WorkerSetup) -> WorkerPool:
        """Return what makes the workers."""
        return RayPool(self._ray, setup, self._engines)

    def close(self) -> None:
        """End the engines; leave the cluster, if it was joined here."""
        try:
            self._close_engines()
        finally:
            if self._joined:
                self._joined = False
                self._ray.shutdown()

    def _close_engines(self) -> None:
        engines, self._engines = self._engines, None
        if engines is not None:
            engines.close()


class RayPool:
    """Starts actors, spread over the nodes, one CPU each.

    Args:
        ray: The module; it has joined the cluster.
        setup: What each of them needs to know.
        engines: Who decides for their episodes; None where nobody has to.
    """

    def __init__(
        self, ray: ModuleType, setup: WorkerSetup, engines: InferencePool | None = None
    ) -> None:
        self._ray = ray
        self._setup = packed_setup(setup)
        self._engines = engines
        self._actor: Any = ray.remote(num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD")(
            WorkerActor
        )

    def start(self) -> Worker:
        """Start an actor; it waits for a CPU of the cluster where there is none free."""
        return RayWorker(self._ray, self._actor.remote(), self._setup, self._engines)

    def wait(self, workers: Sequence[Worker]) -> list[tuple[Worker, Reply | None]]:
        """Wait for at least one actor to reply or to end; look after the engines meanwhile."""
        ours = [worker for worker in workers if isinstance(worker, RayWorker)]
        references = [worker.pending for worker in ours]
        ready: list[Any] = []
        while not ready:
            ready, _ = self._ray.wait(references, num_returns=1, timeout=HEALTH_INTERVAL_S)
            if self._engines is not None:
                self._engines.check_health()
        ready, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        return [(worker, worker.receive()) for worker in ours if worker.pending in ready]

    def close(self) -> None:
        """Do nothing: whoever joined the cluster leaves it."""
