"""InferencePool: the engines of an evaluation, which episodes each decides for, which are lost."""

import itertools
import time
from types import ModuleType
from typing import Any

from eyehand.agent.evaluation.messages import UNSENDABLE, WorkerFailed, packed, unpacked
from eyehand.agent.evaluation.ray.connect import first_line, lost_errors
from eyehand.agent.evaluation.ray.inference_actor import (
    ConversationHandle,
    InferenceActor,
    InferenceSetup,
    PoliciesMade,
)
from eyehand.agent.evaluation.scheduler import MOST_FALSE_STARTS
from eyehand.errors import UsageError, WorkerLost

ROOM_TIMEOUT_S = 600.0
"""Longest wait for a node with room: a cluster that grows by itself needs minutes for one."""

HEALTH_INTERVAL_S = 5.0


class _Engine:
    """One engine.

    Attributes:
        actor: Its handle.
        placed: Reference that is ready when a node had room for it.
        loaded: Reference to its `PoliciesMade` or `WorkerFailed`.
        ended: Reference that is ready when it has ended.
        episodes: How many are bound to it now.
        assigned: How many ever were.
        requested_s: When it was asked for, on the monotonic clock.
    """

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.placed: Any = actor.wait_ready.remote()
        self.loaded: Any = actor.wait_loaded.remote()
        self.ended: Any = actor.wait_closed.remote()
        self.episodes = 0
        self.assigned = 0
        self.requested_s = time.monotonic()


class InferencePool:
    """Starts engines, one GPU each where the cluster has GPUs, else one CPU each.

    Their places are reserved as long as the evaluation runs: a fresh engine takes the place of one
    that ended, whoever else waits for a CPU.

    Args:
        ray: The module; it has joined the cluster.
        setup: What makes the policies.
        count: How many engines, at least 1.

    Raises:
        UsageError: the cluster is too small, or the setup cannot be sent.
    """

    def __init__(self, ray: ModuleType, setup: InferenceSetup, count: int) -> None:
        self._ray = ray
        self._lost_errors = lost_errors(ray)
        self._blob = _packed_setup(setup)
        self._bundle = _bundle(ray.cluster_resources(), count)
        self._numbers = itertools.count()
        self._engine_of: dict[int, _Engine] = {}
        self._false_starts = 0
        from ray.util.placement_group import placement_group

        self._places: Any = placement_group([self._bundle] * count, strategy="SPREAD")
        self._engines = [self._start() for _ in range(count)]

    def made(self) -> PoliciesMade:
        """Wait until all engines are ready.

        Returns:
            What the first one made; the others made the same.

        Raises:
            WorkerLost: no node has room, or engines end before they are ready, again and again.
            Exception: whatever making the policies raised.
        """
        while True:
            waiting = [engine.loaded for engine in self._engines]
            ready, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=HEALTH_INTERVAL_S)
            self.check_health()
            _check_waiting([e for e in self._engines if not self._is_ready(e.placed)])
            replies = [self._reply(engine) for engine in self._engines if engine.loaded in ready]
            for reply in replies:
                if isinstance(reply, WorkerFailed):
                    raise reply.error
            made = [reply for reply in replies if isinstance(reply, PoliciesMade)]
            if len(made) == len(self._engines):
                return made[0]

    def assign(self, spec: str) -> ConversationHandle:
        """Bind an episode to the engine with the fewest, in turn where several have as few.

        A fresh one gets none while it loads, or waits for room, unless no other is ready.
        """
        self.check_health()
        ready = [engine for engine in self._engines if self._is_ready(engine.loaded)]
        engine = min(ready or self._engines, key=lambda engine: (engine.episodes, engine.assigned))
        engine.episodes, engine.assigned = engine.episodes + 1, engine.assigned + 1
        number = next(self._numbers)
        self._engine_of[number] = engine
        return ConversationHandle(engine.actor, number, spec)

    def release(self, handle: ConversationHandle, lost: bool = False) -> None:
        """Drop an episode's conversation.

        Args:
            handle: What `assign` returned.
            lost: The episode did not end by itself: its worker is gone.
        """
        self._engine_of.pop(handle.number).episodes -= 1
        handle.engine.forget.remote(handle.number, lost)

    def mark_lost(self, handle: ConversationHandle) -> None:
        """Take note that an episode's engine did not answer it: a fresh one takes its place."""
        engine = self._engine_of.pop(handle.number)
        if engine in self._engines:
            self._replace(engine, "it no longer answers")

    def check_health(self) -> None:
        """Start a fresh engine in the place of each that has ended.

        Raises:
            WorkerLost: engines end before they are ready, again and again, or none finds room.
        """
        for engine in tuple(self._engines):
            if self._is_ready(engine.ended):
                self._replace(engine, self._why_ended(engine))
        if not any(self._is_ready(engine.placed) for engine in self._engines):
            # With one that has a place the episodes go on, whatever becomes of the others.
            _check_waiting(self._engines)

    def close(self) -> None:
        """End the engines and give their places back."""
        from ray.util.placement_group import remove_placement_group

        for engine in self._engines:
            self._ray.kill(engine.actor, no_restart=True)
        remove_placement_group(self._places)

    def _start(self) -> _Engine:
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        actor = self._ray.remote(
            num_cpus=self._bundle.get("CPU", 0),
            num_gpus=self._bundle.get("GPU", 0),
            max_restarts=0,
            scheduling_strategy=PlacementGroupSchedulingStrategy(placement_group=self._places),
        )(InferenceActor)
        return _Engine(actor.remote(self._blob))

    def _replace(self, engine: _Engine, why: str) -> None:
        self._false_starts = 0 if self._has_loaded(engine) else self._false_starts + 1
        if self._false_starts >= MOST_FALSE_STARTS:
            raise WorkerLost(f"engines end before they can begin: {why}")
        self._ray.kill(engine.actor, no_restart=True)
        self._engines[self._engines.index(engine)] = self._start()

    def _has_loaded(self, engine: _Engine) -> bool:
        return self._is_ready(engine.loaded) and isinstance(self._reply(engine), PoliciesMade)

    def _reply(self, engine: _Engine) -> PoliciesMade | WorkerFailed | None:
        """Return what a ready engine said; None where it ended before it could."""
        try:
            reply: PoliciesMade | WorkerFailed = unpacked(self._ray.get(engine.loaded))
        except self._lost_errors:
            return None
        return reply

    def _is_ready(self, reference: Any) -> bool:
        return bool(self._ray.wait([reference], timeout=0)[0])

    def _why_ended(self, engine: _Engine) -> str:
        try:
            self._ray.get(engine.ended)
        except self._ray.exceptions.RayError as error:
            return first_line(error)
        return "it ended by itself"


