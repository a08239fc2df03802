"""`eyehand eval`: many episodes, with intervals."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from eyehand.agent.cli import arguments as shared
from eyehand.agent.cli import model_arguments
from eyehand.agent.cli.eval_plan import PLANNED, asked_plan, planned_policy
from eyehand.agent.outcome import EXIT_FAULT, EXIT_INTERRUPTED, EXIT_SUCCESS
from eyehand.errors import UsageError

if TYPE_CHECKING:
    from eyehand.agent.results.evaluation_result import EvaluationResult

NAME = "eval"
SUMMARY = "run many episodes and count the successes, with intervals"
EXAMPLES = """\
examples:
  eyehand eval embedded --episodes 100            what the embedded model was trained for
  eyehand eval miniwob:click-tab --policy random --episodes 100
  eyehand eval miniwob:click-tab,number-line --blind --episodes 100 --json
  eyehand eval miniwob --policy random --workers 4 --out results
  eyehand eval cards --policy my_module:MyPolicy  a policy of your own, in the current folder
  eyehand eval --resume results                   go on after an interruption
  eyehand eval miniwob --ray head-node:6379 --workers 32 --engines 2

SUITE is embedded (what the embedded model was trained for), a suite that `eyehand suites` lists, a
spec such as miniwob:click-tab, a declaration file such as my-suite.yaml, or several of these with
commas between. Episode i of a task has the seed FIRST_SEED + i, whoever
runs it: the result is the same for any number of workers. Faults of the environment are retried
twice with the same seed and counted apart.

DIR holds plan.json, episodes.jsonl (a line an episode, written as it ends), episodes.csv,
evaluation.json, report.html and the trajectories. After an interruption of any kind, --resume DIR
goes on with the same plan, and runs nothing twice that had ended. --episodes with a larger number
adds episodes, to a finished evaluation too. A plan may be a stranger's: what may be code (a
declaration file, a package's environment, options of one) runs only where SUITE names it again; a
declaration file may have moved, but must say the same. A model of the Hub is named again, too, and
so is --allow-private.

exit status: 0 evaluated; 2 wrong usage; 3 a task met nothing but environment faults, the disk is
full, or the cluster cannot be reached; 130 stopped with Ctrl-C, SIGTERM
or SIGHUP, with the counts so far.
"""

ONE_DEVICE = ("android", "desktop")
"""Schemes behind which stands one device: several workers would get into each other's way."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("suite", metavar="SUITE", nargs="?", help="what to evaluate")
    parser.add_argument(
        "--episodes",
        type=shared.positive_int,
        metavar="N",
        help="a task (default: 10); with --resume, as many as there shall be in the end",
    )
    parser.add_argument(
        "--first-seed",
        type=shared.seed,
        metavar="N",
        help="default: 1000000, the first of the evaluation seeds",
    )
    parser.add_argument(
        "--blind",
        action="store_true",
        help="control: the model reads the task but sees another seed's first screen",
    )
    _add_limits(parser)
    _add_folder(parser)
    _add_means(parser)
    model_arguments.add_policy_arguments(parser)
    shared.add_json_argument(parser)
    # None is "not given": what an interrupted evaluation was begun with holds then.
    parser.set_defaults(**dict.fromkeys(PLANNED))


def _add_limits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("limits of an episode")
    shared.add_limit_arguments(group)


