"""Stations on a cluster: the workers' messages, carried by actors.

A station asks its episode's engine itself; the evaluator hears only how the episode ended.
"""

import queue
import threading
from types import ModuleType
from typing import Any

from eyehand.agent.evaluation.inference import DeciderGone
from eyehand.agent.evaluation.messages import (
    Answer,
    Ask,
    Failed,
    Job,
    Lost,
    Ready,
    Reply,
    packed,
    unpacked,
)
from eyehand.agent.evaluation.ray.connect import first_line, lost_errors, require_ray
from eyehand.agent.evaluation.ray.inference_actor import Desk
from eyehand.agent.evaluation.ray.inference_pool import Engines
from eyehand.agent.evaluation.worker import GONE, serve
from eyehand.envs.gym.watchdog import end_process_when_stuck
from eyehand.errors import ClusterUnreachable, UsageError

CLOSE_TIMEOUT_S = 15.0


class StationActor:
    """Runs episodes on a node, in a thread of their own: an environment wants to stay on one."""

    def __init__(self) -> None:
        end_process_when_stuck()
        self._inbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._desk: Desk | None = None
        self._thread = threading.Thread(target=self._serve, name="station", daemon=True)
        self._thread.start()

    def advance(self, blob: bytes, desk: Desk | None = None) -> bytes:
        """Take a message and return the reply, however long that takes.

        Args:
            blob: The packed message.
            desk: Where the questions of the episode go that it begins.
        """
        self._desk = desk
        self._inbox.put(blob)
        reply = self._outbox.get()
        if reply is None:
            raise ClusterUnreachable("the station's thread has ended")
        return reply

    def close(self) -> None:
        """Close the environment."""
        self._inbox.put(None)
        self._thread.join(CLOSE_TIMEOUT_S)

    def send_bytes(self, blob: bytes) -> None:
        """Hand a reply to `advance`; called on the station's thread."""
        self._outbox.put(blob)

    def recv_bytes(self) -> bytes:
        """Wait for the next message; called on the station's thread."""
        blob = self._inbox.get()
        if blob is None:
            raise EOFError
        return blob

    def _ask(self, question: Ask) -> Answer:
        """Ask the episode's engine and wait; called on the station's thread."""
        ray, desk = require_ray(), self._desk
        if desk is None:
            raise UsageError("a policy that decides elsewhere needs an engine")
        try:
            blob = ray.get(desk.engine.decide.remote(desk.number, desk.spec, packed(question)))
        except lost_errors(ray) as lost:
            raise DeciderGone(f"the engine ended: {first_line(lost)}") from lost
        answer: Answer = unpacked(blob)
        return answer

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
        actor: Handle of a `StationActor`.
        setup: The packed Setup.
        engines: Who decides for its episodes; None where nobody has to.

    Attributes:
        pending: Reference to the reply that is awaited.
    """

    def __init__(
        self, ray: ModuleType, actor: Any, setup: bytes, engines: Engines | None = None
    ) -> None:
        self._ray = ray
        self._actor = actor
        self._engines = engines
        self._desk: Desk | None = None
        self._why = "the actor ended"
        self._closing: Any = None
        self._heard = False
        self.pending: Any = actor.advance.remote(setup)

    def send(self, message: Job | Answer) -> None:
        """Send a message; one that does not arrive shows as a loss in `receive`."""
        if self._engines is not None and isinstance(message, Job):
            self._desk = self._engines.seat(message.spec)
        self.pending = self._actor.advance.remote(packed(message), self._desk)

    def receive(self) -> Reply | None:
        """Return the reply that has arrived; None where the actor has ended."""
        try:
            reply: Reply = unpacked(self._ray.get(self.pending))
        except lost_errors(self._ray) as lost:
            self._why = f"the actor ended: {first_line(lost)}"
            self._leave(None)
            return None
        except self._ray.exceptions.RayTaskError as error:
            return Failed(error)
        self._heard = True
        self._leave(reply)
        return reply

    def dismiss(self) -> None:
        """Tell the actor to close its environment; one that never began has none."""
        if self._heard and self._closing is None:
            self._closing = self._actor.close.remote()

    def close(self) -> None:
        """Dismiss it and wait until its environment is closed, within a bound."""
        self.dismiss()
        if self._closing is not None:
            self._ray.wait([self._closing], timeout=CLOSE_TIMEOUT_S)
        self.kill()

    def kill(self) -> None:
        """End the actor at once."""
        self._ray.kill(self._actor, no_restart=True)

    def why_lost(self) -> str:
        """Return what Ray says about its end."""
        return self._why

    def _leave(self, reply: Reply | None) -> None:
        """Tell the engine that the episode has ended, or is lost."""
        desk, self._desk = self._desk, None
        if self._engines is None or desk is None or isinstance(reply, Ready):
            return
        if isinstance(reply, Lost):
            self._engines.desert(desk)
        else:
            self._engines.leave(desk, lost=reply is None)
