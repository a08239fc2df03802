"""Mending what the doctor's checks found missing."""

from collections.abc import Mapping

from eyehand.agent.cli.doctor.apt import install_packages
from eyehand.agent.cli.doctor.check import Check
from eyehand.agent.cli.doctor.chromium import install_chromium
from eyehand.agent.cli.doctor.program import Say
from eyehand.errors import EyehandError


def mend(missing: Mapping[str, Check], say: Say) -> None:
    """Install what is missing; what cannot be installed is said, and the rest goes on.

    Args:
        missing: The checks that found something missing, by their words.
        say: Gets the lines that tell how far it is, and what failed.
    """
    plain = {word: check for word, check in missing.items() if word != "chromium"}
    packages = tuple(dict.fromkeys(name for check in plain.values() for name in check.packages))
    try:
        if packages:
            install_packages(packages, say)
    except EyehandError as error:
        say(f"eyehand: {error}")
    try:
        if "chromium" in missing:
            install_chromium(say)
    except EyehandError as error:
        say(f"eyehand: {error}")
