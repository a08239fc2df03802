"""What a worker does, whatever carries its messages."""

import traceback
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from eyehand.agent.retention import Shelf
from eyehand.agent.workers.asking import AskFunction, DeciderGone, connect
from eyehand.agent.workers.messages import (
    Answer,
    Ask,
    Failed,
    Finished,
    Job,
    Lost,
    Ready,
    Setup,
    packed,
    unpacked,
)
from eyehand.agent.workers.sendable import WHAT_TO_DO
from eyehand.agent.workers.station import Station
from eyehand.envs.temporary import TemporaryFolder
from eyehand.errors import UsageError

GONE = (EOFError, BrokenPipeError, ConnectionResetError)
"""What `Link` raises when the other side is gone."""


class Link(Protocol):
    """Carries packed messages; both functions raise one of `GONE` when there is nobody."""

    def send_bytes(self, blob: bytes) -> None:
        """Send a message."""

    def recv_bytes(self) -> bytes:
        """Wait for a message."""


def serve(link: Link, ask: AskFunction | None = None) -> None:
    """Take the Setup and then job after job, until the other side is gone.

    Args:
        link: To the evaluator.
        ask: Asks who decides; None asks the evaluator. It may raise `DeciderGone`.
    """
    blob = link.recv_bytes()
    try:
        setup: Setup = unpacked(blob)
    except Exception as error:  # unpickling imports whatever was sent by its name
        said = " ".join(str(error).split())
        unknown = UsageError(f"a worker cannot load what it was sent ({said}); {WHAT_TO_DO}")
        link.send_bytes(packed(Failed(unknown)))
        return
    with ExitStack() as stack:
        if setup.deliver and setup.out is not None:
            setup = replace(setup, out=stack.enter_context(TemporaryFolder()).path)
        for policy in setup.policies.values():
            connect(policy, ask or _asking(link))
        station = Station(setup)
        link.send_bytes(packed(Ready()))
        try:
            while True:
                link.send_bytes(packed(_run(station, setup.out, unpacked(link.recv_bytes()))))
        except GONE:
            return
        finally:
            station.close()


def _asking(link: Link) -> AskFunction:
    def ask(question: Ask) -> Answer:
        link.send_bytes(packed(question))
        answer: Answer = unpacked(link.recv_bytes())
        return answer

    return ask


def _run(station: Station, out: Path | None, job: Job) -> Finished | Lost | Failed:
    try:
        return station.run(job)
    except GONE:
        raise
    except DeciderGone as gone:
        # This worker may be the one that runs it again.
        Shelf(out).clear(job.spec, job.seed)
        return Lost(str(gone))
    except Exception as error:  # whatever it is, the evaluator raises it
        error.add_note("".join(traceback.format_exception(error)))
        return Failed(error)
