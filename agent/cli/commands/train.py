"""`eyehand train`: demonstrations from the experts, and a small Qwen2-VL trained on them."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from eyehand.agent.cli import arguments as shared
from eyehand.agent.cli.train import average, harvest, measure, options, tune
from eyehand.agent.cli.train import gpu as train_gpu
from eyehand.agent.outcome import EXIT_INTERRUPTED, EXIT_SUCCESS

if TYPE_CHECKING:
    from eyehand.agent.policies.models.built_in import VlmPolicy

NAME = "train"
SUMMARY = "collect demonstrations and train a small Qwen2-VL on them"
EXAMPLES = """\
examples:
  eyehand train collect --out demonstrations --documents 10000
  eyehand train collect --out demonstrations --documents 10000 --first-seed 100000
  eyehand train collect --out own-states --documents 2000 --student my-model
  eyehand train harvest --pages my-site --pages https://example.org --out harvested --documents 500
  eyehand train read --out reading --steps 20000
  eyehand train read --out tower --branch reading --steps 22000 --decay-steps 2000
  eyehand train run --out pointing --tower tower/tower.safetensors --drawn 1 --tokens 40000000
  eyehand train run --data demonstrations --out my-model --from pointing --drawn 0.2 \
      --tokens 20000000 --decay-tokens 8000000
  eyehand train gpu --data demonstrations --out my-model --steps 20000
  eyehand eval embedded --model my-model --episodes 100
  eyehand train measure --model my-model --data demonstrations
  eyehand train average --with my-model --share 0.5 --out both
  eyehand train tune --data runs/mine --out my-own
  eyehand train tune --data runs/mine --model Qwen/Qwen2-VL-2B-Instruct --lora 16 --out my-adapter
  torchrun --nproc-per-node 2 -m eyehand train tune --data runs/mine --out my-own

