"""`eyehand check-model`: does this model fit here, and do its clicks land?"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from eyehand.agent.cli import arguments as shared
from eyehand.agent.cli import model_arguments

if TYPE_CHECKING:
    from eyehand.agent.model_check.measure import Asked, ModelCheck

NAME = "check-model"
SUMMARY = "see whether a model's clicks land, and in which numbers it writes them"
EXAMPLES = """\
examples:
  eyehand check-model                                      the embedded model
  eyehand check-model --model Qwen/Qwen2-VL-2B-Instruct
  eyehand check-model --model http://localhost:8000/v1 --served-model ui-tars --dialect ui-tars
  eyehand check-model --model my-folder --targets 140 --json

It draws screens with words, buttons and icons at three sizes, asks for each in the model's dialect,
and reports how many are hit, how far off the clicks are, which reading of the numbers would fit
best, how many answers hold a call, and what a step costs. A page shows every click.

exit status: 0 when it fits, 1 when it does not; 2 wrong usage; 3 the server failed
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    model_arguments.add_model_arguments(parser)
    parser.add_argument(
        "--targets", type=shared.positive_int, default=42, metavar="N",
        help="how many things to ask for (default: 42)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=shared.seed, default=0, metavar="N", help="of the first screen (default: 0)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("model-check.html"), metavar="FILE",
        help="the page (default: model-check.html)",
    )  # fmt: skip
    shared.add_json_argument(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Ask, measure, write the page and say what came of it."""
    from eyehand.agent.model_check.measure import GOOD_SHARE, check_model
    from eyehand.agent.model_check.page import write_check
    from eyehand.agent.outcome import EXIT_NO_SUCCESS, EXIT_SUCCESS
    from eyehand.agent.policies.models.choose import model_policy

    policy = model_policy(**model_arguments.model_options(arguments))

    def follow(asked: "Asked") -> None:
        said = "hit" if asked.is_hit else "missed"
        shared.say(f"{asked.target.task} {said}, {asked.seconds:.1f} s")

    check = check_model(policy, arguments.targets, arguments.seed, follow)
    page = write_check(check, arguments.out.absolute())
    if arguments.json:
        shared.print_json({**check.to_json(), "page": str(page)})
    else:
        _print(check)
        shared.print_text(f"page: {page}")
    fits = (check.hits.value or 0.0) >= GOOD_SHARE
    return EXIT_SUCCESS if fits else EXIT_NO_SUCCESS


def _print(check: "ModelCheck") -> None:
    low, high = check.hits.interval
    shared.print_text(
        f"{check.hits.successes} of {check.hits.trials} targets hit "
        f"(95% interval {low:.0%} to {high:.0%}); {check.parsed.value or 0:.0%} of the answers "
        "hold a valid call"
    )
    for size, rate in {**check.by("size"), **check.by("kind")}.items():
        shared.print_text(f"  {size}: {rate.successes} of {rate.trials}")
    for fit in check.conventions[:3]:
        shared.print_text(
            f"  read as {fit.name}: {fit.hits:.0%} hit, {fit.distance_px:.0f} px off in the middle"
        )
    shared.print_text(check.verdict)
