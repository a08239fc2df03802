"""`eyehand train gpu`: reading and everything else in one run, with all documents in memory."""

import argparse
from pathlib import Path

from eyehand.agent.cli import arguments as shared
from eyehand.agent.cli.train import options
from eyehand.agent.outcome import EXIT_SUCCESS

SUMMARY = "train on a GPU: all documents in its memory, each step recorded"


def add_arguments(gpu: argparse.ArgumentParser) -> None:
    """Declare the part's arguments."""
    options.add_documents(
        gpu, "share of drawn screens at the beginning, 0 to 1; it falls to half", 0.5
    )
    options.add_learning(gpu, "cuda", 0.0012)
    gpu.add_argument("--out", type=Path, required=True, metavar="DIR", help="the checkpoint's")
    options.add_number(gpu, "--steps", 20_000, "steps in which everything is learned")
    options.add_number(
        gpu,
        "--reading-steps",
        4_000,
        "steps before, in which the tower learns to read",
        shared.seed,
    )
    options.add_number(gpu, "--seed", 0, "of documents and weights", shared.seed)
    gpu.add_argument(
        "--workers",
        type=shared.positive_int,
        metavar="N",
        help="processes that draw and pack documents (default: one fewer than CPUs)",
    )
    options.add_number(
        gpu, "--batch", 32, "MiniWoB screens a step; of larger ones fewer, of pages more"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Train, and say how far it is."""
    weights = options.read_weights(arguments.weights)
    from rich.console import Console
    from rich.progress import Progress

    from eyehand.agent.training.resident import ResidentPlan, train_resident

    given = {} if arguments.workers is None else {"workers": arguments.workers}
    plan = ResidentPlan(
        steps=arguments.steps, reading_steps=arguments.reading_steps, batch=arguments.batch,
        learning_rate=arguments.rate, drawn=arguments.drawn, seed=arguments.seed, weights=weights,
        other_words=arguments.other_words, **given,
    )  # fmt: skip
    now: dict[str, float] = {}
    try:
        with Progress(console=Console(stderr=True)) as bar:
            task = bar.add_task("getting documents ready", total=plan.steps + plan.reading_steps)

            def follow(line: dict[str, float]) -> None:
                now.update(line)
                bar.update(task, completed=line["steps"], description=_described(line))

            summary = train_resident(
                arguments.data, arguments.out, plan, arguments.initial, arguments.device, follow
            )
    except KeyboardInterrupt:
        if now:
            shared.say(f"the checkpoint so far is in {arguments.out}")
        raise
    shared.say(f"{_described(summary)}: {arguments.out}")
    if arguments.json:
        shared.print_json({**summary, "folder": str(arguments.out)})
    return EXIT_SUCCESS


def _described(line: dict[str, float]) -> str:
    # Without a loss of answers the tower is learning to read.
    name = "loss" if "loss" in line else "character_loss"
    losses = f", {name.replace('_', ' ')} {line[name]:.3f}" if name in line else ""
    return f"step {line['steps']:.0f}{losses}"
