"""`eyehand bench`: what the runtime itself costs, without a model."""

import argparse
from typing import Any

from eyehand.agent.commands import arguments as shared

NAME = "bench"
SUMMARY = "measure the runtime itself, without a model"
EXAMPLES = """\
examples:
  eyehand bench step                                     our side alone
  eyehand bench step --peer-python bg-venv/bin/python    beside BrowserGym, in alternation
  eyehand bench step --task click-tab --episodes 10 --json
  eyehand bench android --episodes 3                     beside plain adbutils

step: the time of one step (act, settle, capture, record to disk) on a page of MiniWoB++. The
peer is a Python interpreter that has BrowserGym; docs/results/bench-step.md says how to make one.
android: one step (act, settle, capture) and one raw capture on the simulated phone, through the
real adb server, beside adbutils' own screenshot() and click().

exit status: 0 measured; 2 wrong usage, or a peer without BrowserGym; 3 a browser failed.
"""

TABLE_WIDTH = 120
"""Characters of the widest table."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("benchmark", choices=("step", "android"), help="what to measure")
    parser.add_argument(
        "--task", default="click-test-2", metavar="NAME", help="default: click-test-2"
    )
    parser.add_argument(
        "--episodes", type=shared.positive_int, default=5, metavar="N", help="default: 5 a side"
    )
    parser.add_argument(
        "--steps", type=shared.positive_int, default=10, metavar="N", help="default: 10 an episode"
    )
    parser.add_argument(
        "--peer-python", metavar="PATH", help="a Python interpreter that has BrowserGym"
    )
    shared.add_json_argument(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Measure and print the tables."""
    if arguments.benchmark == "android":
        return _execute_android(arguments)
    from eyehand.agent.bench.peer import HOW_TO_GET_IT
    from eyehand.agent.bench.step import bench_step
    from eyehand.agent.outcome import EXIT_SUCCESS

    document = bench_step(
        arguments.task, arguments.episodes, arguments.steps, arguments.peer_python, shared.say
    )
    if arguments.peer_python is None:
        shared.say(f"BrowserGym was not measured: it needs an interpreter; {HOW_TO_GET_IT}")
    if arguments.json:
        shared.print_json(document)
    else:
        _print(document)
    return EXIT_SUCCESS


def _execute_android(arguments: argparse.Namespace) -> int:
    from eyehand.agent.bench.android import bench_android
    from eyehand.agent.outcome import EXIT_SUCCESS

    document = bench_android(arguments.episodes, arguments.steps, shared.say)
    if arguments.json:
        shared.print_json(document)
    else:
        _print_android(document)
    return EXIT_SUCCESS


def _print_android(document: dict[str, Any]) -> None:
    from rich.console import Console

    from eyehand.agent.bench.android import PARTS

    console = Console(highlight=False, soft_wrap=True)
    console.width = max(console.width, TABLE_WIDTH)
    width, height = document["screen"]
    console.print(
        f"the simulated phone, {width}x{height}, {document['rounds']} rounds of "
        f"{document['steps']} steps a side, in alternation; milliseconds: median (lowest to "
        "highest)"
    )
    rows = [
        [
            row["name"],
            _range(row["step_s"]),
            *(_part(row["parts_s"][part]) for part in PARTS),
            _range(row["phone_s"]),
        ]
        for row in document["rows"]
    ]
    console.print(_table(("", "step", *PARTS, "of it the phone's drawing"), rows))
    console.print("\none raw capture; the phone's time is until its first byte")
    rows = [
        [row["name"], *(_range(row[f"{part}_s"]) for part in ("phone", "move", "decode"))]
        for row in document["captures"]
    ]
    console.print(_table(("", "phone", "move", "decode"), rows))
    for ratio in document["ratios"]:
        console.print(
            f"\nmoving and decoding: eyehand {_times(ratio)} times as fast as {ratio['against']}"
        )


def _print(document: dict[str, Any]) -> None:
    from rich.console import Console

    from eyehand.agent.bench.step import PARTS

    console = Console(highlight=False, soft_wrap=True)
    # In a pipe or a narrow window: lines that run on, rather than columns cut in pieces.
    console.width = max(console.width, TABLE_WIDTH)
    console.print(
        f"miniwob:{document['task']}, {document['episodes']} episodes of {document['steps']} steps "
        "a side, in alternation; milliseconds: median (lowest to highest)"
    )
    rows = document["rows"]
    columns = ("", "screen", "step", "reset", "first reset")
    console.print(_table(columns, [_totals(row) for row in rows]))
    console.print("\na step by part, medians; text is what is read beside the pixels")
    cells = [[row["name"], *(_part(row["parts_s"][part]) for part in PARTS)] for row in rows]
    console.print(_table(("", *PARTS), cells))
    console.print("\nwhat each step extracts")
    for extracts in dict.fromkeys(row["extracts"] for row in rows):
        names = "; ".join(row["name"] for row in rows if row["extracts"] == extracts)
        console.print(f"  {names}: {extracts}")
    if document["ratios"]:
        console.print(
            "\nour steps in one of the peer's, round by round; "
            f"claims only against: {document['claims_against']}"
        )
        cells = [
            [r["ours"], r["peer"], _times(r), _times(r["without_text"])] for r in document["ratios"]
        ]
        console.print(_table(("", "", "ratio", "ratio without the peer's text"), cells))


def _table(columns: tuple[str, ...], rows: list[list[str]]) -> Any:
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    return table


def _totals(row: dict[str, Any]) -> list[str]:
    width, height = row["screen"]
    first = f"{1000 * row['first_reset_s']:.0f}"
    return [row["name"], f"{width}x{height}", _range(row["step_s"]), _range(row["reset_s"]), first]


def _range(seconds: dict[str, float]) -> str:
    median, low, high = (1000 * seconds[name] for name in ("median", "low", "high"))
    return f"{median:.0f} ({low:.0f} to {high:.0f})"


def _part(seconds: float) -> str:
    return f"{1000 * seconds:.1f}"


def _times(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.1f} ({ratio['low']:.1f} to {ratio['high']:.1f})"
