"""`python -m benchmarks`: what the runtime itself costs, and what a step of the model does."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eyehand.agent.cli import arguments as shared
from eyehand.agent.cli.main import main
from eyehand.agent.cli.parser import Parser

EXAMPLES = """\
examples:
  python -m benchmarks step                                     our side alone
  python -m benchmarks step --peer-python bg-venv/bin/python    beside BrowserGym, in alternation
  python -m benchmarks step --task click-tab --episodes 10 --json
  python -m benchmarks step --without-canvas --scale 1.5
  python -m benchmarks episodes --peer-python bg-venv/bin/python
  python -m benchmarks android --episodes 3                     beside plain adbutils
  python -m benchmarks preprocess --screen 1288x728 --rounds 20
  python -m benchmarks engine --shape 136M --screen 1288x728 --steps 12 --scratch-at 5,12
  python -m benchmarks engine --shape 2B --screen 1280x720 --device cuda --steps 3
  python -m benchmarks fitting --shape 2B --screen 1288x728 --at /var/tmp
  python -m benchmarks engine --together 16 --steps 4           at once, and one after the other

step: the time of one step (act, settle, capture, record to disk) on a page of MiniWoB++. The
peer is a Python interpreter that has BrowserGym; docs/results/bench-step.md says how to make one.
episodes: episodes a minute of the evaluator, with 1 and 2 workers, on tasks of MiniWoB++ that
scripted answers solve; beside as many processes with BrowserGym that play the same answers.
android: one step (act, settle, capture) and one raw capture on the simulated phone, through the
real adb server, beside adbutils' own screenshot() and click().
preprocess: from the browser's PNG to the network's patches, beside transformers' processors; CPU
seconds of one thread.
engine: one conversation, a screen and an answer a step, under each history policy and with
transformers, from scratch and with its cache kept; CPU seconds of one thread, random weights.
With --together N: conversations at once and one after the other, part by part. With --device:
conversations at once in batches, beside transformers eager and compiled; milliseconds on the clock.
fitting: a checkpoint of random weights (2B: 4.4 GB) is written, loaded in bfloat16 and in 4 bits
and by transformers, each in its own process, and shown a screen: memory, and seconds of one thread.

