"""Debian's packages through apt-get, with sudo where this is not root."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence

from eyehand.agent.cli.doctor.program import Say, run_told
from eyehand.envs.packages import apt_command
from eyehand.errors import UsageError

# A machine that was just started often updates itself, and holds the lock while it does.
OPTIONS = ("-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0")
QUIET = ("-y", "-qq", "--no-install-recommends", "-o", "APT::Status-Fd=3")
# apt takes the descriptor of its status away from the packages' scripts, so it gets its own one;
# sudo would close it, so a shell below sudo opens it.
WITH_STATUS = ("sh", "-c", 'exec "$0" "$@" 3>&1')
# What a release does not have (Debian 13 lost packages that 12 has), as apt names it in English.
ABSENT = re.compile(
    r"E: (?:Unable to locate package (?P<unknown>\S+)|Package '(?P<lost>\S+)' has no installation)"
)
PHASES = {"dlstatus": "downloaded", "pmstatus": "installed"}


def install_packages(packages: tuple[str, ...], say: Say) -> None:
    """Install Debian's packages; those that this release does not have are said and left out.

    Args:
        packages: Their names.
        say: Gets the lines that tell how far it is.

    Raises:
        UsageError: there is no apt-get, no right to use it, or it failed; the message says which.
    """
    command = _apt_get(packages)
    say(f"installing {' '.join(packages)}")
    # A repository of others may be out of reach; whether the packages can be had is seen below.
    subprocess.run([*command, "update", "-qq"], stdout=subprocess.DEVNULL, check=False)
    status, said = run_told([*command, "install", *QUIET, *packages], _progress, say)
    absent = {found[found.lastgroup or 0] for found in map(ABSENT.match, said) if found}
    rest = tuple(name for name in packages if name not in absent)
    if status != 0 and absent and rest:
        say(f"this system's release has no {', '.join(sorted(absent))}; installing the others")
        status, said = run_told([*command, "install", *QUIET, *rest], _progress, say)
    if status != 0:
        raise UsageError(f"`{apt_command(packages)}` failed: {_reason(said) or f'status {status}'}")


def _apt_get(packages: tuple[str, ...]) -> list[str]:
    """Return the beginning of the command that installs packages without questions.

    Raises:
        UsageError: there is no apt-get, or no way to become root.
    """
    program, sudo = shutil.which("apt-get"), shutil.which("sudo")
    if program is None:
        raise UsageError(
            "there is no apt-get on this system; install what Debian calls "
            f"{', '.join(packages)} by its own means"
        )
    english = ("DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
    command = ["env", *english, *WITH_STATUS, program, *OPTIONS]
    if os.geteuid() == 0:
        return command
    if sudo is None:
        raise UsageError(f"this needs root, and there is no sudo; as root: {apt_command(packages)}")
    return [sudo, *command]


def _progress(line: str) -> tuple[str, float] | None:
    """Read a line of apt's status: "pmstatus:libnss3:12.5:Unpacking libnss3"."""
    phase, *rest = line.split(":", 3)
    if phase not in PHASES or len(rest) < 2:
        return None
    return PHASES[phase], float(rest[1])


def _reason(said: Sequence[str]) -> str:
    """Return why apt-get failed: a package's own error goes before apt's summary."""
    of_package = [line.split(":", 3)[3] for line in said if line.startswith("pmerror:")]
    errors = [line.removeprefix("E: ") for line in said if line.startswith("E: ")]
    return next(iter([*of_package, *errors, *said[-1:]]), "")
