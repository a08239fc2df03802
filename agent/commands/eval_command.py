"""`eyehand eval`: many episodes, with intervals."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyehand.agent.commands import arguments as shared
from eyehand.errors import UsageError

if TYPE_CHECKING:
    from eyehand.agent.results import Evaluation, Plan

NAME = "eval"
SUMMARY = "run many episodes and count the successes, with intervals"
EXAMPLES = """\
examples:
  eyehand eval embedded --episodes 100            what the embedded model was trained for
  eyehand eval miniwob:click-tab --policy random --episodes 100
  eyehand eval miniwob:click-tab,number-line --blind --episodes 100 --json
  eyehand eval miniwob --policy random --workers 4 --out results
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

PLANNED: dict[str, Any] = {
    "episodes": 10,
    "first_seed": 1_000_000,
    "max_steps": None,
    "time_limit": None,
    "max_tokens_episode": None,
    "keep": "all",
    "batch": 1,
    "policy": "model",
    "blind": False,
    "allow_private": False,
    "model": None,
    "codec": None,
    "keyword_mark": None,
    "language": None,
    "temperature": None,
    "max_new_tokens": None,
}
"""Arguments that the plan fixes, and what holds where they are not given."""

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
    shared.add_policy_arguments(parser)
    shared.add_json_argument(parser)
    # None is "not given": what an interrupted evaluation was begun with holds then.
    parser.set_defaults(**dict.fromkeys(PLANNED))


