"""An engine: an actor that makes the policies on its node and decides there for many episodes."""

import asyncio
import os
import queue
import socket
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from eyehand.agent.evaluation.inference import LocalInferenceServer, SlotRequest
from eyehand.agent.evaluation.messages import (
    UNSENDABLE,
    WorkerFailed,
    packed,
    unpacked,
)
from eyehand.agent.evaluation.ray.connect import first_line
from eyehand.agent.policies.base import DecisionReply, DecisionRequest, Policy
from eyehand.errors import CheckpointError, EyehandError, WorkerLost


@dataclass(frozen=True)
class InferenceSetup:
    """What makes an engine's policies. It travels; the weights are read where the engine is.

    Attributes:
        make_policy: Returns the policy for a spec; it may return the same one each time.
        specs: The tasks.
        batch: Most requests that a policy gets at once.
        conversations: How many share the memory that the engine finds.
        folder: Where relative paths begin, on nodes that have this folder.
    """

    make_policy: Callable[[str], Policy]
    specs: tuple[str, ...]
    batch: int
    conversations: int
    folder: str


@dataclass(frozen=True)
class PoliciesMade:
    """An engine is ready.

    Attributes:
        policies: Spec to what goes to the workers, see `split`.
        serves: Whether any of them asks the engine.
    """

    policies: dict[str, Policy]
    serves: bool


@dataclass(frozen=True)
class ConversationHandle:
    """Where one episode's requests go, from its beginning to its end.

    Attributes:
        engine: Handle of an `InferenceActor`; the conversation lives there.
        number: The conversation's number, never used again.
        spec: The episode's spec.
    """

    engine: Any
    number: int
    spec: str


@dataclass(frozen=True)
class _Waiting:
    number: int
    spec: str
    blob: bytes
    answer: Future[bytes] = field(default_factory=Future)


class InferenceActor:
    """Decides. One thread computes; requests that arrive meanwhile go into its next call.

    Args:
        blob: The packed `InferenceSetup`; the policies are made at once.
    """

    def __init__(self, blob: bytes) -> None:
        self._waiting: queue.SimpleQueue[_Waiting] = queue.SimpleQueue()
        self._lost: set[int] = set()
        self._inference = LocalInferenceServer({})
        self._batch = 1
        self._failure: Exception | None = None
        self._thread = ThreadPoolExecutor(1, "engine")
        self._made = self._thread.submit(self._make, blob)

    async def wait_ready(self) -> None:
        """Show that a node had room for the engine; its policies may still be being made."""

    async def wait_loaded(self) -> bytes:
        """Wait until the policies are made; returns `PoliciesMade`, or `WorkerFailed`, packed."""
        return packed(await asyncio.wrap_future(self._made))

    async def wait_closed(self) -> None:
        """Never return: the call ends, with an error, when the engine does."""
        await asyncio.Event().wait()

    async def decide(self, number: int, spec: str, blob: bytes) -> bytes:
        """Answer a conversation's request.

        Args:
            number: The conversation's.
            spec: Its episode's.
            blob: The packed `DecisionRequest`.

        Returns:
            The packed `DecisionReply`.
        """
        waiting = _Waiting(number, spec, blob)
        self._waiting.put(waiting)
        self._thread.submit(self._answer_batch)
        return await asyncio.wrap_future(waiting.answer)

    async def forget(self, number: int, lost: bool = False) -> None:
        """Drop a conversation, after what it has asked before.

        Args:
            number: The conversation's.
            lost: Its worker ended in the middle of it: a request may still be on its way.
        """
        self._thread.submit(self._forget, number, lost)

    def _make(self, blob: bytes) -> PoliciesMade | WorkerFailed:
        try:
            setup: InferenceSetup = unpacked(blob)
            with suppress(OSError):
                os.chdir(setup.folder)
            policies = {spec: setup.make_policy(spec) for spec in setup.specs}
            for policy in policies.values():
                policy.set_conversations(setup.conversations)
                policy.set_batch_size(setup.batch)
            pairs = {spec: policy.split() for spec, policy in policies.items()}
        except Exception as error:  # whatever it is, the evaluator raises it
            self._failure = _with_node(error)
            return WorkerFailed(self._failure)
        served = {spec: policy for spec, (_, policy) in pairs.items() if policy is not None}
        self._batch, self._inference = setup.batch, LocalInferenceServer(served, setup.batch)
        return PoliciesMade({spec: shipped for spec, (shipped, _) in pairs.items()}, bool(served))

    def _answer_batch(self) -> None:
        """Answer those that wait, at most a batch; it is called as often as requests come."""
        taken: dict[int, _Waiting] = {}
        while len(taken) < self._batch:
            try:
                waiting = self._waiting.get_nowait()
            except queue.Empty:
                break
            if waiting.answer.set_running_or_notify_cancel():
                taken[waiting.number] = waiting
        try:
            if self._failure is not None:
                raise self._failure
            for number, answer in self._inference.answer(self._requests(taken)):
                blob = packed(answer)
                taken.pop(number).answer.set_result(blob)
        except Exception as error:  # whatever it is, the episodes raise it
            error.add_note("".join(traceback.format_exception(error)))
            for waiting in taken.values():
                waiting.answer.set_result(_packed_error(error))

    def _requests(self, taken: dict[int, _Waiting]) -> list[SlotRequest]:
        """Unpack the requests; those of lost episodes are answered to nobody."""
        requests: list[SlotRequest] = []
        for number in tuple(taken):
            if number in self._lost:
                gone = DecisionReply(error=WorkerLost("the episode was given up"))
                taken.pop(number).answer.set_result(packed(gone))
            else:
                request: DecisionRequest = unpacked(taken[number].blob)
                requests.append((number, taken[number].spec, request))
        return requests

    def _forget(self, number: int, lost: bool) -> None:
        self._inference.forget(number)
        if lost:
            self._lost.add(number)


def _packed_error(error: Exception) -> bytes:
    """Pack an error; one that cannot be sent is told in words."""
    try:
        return packed(DecisionReply(error=error))
    except UNSENDABLE:
        return packed(DecisionReply(error=RuntimeError(f"{type(error).__name__}: {error}")))


def _with_node(error: Exception) -> Exception:
    """Return an error of the engine's start so that a person knows on which machine it was."""
    where = f"on node {socket.gethostname()}"
    if isinstance(error, EyehandError):
        return type(error)(f"{error} ({where})")
    # torch's own: one type for CUDA, a plain RuntimeError by its allocator for the CPU.
    full = type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(error)
    if full or isinstance(error, MemoryError):
        return CheckpointError(
            f"the policy needs more memory than is free {where}: {first_line(error)}"
        )
    error.add_note("".join(traceback.format_exception(error)))
    return error
