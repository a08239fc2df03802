"""`eyehand train`: demonstrations from the experts, and a small Qwen2-VL trained on them."""

import argparse
from pathlib import Path

from eyehand.agent.commands import arguments as shared

NAME = "train"
SUMMARY = "collect demonstrations and train a small Qwen2-VL on them"
EXAMPLES = """\
examples:
  eyehand train collect --out demonstrations --documents 10000
  eyehand train collect --out demonstrations --documents 10000 --first-seed 100000
  eyehand train run --data demonstrations --out my-model --minutes 60
  eyehand eval embedded --model my-model --episodes 100

`collect` lets the experts solve MiniWoB++ tasks and number-line in real environments and writes
what they saw and did, in the runtime's own prompt format, as shards. Several may write into one
folder with different first seeds. `run` trains a network of 6 million parameters, from scratch
with a tokenizer of its own, or further from a checkpoint. Only the training seeds 0 to 999,999 are
used: the others are for evaluation.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the two parts and their arguments."""
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True)
    collect = parts.add_parser("collect", help="let the experts act and write shards")
    collect.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the shards' folder"
    )
    collect.add_argument(
        "--documents", type=shared.positive_int, default=10_000, metavar="N", help="default: 10000"
    )
    collect.add_argument(
        "--first-seed", type=shared.seed, default=0, metavar="N", help="default: 0"
    )
    collect.add_argument(
        "--only",
        metavar="SPECS",
        default="",
        help="of these sources only, with commas between, such as miniwob:click-option (default: "
        "the embedded model's; `eyehand suites miniwob` lists the tasks that have an expert)",
    )
    run = parts.add_parser("run", help="train on shards")
    run.add_argument("--data", type=Path, required=True, metavar="DIR", help="the shards' folder")
    run.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the checkpoint's folder"
    )
    run.add_argument(
        "--minutes", type=shared.positive_float, default=60.0, metavar="M", help="default: 60"
    )
    run.add_argument(
        "--from",
        dest="initial",
        type=Path,
        metavar="DIR",
        help="go on from this checkpoint (default: a new network)",
    )
    run.add_argument(
        "--decay",
        type=shared.share,
        default=0.5,
        metavar="SHARE",
        help="share of the time in which the learning rate falls to zero (default: 0.5)",
    )
    run.add_argument(
        "--drawn",
        type=shared.share_or_none,
        default=0.0,
        metavar="SHARE",
        help="share of drawn screens among the documents, 0 to 1 (default: 0)",
    )
    run.add_argument(
        "--items-every",
        type=shared.seed,
        default=0,
        metavar="N",
        help="drawn screens begin with one item and get one more every N (default: 0, all at once)",
    )
    run.add_argument(
        "--guide",
        type=shared.share_or_none,
        default=1.0,
        metavar="WEIGHT",
        help="weight of the losses that teach pointing, 0 to 1 (default: 1)",
    )
    run.add_argument("--seed", type=shared.seed, default=0, metavar="N", help="default: 0")
    run.add_argument(
        "--batch", type=shared.positive_int, default=8, metavar="N", help="documents (default: 8)"
    )
    run.add_argument(
        "--only",
        metavar="SPECS",
        default="",
        help="demonstrations of these sources only, with commas between (default: all)",
    )
    run.add_argument(
        "--branches",
        type=shared.positive_int,
        default=6,
        metavar="N",
        help="at most so many answers of a screen at a time (default: 6)",
    )
    run.add_argument(
        "--rate",
        type=shared.positive_float,
        default=0.001,
        metavar="R",
        help="learning rate at its highest (default: 0.001)",
    )
    for part in (collect, run):
        shared.add_json_argument(part)


def execute(arguments: argparse.Namespace) -> int:
    """Collect, or train."""
    return _collect(arguments) if arguments.part == "collect" else _train(arguments)


def _collect(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import Progress

    from eyehand.agent.collect import collect

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("documents", total=arguments.documents)
        collect(
            arguments.out,
            arguments.documents,
            arguments.first_seed,
            only=_specs(arguments.only),
            progress=lambda collected: bar.update(task, completed=collected),
        )
    shared.say(f"{arguments.documents} documents in {arguments.out}")
    if arguments.json:
        shared.print_json({"documents": arguments.documents, "folder": str(arguments.out)})
    return 0


def _train(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import Progress

    from eyehand.agent.training import train_embedded
    from eyehand.model.training.trainer import TrainingPlan

    plan = TrainingPlan(
        minutes=arguments.minutes,
        seed=arguments.seed,
        batch=arguments.batch,
        decay=arguments.decay,
        guide_weight=arguments.guide,
        branches=arguments.branches,
        learning_rate=arguments.rate,
    )
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("training", total=plan.minutes)

        def follow(now: dict[str, float]) -> None:
            description = f"step {now['steps']:.0f}, loss {now['loss']:.3f}"
            bar.update(task, completed=now["minutes"], description=description)

        summary = train_embedded(
            arguments.data,
            arguments.out,
            plan,
            arguments.initial,
            arguments.drawn,
            arguments.items_every,
            _specs(arguments.only),
            follow,
        )
    shared.say(f"{summary['steps']:.0f} steps, loss {summary['loss']:.3f}: {arguments.out}")
    if arguments.json:
        shared.print_json({**summary, "folder": str(arguments.out)})
    return 0


def _specs(listed: str) -> list[str]:
    """Split a list of specs at its commas."""
    return [spec.strip() for spec in listed.split(",") if spec.strip()]