`collect` lets the experts act in real environments, MiniWoB++ and the cards where none are named,
and writes what they saw and did, in the runtime's own prompt format, as shards. Several may write
into one folder with different first seeds. With `--student` the checkpoint acts, the expert says
what should have followed, and sources in which it fails come more often (DAgger); Ctrl-C keeps what
there is, and says from which seed it goes on. `harvest` looks
at web pages of your own, and writes shards of what stands where. `read` teaches a vision tower
alone to read drawn pages. `run` trains a network of 12 million parameters on demonstrations and on
drawn screens, from scratch with a tokenizer of its own, or further from a checkpoint. Both go on
where they were interrupted when they are called again; with `--branch` they go on from another
run's state, so that the learning rate may fall there while that run goes on. `gpu` does all of it
in one go, with the documents in the GPU's memory and each step recorded: many times quicker there.
`tune` learns from your own recorded episodes, for any Qwen2-VL checkpoint: whole, or with LoRA
adapters. `average` writes what lies between a checkpoint and one that was trained further from it:
much of what the one forgot and the other learned. `measure` says how many characters of held-out
words the tower reads, how often a word is found, and how many answers of packed documents are
exact. Of seeds only 0 to 999,999 are trained on: the others are for evaluation.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the parts and their arguments."""
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
        "MiniWoB++ and the cards; `eyehand suites NAME` lists the tasks that have an expert)",
    )
    collect.add_argument(
        "--student",
        metavar="MODEL",
        help="let this checkpoint act (embedded, a folder or a Hub id), and the expert say at each "
        "step what should follow (default: the expert acts)",
    )
    own_pages = parts.add_parser("harvest", help=harvest.SUMMARY)
    harvest.add_arguments(own_pages)
    run = parts.add_parser("run", help="train on shards and on drawn screens")
    _add_run_arguments(run)
    read = parts.add_parser("read", help="teach a vision tower to read drawn pages")
    _add_read_arguments(read)
    gpu = parts.add_parser("gpu", help=train_gpu.SUMMARY)
    train_gpu.add_arguments(gpu)
    own = parts.add_parser("tune", help=tune.SUMMARY)
    tune.add_arguments(own)
    mean = parts.add_parser("average", help=average.SUMMARY)
    average.add_arguments(mean)
    measured = parts.add_parser("measure", help=measure.SUMMARY)
    measure.add_arguments(measured)
    for part in (collect, own_pages, run, read, gpu, own, mean, measured):
        shared.add_json_argument(part)


def _add_run_arguments(run: argparse.ArgumentParser) -> None:
    options.add_documents(run, "share of drawn screens among the documents, 0 to 1", 0.0)
    options.add_learning(run, "cpu", 0.001)
    run.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of checkpoint and state"
    )
    options.add_number(
        run, "--tokens", 20_000_000, "stop after so many tokens, earlier ones included"
    )
    options.add_number(
        run,
        "--decay-tokens",
        0,
        "in so many last tokens the learning rate falls to zero",
        shared.seed,
    )
    _add_beginning(run)
    options.add_number(run, "--seed", 0, "of documents and weights", shared.seed)
    options.add_number(run, "--batch", 8, "documents a step")
    options.add_number(run, "--branches", 8, "at most so many answers of a screen at a time")
    options.add_number(run, "--processes", 0, "that make batches ahead of the network", shared.seed)


def _add_beginning(run: argparse.ArgumentParser) -> None:
    """Declare what a run begins with, and which documents it reads."""
    run.add_argument(
        "--branch", type=Path, metavar="DIR", help="begin with a copy of this run's state"
    )
    run.add_argument(
        "--tower", type=Path, metavar="FILE", help="begin with this tower.safetensors of `read`"
    )
    run.add_argument(
        "--drawn-size",
        type=shared.size,
        metavar="WxH",
        help="of all drawn screens, in pixels (default: four sizes from 168x112 to 224x280)",
    )
    run.add_argument("--freeze-tower", action="store_true", help="train the language model alone")
    run.add_argument(
        "--guide",
        type=shared.share_or_none,
        default=1.0,
        metavar="WEIGHT",
        help="weight of the losses that teach pointing, 0 to 1 (default: 1)",
    )
    run.add_argument(
        "--characters",
        type=shared.share_or_none,
        default=1.0,
        metavar="WEIGHT",
        help="weight of the loss that teaches the tower to name characters, 0 to 1 (default: 1)",
    )
    run.add_argument(
        "--only",
        metavar="SPECS",
        default="",
        help="demonstrations of these sources only, with commas between (default: all)",
    )


def _add_read_arguments(read: argparse.ArgumentParser) -> None:
    read.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of state, log and tower"
    )
    read.add_argument(
        "--steps",
        type=shared.positive_int,
        required=True,
        metavar="N",
        help="stop after so many steps, earlier ones included",
    )
    read.add_argument(
        "--decay-steps",
        type=shared.seed,
        default=0,
        metavar="N",
        help="in so many last steps the rate falls to zero (default: 0)",
    )
    read.add_argument(
        "--branch", type=Path, metavar="DIR", help="begin with a copy of this run's state"
    )
    read.add_argument(
        "--from",
        dest="initial",
        type=Path,
        metavar="FILE",
        help="begin with this tower.safetensors, which may have fewer blocks",
    )
    read.add_argument("--seed", type=shared.seed, default=0, metavar="N", help="default: 0")
    read.add_argument(
        "--rate", type=shared.positive_float, default=0.0015, metavar="R", help="default: 0.0015"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Collect, train, or read."""
    parts = {
        "collect": _collect,
        "harvest": harvest.execute,
        "run": _train,
        "read": _read,
        "gpu": train_gpu.execute,
        "tune": tune.execute,
        "average": average.execute,
        "measure": measure.execute,
    }
    return parts[arguments.part](arguments)


