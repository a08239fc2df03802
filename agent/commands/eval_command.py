"""`eyehand eval`: many episodes, with intervals."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyehand.agent.commands import arguments as shared
from eyehand.errors import UsageError

if TYPE_CHECKING:
    from eyehand.agent.results import Evaluation

NAME = "eval"
SUMMARY = "run many episodes and count the successes, with intervals"
EXAMPLES = """\
examples:
  eyehand eval embedded --episodes 100            what the embedded model was trained for
  eyehand eval miniwob:click-tab --policy random --episodes 100
  eyehand eval miniwob:click-tab,number-line --blind --episodes 100 --json
  eyehand eval miniwob --model ./my-model --episodes 5 --out results --keep failures

SUITE is embedded, miniwob (all 125 tasks), number-line, cards, a spec such as miniwob:click-tab,
or several of these with commas between. Episode i has the seed FIRST_SEED + i. Faults of the
environment are retried twice with the same seed and counted apart.

exit status: 0 evaluated; 2 wrong usage; 3 a task met nothing but environment faults, or the disk
is full; 130 stopped with Ctrl-C, with the counts so far.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("suite", metavar="SUITE", help="what to evaluate")
    parser.add_argument(
        "--episodes", type=shared.positive_int, default=10, metavar="N", help="a task (default: 10)"
    )
    parser.add_argument(
        "--first-seed",
        type=shared.seed,
        default=1_000_000,
        metavar="N",
        help="default: 1000000, the first of the evaluation seeds",
    )
    parser.add_argument(
        "--max-steps", type=shared.positive_int, default=30, metavar="N", help="default: 30"
    )
    parser.add_argument(
        "--time-limit", type=shared.positive_float, metavar="S", help="most seconds an episode"
    )
    parser.add_argument(
        "--blind",
        action="store_true",
        help="control: the model reads the task but sees another seed's first screen",
    )
    parser.add_argument(
        "--out",
        type=shared.out_folder,
        metavar="DIR",
        help="folder (default: runs/TIME-eval-SUITE)",
    )
    parser.add_argument(
        "--keep",
        choices=("all", "failures", "none"),
        default="all",
        help="which trajectories stay in the folder (default: all)",
    )
    shared.add_policy_arguments(parser)
    shared.add_json_argument(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Evaluate, write the index page, print the table."""
    from eyehand.agent.agent import default_folder
    from eyehand.agent.evaluate import run_evaluation
    from eyehand.agent.progress import EvaluationProgress
    from eyehand.agent.report import write_report
    from eyehand.agent.results import Plan
    from eyehand.agent.suites import suite_specs
    from eyehand.envs.registry import make

    out = arguments.out or default_folder(f"eval-{arguments.suite}")
    plan = Plan(
        suite=arguments.suite,
        specs=suite_specs(arguments.suite),
        episodes=arguments.episodes,
        first_seed=arguments.first_seed,
        max_steps=arguments.max_steps,
        time_limit_s=arguments.time_limit,
        out=out,
        keep=arguments.keep,
    )
    for spec in plan.specs:
        make(spec).close()  # a name that does not exist is refused before anything runs
    notice = shared.outside_card_notice(arguments.model, arguments.policy, plan.specs)
    if notice:
        shared.say(notice)
    with EvaluationProgress() as progress:
        evaluation = run_evaluation(plan, make, _policy_maker(arguments), progress)
    report = write_report(out)
    _print(evaluation, out, report, arguments.json)
    return _status(evaluation)


def _policy_maker(arguments: argparse.Namespace) -> Any:
    from eyehand.agent.blind_policy import BlindPolicy
    from eyehand.agent.policies import policy_maker

    make_policy = policy_maker(arguments.policy, **shared.model_options(arguments))
    if not arguments.blind:
        return make_policy
    if arguments.policy != "model":
        raise UsageError("--blind is a control for the model; the other policies see no screen")
    return lambda spec: BlindPolicy(make_policy(spec))


def _print(evaluation: "Evaluation", out: Path, report: Path, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    if as_json:
        shared.print_json({**evaluation.to_json(), "folder": str(out), "report": str(report)})
    else:
        table = Table("task", "rate", "successes", "episodes", "faults", box=None, pad_edge=False)
        for row in evaluation.tasks:
            rate, faults = row.rate, str(row.environment_faults)
            table.add_row(row.task, str(rate), str(rate.successes), str(rate.trials), faults)
        Console(highlight=False).print(table)
    shared.say(f"report: {report}")


def _status(evaluation: "Evaluation") -> int:
    from eyehand.agent.outcome import EXIT_FAULT, EXIT_INTERRUPTED, EXIT_SUCCESS

    if not evaluation.finished:
        return EXIT_INTERRUPTED
    lost = any(row.unscored and not row.rate.trials for row in evaluation.tasks)
    return EXIT_FAULT if lost else EXIT_SUCCESS