def _add_folder(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is kept")
    group.add_argument(
        "--out",
        type=shared.out_folder,
        metavar="DIR",
        help="folder (default: runs/TIME-eval-SUITE)",
    )
    group.add_argument(
        "--keep",
        choices=("all", "failures", "none"),
        help="which trajectories stay in the folder (default: all)",
    )
    group.add_argument(
        "--resume",
        type=shared.out_folder,
        metavar="DIR",
        help="go on with the evaluation in DIR; without SUITE it is asked as it was, where that "
        "comes with eyehand",
    )


def _add_means(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what it runs on")
    group.add_argument(
        "--workers",
        type=shared.positive_int,
        default=1,
        metavar="N",
        help="environments at a time, each in a process of its own (default: 1, in this one)",
    )
    group.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="run the workers and the model on a Ray cluster: HOST:PORT, or auto (needs "
        "eyehand[ray])",
    )
    group.add_argument(
        "--engines",
        type=shared.positive_int,
        metavar="N",
        help="with --ray: actors that hold the model and decide for the workers, a GPU each where "
        "the cluster has some (default: 1)",
    )
    shared.add_private_argument(group)
    group.add_argument(
        "--batch",
        type=shared.positive_int,
        metavar="N",
        help="most episodes handed to the policy in one call (default: 1); part of the plan, "
        "because a policy that computes them together may round otherwise",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Evaluate, write the index page, print the table."""
    from eyehand.agent.cli.progress import EvaluationProgress
    from eyehand.agent.episode import check_task
    from eyehand.agent.evaluation.evaluate import ComputeConfig, run_evaluation
    from eyehand.agent.evaluation.store import check_unused
    from eyehand.agent.policies.registry import check_model_named, check_random
    from eyehand.agent.report import write_report
    from eyehand.envs.registry import make, make_with_private

    plan = asked_plan(arguments)
    make_environment = make_with_private if plan.options.get("allow_private") else make
    compute = ComputeConfig(
        arguments.workers, arguments.ray, arguments.engines, own_process=_apart(plan.specs)
    )
    check_random(str(plan.options.get("policy")), plan.specs, arguments.allow_random)
    check_model_named(str(plan.options.get("policy")), plan.options)
    if arguments.resume is None and plan.out is not None:
        check_unused(plan.out)
    for spec in plan.specs:
        with make_environment(
            spec
        ) as environment:  # a name that does not exist is refused before it runs
            _check(spec, environment.instruction, arguments)
            if plan.options.get("policy") == "model":
                check_task(environment, None)  # before the model is loaded
    policy = str(plan.options.get("policy"))
    notice = model_arguments.outside_card_notice(plan.options.get("model"), policy, plan.specs)
    for line in (notice, model_arguments.ignored_notice(policy, plan.options)):
        if line:
            shared.say(line)
    with EvaluationProgress() as progress:
        evaluation = run_evaluation(
            plan,
            make_environment,
            planned_policy(plan.options),
            progress,
            compute=compute,
            resume=arguments.resume is not None,
        )
    out = plan.out or Path()
    report = write_report(out)
    _print(evaluation, out, report, arguments.json)
    return _status(evaluation)


def _check(spec: str, instruction: str | None, arguments: argparse.Namespace) -> None:
    """Refuse what cannot be evaluated, before anything runs.

    Raises:
        UsageError: a device has no task, or one device would be worked by several workers.
    """
    from eyehand.envs.registry import stands_behind

    scheme = stands_behind(spec)
    if scheme not in ONE_DEVICE:
        return
    if instruction is None:
        how = "`eyehand run TASK --env SPEC` runs one"
        if scheme == "android":
            how = (
                "declare one in a file (environment: android:SERIAL, instruction, read, success) "
                "and evaluate that: eyehand eval my-phone.yaml"
            )
        raise UsageError(f"{spec} sets no task by itself; {how}")
    if arguments.workers > 1 or arguments.ray:
        raise UsageError(f"{spec} is one device: it takes one worker, on this machine")


def _apart(specs: list[str]) -> bool:
    """Return whether one worker too runs in a process of its own: other people's code, that is.

    Environments that this program alone has registered cannot run elsewhere.
    """
    from eyehand.agent.evaluation.messages import require_known_to_workers
    from eyehand.envs.registry import runs_foreign_code

    if not any(runs_foreign_code(spec) for spec in specs):
        return False
    try:
        require_known_to_workers(specs)
    except UsageError:
        return False
    return True


def _print(evaluation: "EvaluationResult", out: Path, report: Path, as_json: bool) -> None:
    from eyehand.agent.cli.eval_table import print_evaluation

    if as_json:
        shared.print_json({**evaluation.to_json(), "folder": str(out), "report": str(report)})
    else:
        print_evaluation(evaluation)
    shared.say(f"report: {report}")


def _status(evaluation: "EvaluationResult") -> int:
    if not evaluation.finished:
        return EXIT_INTERRUPTED
    lost = any(task.lost and not task.rate.episodes for task in evaluation.tasks)
    return EXIT_FAULT if lost else EXIT_SUCCESS
