"""`eyehand demo`: the embedded model solves tasks of pages, cards and a phone; with a report."""

import argparse
from pathlib import Path

from eyehand.agent.cli import arguments as shared
from eyehand.errors import MissingProgram

NAME = "demo"
SUMMARY = "watch the embedded model solve tasks, and get a report to look at"
EXAMPLES = """\
examples:
  eyehand demo
  eyehand demo --out my-demo --seed 1000500

The tasks are those that the embedded model's card names for it; each runs one episode with a seed
that training never saw. The last lines name the report to open.
"""
DEFAULT_SEED = 1_000_000
MAX_STEPS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--out", type=shared.out_folder, metavar="DIR", help="folder (default: runs/TIME-demo)"
    )
    parser.add_argument(
        "--seed",
        type=shared.seed,
        default=DEFAULT_SEED,
        metavar="N",
        help=f"seed of every task (default: {DEFAULT_SEED}, the first evaluation seed)",
    )
    shared.add_json_argument(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the demo's tasks, write the report, say what came out."""
    from eyehand.agent.agent import default_folder
    from eyehand.agent.cli.progress import EvaluationProgress
    from eyehand.agent.evaluation.evaluate import run_evaluation
    from eyehand.agent.evaluation.plan import Plan
    from eyehand.agent.policies.models.checkpoint_files import model_card
    from eyehand.agent.policies.registry import policy_maker
    from eyehand.agent.report import write_report
    from eyehand.envs.registry import make
    from eyehand.envs.web.browser import Browser

    out = _fresh(arguments.out or default_folder("demo"))
    plan = Plan(
        suite="demo",
        specs=_playable([str(spec) for spec in model_card()["demo"]]),
        episodes=1,
        first_seed=arguments.seed,
        max_steps=MAX_STEPS,
        out=out,
    )
    Browser.shared()  # what is missing is said before anything is written
    shared.say("The embedded Qwen2-VL looks at real pages, cards and a simulated phone, and acts.")
    with EvaluationProgress() as progress:
        evaluation = run_evaluation(plan, make, policy_maker("model"), progress)
    report = write_report(out)
    solved = sum(row.rate.successes for row in evaluation.tasks)
    shared.say(f"{solved} of {len(plan.specs)} tasks solved")
    shared.say(f"open the report: {report.resolve()}")
    if arguments.json:
        document = {**evaluation.to_json(), "folder": str(out), "report": str(report)}
        shared.print_json(document)
    return 0 if solved == len(plan.specs) else 1


def _playable(specs: list[str]) -> list[str]:
    """Return the specs; without the phone's, which is said, where there is no adb to reach it."""
    from eyehand.envs.android.server import adb_program

    try:
        adb_program()
    except MissingProgram as error:
        shared.say(f"without the phone's task: {error}")
        return [spec for spec in specs if not spec.startswith("phone:")]
    return specs


def _fresh(folder: Path) -> Path:
    """Return the folder, or the first numbered neighbour that holds nothing yet."""
    candidate, number = folder, 2
    while candidate.exists() and any(candidate.iterdir()):
        candidate, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return candidate
