"""Worker processes on this machine.

They are started as fresh interpreters rather than forked, because a fork copies neither torch's
nor a browser's threads. Each has a process group of its own, so that Ctrl-C reaches the evaluator
alone, which then ends its workers.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait

from eyehand.agent.evaluation.messages import (
    EpisodeJob,
    Reply,
    WorkerSetup,
    packed,
    packed_setup,
    unpacked,
)
from eyehand.agent.evaluation.scheduler import Worker
from eyehand.agent.policies.base import DecisionReply

CLOSE_TIMEOUT_S = 15.0
"""A browser may take some seconds to close; longer means that it hangs."""

STDERR = 2


class ProcessPool:
    """Starts worker processes.

    Args:
        setup: What each of them needs to know.
        share: A file descriptor that they keep open as long as they run: the lock of the rows.

    Raises:
        UsageError: the setup cannot be sent to another process.
    """

    def __init__(self, setup: WorkerSetup, share: int | None = None) -> None:
        self._setup = packed_setup(setup)
        self._share = [] if share is None else [share]

    def start(self) -> Worker:
        """Start a process."""
        return ProcessWorker(self._setup, self._share)

    def wait(self, workers: Sequence[Worker]) -> list[tuple[Worker, Reply | None]]:
        """Wait for at least one worker to reply or to end."""
        by_connection = {w.connection: w for w in workers if isinstance(w, ProcessWorker)}
        ready = set(wait(by_connection))
        # In the order of their start, whatever order the operating system names them in.
        return [(w, w.receive()) for c, w in by_connection.items() if c in ready]

    def close(self) -> None:
        """Do nothing: each worker lets go of what is its own."""


class ProcessWorker:
    """One worker process.

    Args:
        setup: The packed `WorkerSetup`.
        share: File descriptors that the process inherits.

    Attributes:
        connection: The pipe to it.
    """

    def __init__(self, setup: bytes, share: Sequence[int]) -> None:
        ours, theirs = socket.socketpair()
        lifeline, self._lifeline = os.pipe()
        command = [sys.executable, "-P", "-m", "eyehand.agent.evaluation.worker_process"]
        try:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno()), str(lifeline)],
                pass_fds=(theirs.fileno(), lifeline, *share),
                stdin=subprocess.DEVNULL,
                stdout=STDERR,  # standard output is for results
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(lifeline)
        self.connection = Connection(ours.detach())
        self._send(lambda: self.connection.send(sys.path))
        self._send(lambda: self.connection.send_bytes(setup))

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def send(self, message: EpisodeJob | DecisionReply) -> None:
        """Send a message; one that does not arrive shows as a loss in `receive`."""
        blob = packed(message)
        self._send(lambda: self.connection.send_bytes(blob))

    def receive(self) -> Reply | None:
        """Return the reply that has arrived; None where the process has ended."""
        try:
            reply: Reply = unpacked(self.connection.recv_bytes())
        except (EOFError, OSError):  # also where it ended in the middle of a message
            return None
        return reply

    def stop(self) -> None:
        """Close the pipe, at which the process closes its environment and ends."""
        self.connection.close()

    def close(self) -> None:
        """Stop it and wait until it has ended."""
        self.stop()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSE_TIMEOUT_S)
        self.kill()

    def kill(self) -> None:
        """End the process and what it started, at once. Killing twice is harmless."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self.connection.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def why_lost(self) -> str:
        """Return how the process ended."""
        code = self._process.returncode
        if code is not None and code < 0:
            return f"the worker process was ended by {signal.Signals(-code).name}"
        return f"the worker process ended by itself with exit status {code}"

    def _send(self, send: Callable[[], None]) -> None:
        with suppress(OSError):  # closed, or broken because the process is gone
            send()
