"""Joining a Ray cluster."""

import socket
from types import ModuleType

from eyehand.errors import ClusterUnreachable, MissingExtra, UsageError

CONNECT_TIMEOUT_S = 5.0
CLIENT = "ray://"


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

    Args:
        ray: The module.
        address: "auto", "HOST:PORT" or "ray://HOST:PORT".

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
        ClusterUnreachable: nobody listens at the address.
        UsageError: it is no address.
    """
    if address == "auto":
        return
    host, colon, port = address.removeprefix(CLIENT).rpartition(":")
    if not (colon and host and port.isdecimal() and 0 < int(port) < 65536):
        raise UsageError(f"expected the address of a Ray cluster, HOST:PORT or auto: {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise _unreachable(address, error.strerror or str(error)) from None


def lost_errors(ray: ModuleType) -> tuple[type[Exception], ...]:
    """Return what Ray raises for a call to an actor that has ended, or whose node has."""
    known = ray.exceptions
    return (
        known.RayActorError,
        known.ObjectLostError,
        known.NodeDiedError,
        known.WorkerCrashedError,
        known.OutOfMemoryError,
    )


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says; its type's name where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _unreachable(address: str, reason: str) -> ClusterUnreachable:
    first = (reason.splitlines() or ["no answer"])[0]
    return ClusterUnreachable(
        f"no Ray cluster answers at {address}: {first}; start one with `ray start --head`"
    )
