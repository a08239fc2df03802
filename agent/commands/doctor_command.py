"""`eyehand doctor`: what is missing on this machine, and how to get it."""

import argparse

from eyehand.agent.commands import arguments as shared

NAME = "doctor"
SUMMARY = "say what is missing on this machine and how to get it"
EXAMPLES = """\
exit status: 0 when everything that is needed is there, else 1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    shared.add_json_argument(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the checks and print them."""
    from eyehand.agent.doctor import run_checks
    from eyehand.agent.outcome import EXIT_NO_SUCCESS, EXIT_SUCCESS

    checks = list(run_checks())
    healthy = all(check.fine or not check.needed for check in checks)
    if arguments.json:
        rows = [check.to_json() for check in checks]
        shared.print_json({"healthy": healthy, "checks": rows})
    else:
        for check in checks:
            print(check)
        print("everything that is needed is there" if healthy else "something needed is missing")
    return EXIT_SUCCESS if healthy else EXIT_NO_SUCCESS
