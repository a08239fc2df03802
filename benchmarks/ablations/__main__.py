"""`python -m benchmarks.ablations`: one thing changed a row, all else trained as long.

python -m benchmarks.ablations patch-7 patch-14 --core-seconds 600 --json ablations.json
eyehand eval miniwob:click-tab-2,miniwob:login-user --policy expert --episodes 60 --out shown
python -m benchmarks.ablations with-thought without-thought --recorded shown --json ablations.json

Rows of one kind that are run in one call take turns. A row that the file holds already is not run
again.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.ablations.rows import COLUMNS, ROWS, Amounts, begin, check, key, tables
from benchmarks.ablations.timed import Budget, take_turns
from benchmarks.playing import read_figures
from eyehand.agent.cli import arguments as shared
from eyehand.agent.cli.main import main
from eyehand.agent.cli.parser import Parser

SAY_S = 20.0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    names = "\n".join(f"  {name:25}{told}" for name, (told, _) in ROWS.items())
    parser = Parser(
        prog="python -m benchmarks.ablations", description=__doc__, epilog=f"rows:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    much = Amounts()
    parser.add_argument("rows", nargs="*", metavar="ROW", help="default: all")
    parser.add_argument(
        "--core-seconds", type=shared.positive_float, default=600.0, metavar="N",
        help="of one thread, for the training of each row (default: 600)",
    )  # fmt: skip
    parser.add_argument("--seed", type=shared.seed, default=0, help="default: 0")
    for name, help_ in (
        ("pages", "of held-out words, for the tower alone"),
        ("questions", "on drawn screens"), ("episodes", "of each task, at evaluation seeds"),
    ):  # fmt: skip
        usual = getattr(much, name)
        parser.add_argument(
            f"--{name}", type=shared.positive_int, default=usual, metavar="N",
            help=f"{help_} (default: {usual})",
        )  # fmt: skip
    parser.add_argument(
        "--recorded", type=Path, metavar="DIR", help="an expert's recorded episodes"
    )
    parser.add_argument(
        "--json", dest="kept", type=Path, metavar="FILE",
        help="keep the figures, and go on with those that are there",
    )  # fmt: skip
    parser.set_defaults(execute=execute, command="ablations", json=False)
    return parser


def execute(arguments: argparse.Namespace) -> int:
    """Run the rows that are not there yet, and print the tables."""
    torch.set_num_threads(1)  # a core-second is a second of one thread
    budget, seed = Budget(arguments.core_seconds), arguments.seed
    much = replace(
        Amounts(), pages=arguments.pages, questions=arguments.questions,
        episodes=arguments.episodes, recorded=arguments.recorded,
    )  # fmt: skip
    kept = read_figures(arguments.kept)
    names = [n for n in arguments.rows or ROWS if key(n, budget, seed) not in kept]
    check(names, much)
    for kind in COLUMNS:
        together = [name for name in names if type(ROWS[name][1]) is kind]
        for name, found in _measured(together, budget, seed, much):
            kept[key(name, budget, seed)] = found
            if arguments.kept:
                arguments.kept.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    shared.print_text(tables(kept))
    return 0


def _measured(
    names: Sequence[str], budget: Budget, seed: int, much: Amounts
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Let rows take turns, and yield the figures of each at its end."""
    with tempfile.TemporaryDirectory(prefix="eyehand-") as folder:
        rows = {name: begin(name, budget, seed, Path(folder) / name, much) for name in names}
        said_s = time.monotonic()
        for name, found in take_turns(rows):
            if isinstance(found, dict):
                shared.say(f"{name}: measured")
                yield name, found | {"row": name, "budget_s": budget.core_s, "seed": seed}
            elif time.monotonic() - said_s > SAY_S:
                said_s = time.monotonic()
                shared.say(f"{name}: {found:.0f} of {budget.core_s:g} core-seconds")


if __name__ == "__main__":
    sys.exit(main(make_parser=make_parser))
