"""What the doctor says of one thing, and asking a program for its words."""

import subprocess
from dataclasses import asdict, dataclass
from typing import Any

from eyehand.agent.printable import printable
from eyehand.envs.packages import apt_command

PROGRAM_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What it is.
        fine: Whether it is as it should be.
        found: What is there.
        fix: How to get it; empty where nothing is to be mended.
        needed: Whether eyehand works without it.
        packages: Debian's packages that mend it; none where others do.
    """

    name: str
    fine: bool
    found: str
    fix: str = ""
    needed: bool = True
    packages: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the check, JSON-ready."""
        return asdict(self)

    def __str__(self) -> str:
        """Return one line, and a second one with the fix."""
        mark = "ok      " if self.fine else ("MISSING " if self.needed else "optional")
        line = f"{mark}  {self.name}: {printable(self.found)}"
        return line if self.fine or not self.fix else f"{line}\n            {printable(self.fix)}"


def lacks(
    name: str, found: str, packages: tuple[str, ...], purpose: str = "", needed: bool = True
) -> Check:
    """Return the check of something that Debian's packages bring.

    Args:
        name: What it is.
        found: What is there.
        packages: The packages.
        purpose: What needs it, such as "for robot"; empty where everything does.
        needed: Whether eyehand works without it.
    """
    fix = f"{purpose}: {apt_command(packages)}" if purpose else apt_command(packages)
    return Check(name, False, found, fix, needed, packages)


def output_of(*command: str) -> str | None:
    """Return what a program prints; None where it is missing or fails."""
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout
