"""What outlives the driver that started it: a Chromium that hangs does not see its pipe break."""

import os
import signal
from contextlib import suppress
from pathlib import Path


def end_processes_of(folder: Path) -> None:
    """Kill the processes whose command lines name something in a folder. Needs /proc, else nothing.

    Args:
        folder: A temporary folder, whose name nobody else has.
    """
    named = os.fsencode(folder) + b"/"
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended, or is another user's
            if named in path.read_bytes():
                os.kill(int(path.parent.name), signal.SIGKILL)