def _add_limits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("limits of an episode")
    shared.add_limit_arguments(group)
    group.add_argument(
        "--max-tokens-episode",
        type=shared.positive_int,
        metavar="N",
        help="most tokens an episode that the model reads anew and writes",
    )


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
    from eyehand.agent.episode import check_task
    from eyehand.agent.evaluate import Means, run_evaluation
    from eyehand.agent.ledger import check_unused
    from eyehand.agent.policies import check_model_named, check_random
    from eyehand.agent.progress import EvaluationProgress
    from eyehand.agent.report import write_report
    from eyehand.envs.registry import make, make_with_private

    plan = _plan(arguments)
    make_environment = make_with_private if plan.options.get("allow_private") else make
    means = Means(
        arguments.workers, arguments.ray, arguments.engines, own_process=_apart(plan.specs)
    )
    check_random(str(plan.options.get("policy")), plan.specs, arguments.allow_random)
    check_model_named(str(plan.options.get("policy")), plan.options.get("model"))
    if arguments.resume is None and plan.out is not None:
        check_unused(plan.out)
    for spec in plan.specs:
        with make_environment(
            spec
        ) as environment:  # a name that does not exist is refused before it runs
            _check(spec, environment.instruction, arguments)
            if plan.options.get("policy") == "model":
                check_task(environment, None)  # before the model is loaded
    notice = shared.outside_card_notice(
        plan.options.get("model"), str(plan.options.get("policy")), plan.specs
    )
    for line in (notice, shared.ignored_notice(str(plan.options.get("policy")), plan.options)):
        if line:
            shared.say(line)
    with EvaluationProgress() as progress:
        evaluation = run_evaluation(
            plan,
            make_environment,
            _policy_maker(plan.options),
            progress,
            means=means,
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
    from eyehand.agent.suite_catalogue import stands_behind

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


def _plan(arguments: argparse.Namespace) -> "Plan":
    """Return the plan that was asked for, or the one that an interrupted evaluation had."""
    from eyehand.agent.agent import default_folder
    from eyehand.agent.results import Plan
    from eyehand.agent.suites import suite_specs

    if arguments.resume is not None:
        if arguments.out is not None:
            raise UsageError("--resume DIR goes on in DIR: leave --out away")
        return _resumed_plan(arguments)
    if arguments.suite is None:
        raise UsageError("nothing to evaluate: name a SUITE, or go on with --resume DIR")
    given = argparse.Namespace(**vars(arguments))
    for name, default in PLANNED.items():
        if getattr(given, name) is None:
            setattr(given, name, default)
    return Plan(
        suite=arguments.suite,
        specs=suite_specs(arguments.suite),
        episodes=given.episodes,
        first_seed=given.first_seed,
        max_steps=given.max_steps,
        time_limit_s=given.time_limit,
        max_tokens=given.max_tokens_episode,
        out=arguments.out or default_folder(f"eval-{arguments.suite}"),
        keep=given.keep,
        batch=given.batch,
        options={
            "policy": given.policy,
            "blind": given.blind,
            **({"allow_private": True} if given.allow_private else {}),
            **shared.model_options(given),
        },
    )


def _resumed_plan(arguments: argparse.Namespace) -> "Plan":
    """Return the plan of the folder, perhaps with more episodes, or with its suite named anew.

    Every other option that is given must agree with it.
    """
    from eyehand.agent.ledger import read_plan
    from eyehand.agent.results import Plan
    from eyehand.agent.suites import suite_specs

    plan = Plan.from_json(read_plan(arguments.resume), arguments.resume)
    for name in PLANNED:
        given, written = getattr(arguments, name), _written(plan, name)
        more = name == "episodes" and given is not None and given > plan.episodes
        if given not in (None, written) and not more:
            flag = f"--{name.replace('_', '-')}"
            only = ", and only more can be asked for" if name == "episodes" else ""
            raise UsageError(
                f"{arguments.resume} was begun with {flag} {written}, not {given}{only}"
            )
    _require_named(plan, arguments)
    plan = replace(plan, episodes=arguments.episodes or plan.episodes)
    if arguments.suite is not None:
        return replace(plan, suite=arguments.suite, specs=suite_specs(arguments.suite))
    return plan


def _require_named(plan: "Plan", arguments: argparse.Namespace) -> None:
    """Refuse to run what only a stored plan names: somebody else may have written it.

    Raises:
        UsageError: the plan names code, something real or a checkpoint elsewhere, and the command
            line does not; or an option that is not known.
    """
    from eyehand.agent.policies import POLICY_NAMES
    from eyehand.envs.registry import comes_with_the_package

    folder, options = arguments.resume, plan.options
    unknown = sorted(options.keys() - {"policy", "blind", "allow_private", *shared.MODEL_OPTIONS})
    if unknown:
        raise UsageError(f"the plan in {folder} has options that are not known: {unknown[0]}")
    foreign = [spec for spec in plan.specs if not comes_with_the_package(spec)]
    if foreign and arguments.suite is None:
        declared = foreign[0].lower().startswith("suite:")
        how = "name the file where it lies now" if declared else "name it too"
        raise UsageError(
            f"the plan in {folder} names {foreign[0]}, which may be anybody's code: {how}: "
            f"eyehand eval {'FILE' if declared else 'SPEC'} --resume DIR"
        )
    if options.get("allow_private") and not arguments.allow_private:
        raise UsageError(
            f"the plan in {folder} lets pages open private addresses: allow it too: --allow-private"
        )
    policy, model = options.get("policy"), options.get("model")
    if policy not in (None, *POLICY_NAMES) and arguments.policy is None:
        raise UsageError(f"the plan in {folder} names the policy {policy}: name it too: --policy")
    if model is not None and arguments.model is None and not Path(str(model)).is_dir():
        raise UsageError(
            f"the plan in {folder} names the model {model}, which would be fetched: name it too: "
            f"--model {model}"
        )


def _apart(specs: list[str]) -> bool:
    """Return whether one worker too runs in a process of its own: other people's code, that is.

    Environments that this program alone has registered cannot run elsewhere.
    """
    from eyehand.agent.workers.sendable import require_known_to_workers
    from eyehand.envs.registry import runs_foreign_code

    if not any(runs_foreign_code(spec) for spec in specs):
        return False
    try:
        require_known_to_workers(specs)
    except UsageError:
        return False
    return True


def _written(plan: "Plan", name: str) -> Any:
    """Return what a plan says of an argument."""
    named = {"time_limit": "time_limit_s", "max_tokens_episode": "max_tokens"}.get(name, name)
    return getattr(plan, named) if hasattr(plan, named) else plan.options.get(name, PLANNED[name])


def _policy_maker(options: dict[str, Any]) -> Any:
    from eyehand.agent.blind_policy import BlindPolicy
    from eyehand.agent.policies import policy_maker

    given = dict(options)
    name, blind = given.pop("policy", "model"), given.pop("blind", False)
    given.pop("allow_private", None)
    make_policy = policy_maker(name, **given)
    if not blind:
        return make_policy
    if name != "model":
        raise UsageError("--blind is a control for the model; the other policies see no screen")
    return lambda spec: BlindPolicy(make_policy(spec))


def _print(evaluation: "Evaluation", out: Path, report: Path, as_json: bool) -> None:
    from eyehand.agent.commands.eval_table import print_evaluation

    if as_json:
        shared.print_json({**evaluation.to_json(), "folder": str(out), "report": str(report)})
    else:
        print_evaluation(evaluation)
    shared.say(f"report: {report}")


def _status(evaluation: "Evaluation") -> int:
    from eyehand.agent.outcome import EXIT_FAULT, EXIT_INTERRUPTED, EXIT_SUCCESS

    if not evaluation.finished:
        return EXIT_INTERRUPTED
    lost = any(row.unscored and not row.rate.episodes for row in evaluation.tasks)
    return EXIT_FAULT if lost else EXIT_SUCCESS
