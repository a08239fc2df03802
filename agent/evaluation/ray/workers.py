"""Workers on a cluster: actors that carry the same messages.

A worker sends its requests to its episode's engine; the evaluator learns how the episode ended.
"""

import queue
import threading
from types import ModuleType
from typing import Any

from eyehand.agent.evaluation.inference import InferenceLost
from eyehand.agent.evaluation.messages import (
    EpisodeJob,
    EpisodeLost,
    Reply,
    WorkerFailed,
    WorkerReady,
    packed,
    unpacked,
)
from eyehand.agent.evaluation.ray.connect import first_line, lost_errors, require_ray
from eyehand.agent.evaluation.ray.inference_actor import ConversationHandle
from eyehand.agent.evaluation.ray.inference_pool import InferencePool
from eyehand.agent.evaluation.worker import GONE, serve
from eyehand.agent.policies.base import DecisionReply, DecisionRequest
from eyehand.envs.gym.watchdog import end_process_when_stuck
from eyehand.errors import ClusterUnreachable, UsageError

CLOSE_TIMEOUT_S = 15.0


class WorkerActor:
    """Runs episodes on a node, in a thread of their own: an environment wants to stay on one."""

    def __init__(self) -> None:
        end_process_when_stuck()
        self._inbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._handle: ConversationHandle | None = None
        self._thread = threading.Thread(target=self._serve, name="runner", daemon=True)
        self._thread.start()

    def advance(self, blob: bytes, handle: ConversationHandle | None = None) -> bytes:
        """Take a message and return the reply, however long that takes.

        Args:
            blob: The packed message.
            handle: Where the requests of the episode go that it begins.
        """
        self._handle = handle
        self._inbox.put(blob)
        reply = self._outbox.get()
        if reply is None:
            raise ClusterUnreachable("the runner's thread has ended")
        return reply

    def close(self) -> None:
        """Close the environment."""
        self._inbox.put(None)
        self._thread.join(CLOSE_TIMEOUT_S)

    def send_bytes(self, blob: bytes) -> None:
        """Hand a reply to `advance`; called on the runner's thread."""
        self._outbox.put(blob)

    def recv_bytes(self) -> bytes:
        """Wait for the next message; called on the runner's thread."""
        blob = self._inbox.get()
        if blob is None:
            raise EOFError
        return blob

    def _ask(self, request: DecisionRequest) -> DecisionReply:
        """Ask the episode's engine and wait; called on the runner's thread."""
        ray, handle = require_ray(), self._handle
        if handle is None:
            raise UsageError("a policy that decides elsewhere needs an engine")
        try:
            blob = ray.get(handle.engine.decide.remote(handle.number, handle.spec, packed(request)))
        except lost_errors(ray) as lost:
            raise InferenceLost(f"the engine ended: {first_line(lost)}") from lost
        reply: DecisionReply = unpacked(blob)
        return reply

    def _serve(self) -> None:
        try:
            serve(self, self._ask)
        except GONE:
            pass
        finally:
            self._outbox.put(None)


class RayWorker:
    """One actor.

    Args:
        ray: The module.
        actor: Handle of a `WorkerActor`.
        setup: The packed `WorkerSetup`.
        engines: Who decides for its episodes; None where nobody has to.

    Attributes:
        pending: Reference to the reply that is awaited.
    """

    def __init__(
        self, ray: ModuleType, actor: Any, setup: bytes, engines: InferencePool | None = None
    ) -> None:
        self._ray = ray
        self._actor = actor
        self._engines = engines
        self._handle: ConversationHandle | None = None
        self._why = "the actor ended"
        self._closing: Any = None
        self._replied = False
        self.pending: Any = actor.advance.remote(setup)

    def send(self, message: EpisodeJob | DecisionReply) -> None:
        """Send a message; one that does not arrive shows as a loss in `receive`."""
        if self._engines is not None and isinstance(message, EpisodeJob):
            self._handle = self._engines.assign(message.spec)
        self.pending = self._actor.advance.remote(packed(message), self._handle)

    def receive(self) -> Reply | None:
        """Return the reply that has arrived; None where the actor has ended."""
        try:
            reply: Reply = unpacked(self._ray.get(self.pending))
        except lost_errors(self._ray) as lost:
            self._why = f"the actor ended: {first_line(lost)}"
            self._release(None)
            return None
        except self._ray.exceptions.RayTaskError as error:
            return WorkerFailed(error)
        self._replied = True
        self._release(reply)
        return reply

    def stop(self) -> None:
        """Tell the actor to close its environment; one that never began has none."""
        if self._replied and self._closing is None:
            self._closing = self._actor.close.remote()

    def close(self) -> None:
        """Stop it and wait until its environment is closed, within a bound."""
        self.stop()
        if self._closing is not None:
            self._ray.wait([self._closing], timeout=CLOSE_TIMEOUT_S)
        self.kill()

    def kill(self) -> None:
        """End the actor at once."""
        self._ray.kill(self._actor, no_restart=True)

    def why_lost(self) -> str:
        """Return what Ray says about its end."""
        return self._why

    def _release(self, reply: Reply | None) -> None:
        """Tell the engine that the episode has ended, or is lost."""
        handle, self._handle = self._handle, None
        if self._engines is None or handle is None or isinstance(reply, WorkerReady):
            return
        if isinstance(reply, EpisodeLost):
            self._engines.mark_lost(handle)
        else:
            self._engines.release(handle, lost=reply is None)
