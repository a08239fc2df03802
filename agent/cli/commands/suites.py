"""`eyehand suites`: what there is to evaluate in."""

import argparse
from typing import TYPE_CHECKING

from eyehand.agent.cli import arguments as shared
from eyehand.agent.outcome import EXIT_SUCCESS

if TYPE_CHECKING:
    from eyehand.envs.suites import Suite, SuiteTask

NAME = "suites"
SUMMARY = "list the suites, or the tasks of one"
EXAMPLES = """\
examples:
  eyehand suites                  every suite with the number of its tasks
  eyehand suites minigrid         its tasks: limits, success, ceiling, expert
  eyehand suites my-suite.yaml    what a declaration file declares
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("suite", metavar="NAME", nargs="?", help="a suite, or a declaration file")
    shared.add_json_argument(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print the suites, or one."""
    from eyehand.envs.suites import suite_named, suites

    found = [suite_named(arguments.suite)] if arguments.suite else list(suites())
    if arguments.json:
        shared.print_json({"suites": [suite.to_json() for suite in found]})
    elif arguments.suite:
        _print_tasks(found[0])
    else:
        _print_suites(found)
    return EXIT_SUCCESS


def _print_suites(found: "list[Suite]") -> None:
    from eyehand.agent.cli import tables

    table = tables.table("suite", "tasks", "experts", "what it is")
    for suite in found:
        experts = sum(task.expert is not None for task in suite.tasks)
        table.add_row(suite.name, str(len(suite.tasks)), str(experts), suite.description)
    tables.console().print(table)


def _print_tasks(suite: "Suite") -> None:
    from eyehand.agent.cli import tables

    console = tables.console()
    console.print(suite.description)
    table = tables.table("task", "steps", "ceiling", "expert", "success")
    for task in suite.tasks:
        table.add_row(*_cells(task))
    console.print(table)


def _cells(task: "SuiteTask") -> tuple[str, ...]:
    from eyehand.agent.results.ceiling import Ceiling

    steps = "" if task.max_steps is None else str(task.max_steps)
    ceiling = "" if task.ceiling is None else str(Ceiling(task.ceiling))
    return task.spec, steps, ceiling, "yes" if task.expert else "", task.success
