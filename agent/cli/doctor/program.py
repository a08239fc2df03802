"""Running an installer's program and telling how far it is."""

import subprocess
from collections.abc import Callable, Sequence

SHOWN_PERCENT = 25

Say = Callable[[str], None]
"""Gets one line for a person to read."""

Read = Callable[[str], tuple[str, float] | None]
"""Reads how far a program is from a line of its output: a phase and percent, or None."""


def run_told(command: Sequence[str], read: Read, say: Say) -> tuple[int, list[str]]:
    """Run a program; each phase's quarters are said as they are reached.

    Args:
        command: The program and its arguments.
        read: Tells which lines are progress.
        say: Gets the lines.

    Returns:
        Its exit status, and the lines of its output that are no progress.
    """
    rest: list[str] = []
    reached: dict[str, int] = {}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if (progress := read(line)) is None:
                rest += [line.strip()] if line.strip() else []
                continue
            phase, percent = progress[0], int(progress[1]) // SHOWN_PERCENT * SHOWN_PERCENT
            if percent > reached.get(phase, 0):
                reached[phase] = percent
                say(f"  {phase}: {percent}%")
    return process.returncode, rest
