"""Workers on a Ray cluster: the same scheduler and the same messages, carried by actors.

Every node needs eyehand and what its environments need. Trajectories come back with the episode's
row, so the nodes need no common disk.
"""

import queue
import socket
import threading
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from eyehand.agent.workers.messages import Answer, Failed, Job, Reply, Setup, packed, unpacked
from eyehand.agent.workers.scheduler import Worker
from eyehand.agent.workers.serve import GONE, serve
from eyehand.errors import ClusterUnreachable, MissingExtra, UsageError

CONNECT_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 15.0
CLIENT = "ray://"


class StationActor:
    """Runs episodes on a node, in a thread of their own: an environment wants to stay on one."""

    def __init__(self) -> None:
        self._inbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="station", daemon=True)
        self._thread.start()

    def advance(self, blob: bytes) -> bytes:
        """Take a message and return the reply, however long that takes."""
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

    def _serve(self) -> None:
        try:
            serve(self)
        except GONE:
            pass
        finally:
            self._outbox.put(None)


class RayFleet:
    """Starts actors on a cluster, spread over its nodes, one CPU each.

    Args:
        setup: What each of them needs to know.
        address: "auto", "HOST:PORT" or "ray://HOST:PORT".

    Raises:
        MissingExtra: Ray is not installed.
        ClusterUnreachable: no cluster answers at the address.
        UsageError: it is no address.
    """

    def __init__(self, setup: Setup, address: str) -> None:
        self._ray = require_ray()
        self._connected = connect(self._ray, address)
        self._setup = packed(setup)
        self._actor: Any = self._ray.remote(
            num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD"
        )(StationActor)

    def hire(self) -> Worker:
        """Start an actor; it waits for a CPU of the cluster where there is none free."""
        return RayWorker(self._ray, self._actor.remote(), self._setup)

    def wait(self, workers: Sequence[Worker]) -> list[tuple[Worker, Reply | None]]:
        """Wait for at least one actor to reply or to end."""
        ours = [worker for worker in workers if isinstance(worker, RayWorker)]
        references = [worker.pending for worker in ours]
        self._ray.wait(references, num_returns=1)
        ready, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        return [(worker, worker.receive()) for worker in ours if worker.pending in ready]

    def close(self) -> None:
        """Leave the cluster, if it was this fleet that joined it."""
        if self._connected:
            self._connected = False
            self._ray.shutdown()


class RayWorker:
    """One actor.

    Args:
        ray: The module.
        actor: Handle of a `StationActor`.
        setup: The packed Setup.

    Attributes:
        pending: Reference to the reply that is awaited.
    """

    def __init__(self, ray: ModuleType, actor: Any, setup: bytes) -> None:
        self._ray = ray
        self._actor = actor
        self._why = "the actor ended"
        self._closing: Any = None
        self._heard = False
        self.pending: Any = actor.advance.remote(setup)

    def send(self, message: Job | Answer) -> None:
        """Send a message; one that does not arrive shows as a loss in `receive`."""
        self.pending = self._actor.advance.remote(packed(message))

    def receive(self) -> Reply | None:
        """Return the reply that has arrived; None where the actor has ended."""
        exceptions = self._ray.exceptions
        try:
            reply: Reply = unpacked(self._ray.get(self.pending))
        except (exceptions.RayActorError, exceptions.ObjectLostError) as lost:
            self._why = f"the actor ended: {str(lost).splitlines()[0]}"
            return None
        except exceptions.RayTaskError as error:
            return Failed(error)
        self._heard = True
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


def require_ray() -> ModuleType:
    """Return the module `ray`.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import ray
    except ImportError:
        raise MissingExtra("--ray needs Ray: pip install 'eyehand[ray]'") from None
    module: ModuleType = ray
    return module


def connect(ray: ModuleType, address: str) -> bool:
    """Join the cluster; returns False where the program has joined one already.

    Raises:
        ClusterUnreachable: no cluster answers.
        UsageError: it is no address.
    """
    knock(address)
    if ray.is_initialized():
        return False
    try:
        # Actors' prints stay on their nodes: standard output is for results.
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise _unreachable(address, str(error)) from error
    return True


def knock(address: str) -> None:
    """Refuse in seconds what Ray itself would try for minutes.

    Raises:
        MissingExtra: Ray is not installed.
        ClusterUnreachable: nobody listens at the address.
        UsageError: it is no address.
    """
    require_ray()
    if address == "auto":
        return
    host, colon, port = address.removeprefix(CLIENT).rpartition(":")
    if not (colon and host and port.isdecimal() and 0 < int(port) < 65536):
        raise UsageError(f"expected the address of a Ray cluster, HOST:PORT or auto: {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise _unreachable(address, error.strerror or str(error)) from None


def _unreachable(address: str, reason: str) -> ClusterUnreachable:
    first = (reason.splitlines() or ["no answer"])[0]
    return ClusterUnreachable(
        f"no Ray cluster answers at {address}: {first}; start one with `ray start --head`"
    )