def _packed_setup(setup: InferenceSetup) -> bytes:
    try:
        return packed(setup)
    except UNSENDABLE as error:
        raise UsageError(
            "on a cluster engines make the policy on their nodes, but what makes it cannot be "
            f"sent there: {first_line(error)}"
        ) from error


def _bundle(total: dict[str, float], count: int) -> dict[str, float]:
    """Return what each engine takes of a cluster that has `total`."""
    kind = _kind(total)
    there, needed = int(total.get(kind, 0)), count + (kind == "CPU")
    if there < needed:
        also = " and an environment" if kind == "CPU" else ""
        engines = f"{count} engine{'s' if count > 1 else ''}"
        raise UsageError(
            f"the cluster is too small: {engines}{also} need {needed} {kind}s and it has {there}; "
            "add nodes, or ask for fewer --engines"
        )
    return {kind: 1.0}


def sharing(conversations: int, engines: int, total: dict[str, float], nodes: int) -> int:
    """Return how many conversations share the memory that an engine finds.

    An engine with a GPU has it for itself; others have their machine's memory with their
    neighbours, over as many machines as there are.

    Args:
        conversations: How many there are at once.
        engines: Who decides for them.
        total: What the cluster has.
        nodes: Its machines.
    """
    beside = 1 if _kind(total) == "GPU" else -(-engines // nodes)
    return min(conversations, -(-conversations // engines) * beside)


def _kind(total: dict[str, float]) -> str:
    """Return what an engine takes one of."""
    return "GPU" if total.get("GPU", 0) >= 1 else "CPU"


def _check_waiting(without_room: list[_Engine]) -> None:
    now_s = time.monotonic()
    waited_s = max((now_s - engine.requested_s for engine in without_room), default=0.0)
    if waited_s > ROOM_TIMEOUT_S:
        raise WorkerLost(f"no node of the cluster has had room for an engine for {waited_s:.0f} s")
