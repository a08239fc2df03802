"""`eyehand train tune`: a model learns from a user's own recorded episodes."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyehand.agent.cli import arguments as shared
from eyehand.agent.cli.train import options
from eyehand.agent.outcome import EXIT_SUCCESS
from eyehand.errors import UsageError

if TYPE_CHECKING:
    from eyehand.agent.training.tuning import TuningPlan

SUMMARY = "tune a model on your own recorded episodes, whole or with LoRA adapters"


def add_arguments(tune: argparse.ArgumentParser) -> None:
    """Declare the part's arguments."""
    tune.add_argument(
        "--data",
        type=Path,
        required=True,
        nargs="+",
        metavar="DIR",
        help="folders of recorded episodes: runs, evaluations, or folders of them",
    )
    tune.add_argument(
        "--model", type=Path, metavar="M", help="a folder or Hub id (default: the embedded model)"
    )
    tune.add_argument("--out", type=Path, required=True, metavar="DIR", help="the new checkpoint's")
    tune.add_argument(
        "--lora",
        type=shared.positive_int,
        default=0,
        metavar="RANK",
        help="train adapters of this rank beside the weights (default: the weights themselves)",
    )
    tune.add_argument("--train-tower", action="store_true", help="let the vision tower learn too")
    options.add_number(tune, "--rounds", 3, "how often every document is seen")
    options.add_number(tune, "--batch", 8, "documents a step")
    options.add_number(tune, "--screens", 4, "steps of an episode that a document shows at most")
    tune.add_argument("--seed", type=shared.seed, default=0, metavar="N", help="default: 0")
    tune.add_argument(
        "--rate",
        type=shared.positive_float,
        metavar="R",
        help="learning rate at its highest (default: 0.0002 with --lora; else 0.0003 below 100 "
        "million weights, 0.00001 above)",
    )
    _add_what_is_learned(tune)
    tune.add_argument("--device", default="cpu", metavar="D", help="cpu, cuda, ... (default: cpu)")
    tune.add_argument(
        "--dtype",
        choices=("float32", "bfloat16"),
        default="float32",
        help="of the weights that stay as they are, with --lora (default: float32)",
    )


def _add_what_is_learned(tune: argparse.ArgumentParser) -> None:
    tune.add_argument(
        "--outcome",
        default="succeeded",
        metavar="NAMES",
        help="learn from episodes that ended so, with commas between, or `any` "
        "(default: succeeded)",
    )
    tune.add_argument(
        "--held-out",
        type=shared.share_or_none,
        default=0.1,
        metavar="SHARE",
        help="share of the episodes that measure the loss instead, 0 to 1 (default: 0.1)",
    )
    tune.add_argument(
        "--dialect",
        choices=("keyword", "tool_call"),
        default="keyword",
        help="how the model is asked (default: keyword)",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Tune, and say how far it is."""
    outcomes = _outcomes(arguments.outcome)
    from rich.console import Console
    from rich.progress import Progress

    from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
    from eyehand.agent.training.tuning import tune

    is_first = os.environ.get("RANK", "0") == "0"  # of the processes that were launched together
    with Progress(console=Console(stderr=True), disable=not is_first) as bar:
        task = bar.add_task("reading the episodes", total=None)

        def begin(line: str, tokens: int) -> None:
            bar.update(task, total=tokens, description="tuning")
            shared.say(line)

        def follow(now: dict[str, float]) -> None:
            said = f"step {now['steps']:.0f}, loss {now['loss']:.3f}"
            bar.update(task, completed=now["tokens"], description=said)

        summary = tune(
            arguments.data, arguments.out, arguments.model or EMBEDDED_CHECKPOINT,
            _plan(arguments), outcomes, arguments.dialect, arguments.device, follow, begin,
        )  # fmt: skip
    if is_first:
        shared.say(_told(summary, arguments))
        if arguments.json:
            shared.print_json({**summary, "folder": str(arguments.out)})
    return EXIT_SUCCESS


def _plan(arguments: argparse.Namespace) -> "TuningPlan":
    from eyehand.agent.training.tuning import TuningPlan
    from eyehand.model.hub import named_dtype

    dtype = named_dtype(arguments.dtype)
    assert dtype is not None
    return TuningPlan(
        rounds=arguments.rounds, learning_rate=arguments.rate, batch=arguments.batch,
        lora=arguments.lora, train_tower=arguments.train_tower, screens=arguments.screens,
        held_out=arguments.held_out, seed=arguments.seed, dtype=dtype,
    )  # fmt: skip


def _outcomes(named: str) -> list[str]:
    """Return how episodes ended that are learned from; empty for any way."""
    from eyehand.agent.outcome import Outcome

    outcomes = [] if named == "any" else named.split(",")
    known = [str(outcome) for outcome in Outcome]
    if unknown := [name for name in outcomes if name not in known]:
        raise UsageError(f"no episode ends {unknown[0]!r}: --outcome any, or {', '.join(known)}")
    return outcomes


def _told(summary: dict[str, Any], arguments: argparse.Namespace) -> str:
    before, after = summary["held_out_loss_before"], summary["held_out_loss"]
    held = "" if before is None else f"; on held-out episodes {before:.3f} before, {after:.3f} now"
    use = "--adapter" if arguments.lora else "--model"
    return (
        f"{summary['steps']:.0f} steps, loss {summary['loss']:.3f}{held}: "
        f"eyehand run TASK --env ... {use} {arguments.out}"
    )
