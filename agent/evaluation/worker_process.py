"""What a worker process runs: `python -m eyehand.agent.evaluation.worker_process PIPE LIFELINE`.

It answers the messages that come through the pipe. It never outlives who started it: when the
lifeline's other end is gone, however that came, the process ends at once, and the browser that it
started follows, because its pipe breaks.
"""

import os
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection

ORPHANED_STATUS = 1


def main(arguments: list[str]) -> None:
    """Serve until the pipe is closed."""
    pipe, lifeline = (int(number) for number in arguments)
    threading.Thread(target=_watch, args=(lifeline,), name="lifeline", daemon=True).start()
    connection = Connection(pipe)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # it ended before we began
        _serve(connection)


def _serve(connection: Connection) -> None:
    # The paths first: what comes next may need a module of the starting program's.
    sys.path[:] = connection.recv()
    from eyehand.agent.evaluation.worker import serve
    from eyehand.envs.gym.watchdog import end_process_when_stuck

    end_process_when_stuck()
    serve(connection)


def _watch(lifeline: int) -> None:
    """Wait until the other end is gone; nothing is ever written to it."""
    os.read(lifeline, 1)
    os._exit(ORPHANED_STATUS)


if __name__ == "__main__":
    main(sys.argv[1:])