exit status: 0 measured; 2 wrong usage, or a peer without BrowserGym; 3 a browser failed; 130
stopped with Ctrl-C.
"""

STEP_TASK = "click-test-2"
STEPS = {"step": 10, "android": 10, "episodes": 3, "engine": 50, "fitting": 1, "preprocess": 1}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = Parser(
        prog="python -m benchmarks",
        description="Measure the runtime itself, without a model, and the engine of the model.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    parser.set_defaults(execute=execute, command="benchmarks")
    return parser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("benchmark", choices=tuple(STEPS), help="what to measure")
    parser.add_argument(
        "--task",
        metavar="NAME",
        help=f"default: {STEP_TASK}; episodes: names with commas, by default five that one "
        "click solves",
    )
    parser.add_argument(
        "--episodes",
        type=shared.positive_int,
        default=5,
        metavar="N",
        help="default: 5 a side; episodes: a task and turn",
    )
    parser.add_argument(
        "--steps",
        type=shared.positive_int,
        metavar="N",
        help="steps an episode (default: 10; episodes: 3, the last of which solve it; engine: 50; "
        "fitting: 1)",
    )
    parser.add_argument(
        "--shape", choices=("embedded", "136M", "2B", "7B"), default="embedded",
        help="engine, fitting: sizes of the network (default: embedded)",
    )  # fmt: skip
    parser.add_argument(
        "--device", metavar="NAME", help="engine: where conversations are played in batches"
    )
    parser.add_argument(
        "--batches", type=_numbers, default=(1, 8, 32), metavar="N,N",
        help="engine --device: conversations at once (default: 1,8,32)",
    )  # fmt: skip
    parser.add_argument(
        "--tokens", type=shared.positive_int, default=60, metavar="N",
        help="engine --device: tokens of an answer (default: 60)",
    )  # fmt: skip
    parser.add_argument(
        "--screen", type=shared.size, default=(160, 210), metavar="WxH",
        help="engine, fitting, preprocess: size of the screens (default: 160x210)",
    )  # fmt: skip
    parser.add_argument(
        "--at", metavar="DIR", type=Path,
        help="fitting: where the checkpoint is written, and removed (default: a temporary folder)",
    )  # fmt: skip
    parser.add_argument(
        "--side", metavar="WORD",
        help="engine, fitting: only the sides with this word in their name, such as evict or int4",
    )  # fmt: skip
    parser.add_argument(
        "--scratch-at", type=_numbers, default=(), metavar="N,N",
        help="engine: steps that are computed from scratch too, once such a step takes over a "
        "minute (default: none)",
    )  # fmt: skip
    parser.add_argument(
        "--together", type=shared.positive_int, metavar="N",
        help="engine: N conversations at once, beside N one after the other",
    )  # fmt: skip
    parser.add_argument(
        "--rounds",
        type=shared.positive_int,
        default=3,
        metavar="N",
        help="episodes, preprocess: turns a side (default: 3)",
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, metavar="N",
        help="step: pixels in a CSS pixel, of web: and BrowserGym (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--without-canvas", action="store_true", help="step: take the page's canvas away"
    )
    parser.add_argument(
        "--peer-python", metavar="PATH", help="a Python interpreter that has BrowserGym"
    )
    shared.add_json_argument(parser)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(shared.positive_int(number) for number in text.split(","))


def execute(arguments: argparse.Namespace) -> int:
    """Measure and print the tables."""
    from benchmarks.browsergym.interpreter import HOW_TO_GET_IT
    from eyehand.agent.outcome import EXIT_SUCCESS

    arguments.steps = arguments.steps or STEPS[arguments.benchmark]
    document, print_tables = _MEASURES[arguments.benchmark](arguments)
    if arguments.benchmark in ("step", "episodes") and arguments.peer_python is None:
        shared.say(f"BrowserGym was not measured: it needs an interpreter; {HOW_TO_GET_IT}")
    if arguments.json:
        shared.print_json(document)
    else:
        print_tables(document)
    return EXIT_SUCCESS


Measured = tuple[dict[str, Any], Callable[[dict[str, Any]], None]]
"""The document, and what prints its tables."""


def _measure_step(arguments: argparse.Namespace) -> Measured:
    from benchmarks.step.measure import bench_step
    from benchmarks.tables import print_step

    task = arguments.task or STEP_TASK
    document = bench_step(
        task,
        arguments.episodes,
        arguments.steps,
        arguments.peer_python,
        shared.say,
        arguments.scale,
        not arguments.without_canvas,
    )
    return document, print_step


def _measure_episodes(arguments: argparse.Namespace) -> Measured:
    from benchmarks.episodes.measure import TASKS, bench_episodes
    from benchmarks.tables import print_episodes

    document = bench_episodes(
        arguments.task.split(",") if arguments.task else TASKS,
        arguments.episodes,
        arguments.steps,
        arguments.rounds,
        arguments.peer_python,
        shared.say,
    )
    return document, print_episodes


def _measure_android(arguments: argparse.Namespace) -> Measured:
    from benchmarks.step.android import bench_android
    from benchmarks.tables import print_android

    return bench_android(arguments.episodes, arguments.steps, shared.say), print_android


def _measure_engine(arguments: argparse.Namespace) -> Measured:
    from benchmarks.engine.measure import bench_engine
    from benchmarks.engine.on_device import bench_on_device
    from benchmarks.engine.together import bench_together
    from benchmarks.tables import print_engine, print_on_device, print_together

    asked = arguments.shape, arguments.screen, arguments.steps
    if arguments.device is not None:
        batches, tokens = arguments.batches, arguments.tokens
        measured = bench_on_device(*asked, arguments.device, batches, tokens, shared.say)
        return measured, print_on_device
    if arguments.together is not None:
        return bench_together(*asked, arguments.together, shared.say), print_together
    document = bench_engine(*asked, shared.say, arguments.scratch_at, arguments.side)
    return document, print_engine


def _measure_fitting(arguments: argparse.Namespace) -> Measured:
    from benchmarks.engine.fitting import bench_fitting
    from benchmarks.tables import print_fitting

    document = bench_fitting(
        arguments.shape, arguments.screen, arguments.steps, arguments.at, shared.say,
        arguments.side,
    )  # fmt: skip
    return document, print_fitting


def _measure_preprocess(arguments: argparse.Namespace) -> Measured:
    from benchmarks.preprocess.measure import bench_preprocess
    from benchmarks.tables import print_preprocess

    return bench_preprocess(arguments.screen, arguments.rounds, shared.say), print_preprocess


_MEASURES: dict[str, Callable[[argparse.Namespace], Measured]] = {
    "step": _measure_step,
    "episodes": _measure_episodes,
    "android": _measure_android,
    "engine": _measure_engine,
    "fitting": _measure_fitting,
    "preprocess": _measure_preprocess,
}


if __name__ == "__main__":
    sys.exit(main(make_parser=make_parser))