def _read(arguments: argparse.Namespace) -> int:
    from eyehand.model.training import reading
    from eyehand.model.training.embedded import tower_config
    from eyehand.model.training.state import branch
    from eyehand.model.training.tower import read_tower, save_tower

    if arguments.branch is not None:
        branch(arguments.branch, arguments.out)
    initial = None if arguments.initial is None else read_tower(arguments.initial)
    plan = reading.ReadingPlan(seed=arguments.seed, learning_rate=arguments.rate)
    run = reading.ReadingRun(tower_config(), plan, arguments.out, initial)
    measured = run.train(arguments.steps, arguments.decay_steps, _say_reading)
    save_tower(run.tower, run.head, arguments.out / "tower.safetensors")
    if arguments.json:
        shared.print_json({**measured, "folder": str(arguments.out)})
    return EXIT_SUCCESS


def _say_reading(line: dict[str, float]) -> None:
    shared.say(
        f"step {line['step']}, loss {line['loss']:.3f}, held-out words: "
        f"{line['characters']:.1%} of characters, {line['words']:.1%} of words"
    )


def _collect(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import Progress

    from eyehand.agent.training.collect import check_sources, collect

    only = _specs(arguments.only)
    check_sources(only)  # before a student is loaded
    student = _student(arguments.student)
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("documents", total=arguments.documents)
        collected = collect(
            arguments.out,
            arguments.documents,
            arguments.first_seed,
            only=only,
            progress=lambda collected: bar.update(task, completed=collected),
            student=student,
        )
    played = collected.played
    succeeded = sum(source.successes for source in played.values())
    episodes = sum(source.episodes for source in played.values())
    shared.say(
        f"{collected.documents} documents in {arguments.out}; "
        f"{succeeded} of {episodes} episodes succeeded"
    )
    if collected.stopped:
        shared.say(f"stopped; --first-seed {collected.next_seed} goes on from here")
    if arguments.json:
        by_source = {spec: asdict(source) for spec, source in played.items() if source.episodes}
        shared.print_json(
            {
                "documents": collected.documents,
                "folder": str(arguments.out),
                "next_seed": collected.next_seed,
                "stopped": collected.stopped,
                "sources": by_source,
            }
        )
    return EXIT_INTERRUPTED if collected.stopped else EXIT_SUCCESS


def _student(model: str | None) -> "VlmPolicy | None":
    """Load the checkpoint that acts; `None` where the expert does."""
    if model is None:
        return None
    from eyehand.agent.policies.models.built_in import VlmPolicy

    return VlmPolicy(None if model == "embedded" else model)


def _train(arguments: argparse.Namespace) -> int:
    weights = options.read_weights(arguments.weights)
    from rich.console import Console
    from rich.progress import Progress

    from eyehand.agent.training.embedded import train_embedded
    from eyehand.model.training.screens import SIZES_PX
    from eyehand.model.training.state import branch
    from eyehand.model.training.trainer import TrainingPlan

    plan = TrainingPlan(
        tokens=arguments.tokens,
        decay_tokens=arguments.decay_tokens,
        seed=arguments.seed,
        batch=arguments.batch,
        guide_weight=arguments.guide,
        character_weight=arguments.characters,
        branches=arguments.branches,
        learning_rate=arguments.rate,
        freeze_tower=arguments.freeze_tower,
    )
    if arguments.branch is not None:
        branch(arguments.branch, arguments.out, ("tokenizer.json", "tokenizer_config.json"))
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("training", total=plan.tokens)

        def follow(now: dict[str, float]) -> None:
            description = f"step {now['steps']:.0f}, loss {now['loss']:.3f}"
            bar.update(task, completed=now["tokens"], description=description)

        summary = train_embedded(
            arguments.data,
            arguments.out,
            plan,
            arguments.initial,
            arguments.tower,
            arguments.drawn,
            _specs(arguments.only),
            follow,
            arguments.device,
            arguments.processes,
            arguments.other_words,
            [arguments.drawn_size] if arguments.drawn_size else SIZES_PX,
            weights,
        )
    shared.say(f"{summary['steps']:.0f} steps, loss {summary['loss']:.3f}: {arguments.out}")
    if arguments.json:
        shared.print_json({**summary, "folder": str(arguments.out)})
    return EXIT_SUCCESS


def _specs(listed: str) -> list[str]:
    """Split a list of specs at its commas."""
    return [spec.strip() for spec in listed.split(",") if spec.strip()]
