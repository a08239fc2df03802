"""`eyehand doctor`: what is missing on this machine, how to get it, and getting it."""

import argparse

from eyehand.agent.cli import arguments as shared
from eyehand.agent.outcome import EXIT_NO_SUCCESS, EXIT_SUCCESS

NAME = "doctor"
SUMMARY = "say what is missing on this machine, and install it with --fix"
NAMES = (
    "python", "packages", "torch", "chromium", "fonts", "checkpoint", "disk", "memory", "adb",
    "phones", "desktop", "xvfb", "mujoco", "drawing",
)  # fmt: skip
EXAMPLES = """\
examples:
  eyehand doctor
  eyehand doctor --fix                install what is needed: Chromium and fonts
  eyehand doctor --fix xvfb mujoco    install what was named, although not everyone needs it

--fix installs Debian's packages through apt-get, with sudo where this is not root; Chromium is
Playwright's own build where it can be fetched, else the system's.
exit status: 0 when everything that is needed is there, else 1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "checks",
        nargs="*",
        type=_check,
        metavar="CHECK",
        help=f"look at these only, as at what is needed: {', '.join(NAMES)}",
    )
    parser.add_argument("--fix", action="store_true", help="install what is missing")
    shared.add_json_argument(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the checks, mend what is missing where that is wanted, and print what is there."""
    from eyehand.agent.cli.doctor.checks import run_checks

    wanted = arguments.checks or NAMES
    found = dict(zip(wanted, run_checks(wanted), strict=True))
    missing = {
        word: check
        for word, check in found.items()
        if not check.fine and (check.needed or arguments.checks)
    }
    if arguments.fix and missing:
        from eyehand.agent.cli.doctor.mend import mend

        mend(missing, shared.say)
        found.update(zip(missing, run_checks(list(missing)), strict=True))
        missing = {word: found[word] for word in missing if not found[word].fine}
    if arguments.json:
        rows = [check.to_json() for check in found.values()]
        shared.print_json({"healthy": not missing, "checks": rows})
    else:
        for check in found.values():
            shared.print_text(str(check))
        print("something needed is missing" if missing else "everything that is needed is there")
    return EXIT_NO_SUCCESS if missing else EXIT_SUCCESS


def _check(text: str) -> str:
    """Read the word that names a check."""
    if text not in NAMES:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(NAMES)}, got {text!r}")
    return text
