"""The tables of `python -m benchmarks`, printed where no JSON was asked for."""

from typing import TYPE_CHECKING, Any

from eyehand.agent.cli import tables

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_android(document: dict[str, Any]) -> None:
    """Print a document of `bench_android`."""
    from benchmarks.step.android import PARTS

    console = tables.console(wide=True)
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


def print_engine(document: dict[str, Any]) -> None:
    """Print a document of `bench_engine`."""
    console = tables.console(wide=True)
    width, height = document["screen"]
    console.print(
        f"{document['shape']}, {document['parameters'] / 1e6:.0f}M parameters, {width}x{height}, "
        f"{document['step_tokens']} tokens a step, {document['answer_tokens']} of them written; "
        f"evict has memory for {document['held_steps']} steps; CPU seconds a step (one thread)"
    )
    longest = max(len(times) for times in document["cpu_s"].values())
    shown = [step for step in (1, 2, 5, 10, 20, 30, 40, 50) if step < longest] + [longest]
    rows = [
        [name, *("–" if times[n - 1] is None else f"{times[n - 1]:.2f}" for n in shown),
         f"{document['cache_bytes'][name] / 1e6:.0f} MB"]
        for name, times in document["cpu_s"].items()
    ]  # fmt: skip
    console.print(_table(("", *(f"step {n}" for n in shown), "keys and values"), rows))
    console.print(f"steps whose exact sides wrote different tokens: {document['unequal_answers']}")


def print_fitting(document: dict[str, Any]) -> None:
    """Print a document of `bench_fitting`."""
    console = tables.console(wide=True)
    width, height = document["screen"]
    console.print(
        f"{document['shape']}, {document['parameters'] / 1e9:.2f} billion parameters, one screen "
        f"of {width}x{height} a step and {document['answer_tokens']} tokens written; one thread, "
        "seconds (CPU seconds)"
    )
    rows = [
        [row["name"], _both(row["load"]), *(f"{row[f'{part}_bytes'] / 1e9:.2f} GB" for part in
         ("weight", "loaded_peak", "peak", "aim", "own")), ", ".join(map(_both, row["steps"]))]
        for row in document["rows"]
    ]  # fmt: skip
    columns = ("", "loading", "weights", "peak of loading", "peak", "aim", "own at the end",
               "steps")  # fmt: skip
    console.print(_table(columns, rows))


def _both(seconds: dict[str, float]) -> str:
    return f"{seconds['wall_s']:.1f} ({seconds['cpu_s']:.1f})"


def print_preprocess(document: dict[str, Any]) -> None:
    """Print a document of `bench_preprocess`."""
    console = tables.console(wide=True)
    width, height = document["screen"]
    console.print(
        f"a screen of {width}x{height}, {document['rounds']} rounds in turns; CPU milliseconds of "
        "one thread: median (lowest to highest)"
    )
    rows = [[row["side"], row["from"], _range(row)] for row in document["rows"]]
    console.print(_table(("", "from", "to patches"), rows))
    for name, difference in document["largest_difference"].items():
        console.print(f"largest difference to {name}: {difference:.2g}")


def print_together(document: dict[str, Any]) -> None:
    """Print a document of `bench_together`."""
    from benchmarks.engine.together import PARTS

    console = tables.console(wide=True)
    width, height = document["screen"]
    steps = document["steps"]
    console.print(
        f"{document['shape']}, {document['parameters'] / 1e6:.0f}M parameters, {width}x{height}, "
        f"{document['conversations']} conversations, {document['answer_tokens']} tokens an answer; "
        f"CPU milliseconds (one thread) of one conversation's step, over {steps} steps"
    )
    names = (*PARTS, "total")
    share = 1000 / steps / document["conversations"]
    sums = [
        [share * sum(lap[name] for lap in laps) for name in names]
        for laps in document["cpu_s"].values()
    ]
    rows = [
        [side, *(f"{value:.1f}" for value in values)]
        for side, values in zip(document["cpu_s"], sums, strict=True)
    ]
    ratios = [f"{one / other:.2f}" for one, other in zip(*sums, strict=True)]
    console.print(_table(("", *names), [*rows, ["ratio", *ratios]]))
    answers = steps * document["conversations"]
    console.print(f"answers that differ: {document['unequal_answers']} of {answers}")


def print_on_device(document: dict[str, Any]) -> None:
    """Print a document of `bench_on_device`."""
    console = tables.console(wide=True)
    width, height = document["screen"]
    console.print(
        f"{document['shape']}, {document['parameters'] / 1e6:.0f}M parameters, {width}x{height}, "
        f"{document['answer_tokens']} tokens an answer, steps 2 to {document['steps']}, "
        f"{document['dtype']}, {document['device']}, torch {document['torch']}; milliseconds on "
        "the clock, and the share that the floor is of them"
    )
    rows = []
    for row in document["rows"]:
        cells = [row.get("error", ""), "", "", "", ""]
        if "error" not in row:
            shares = [f"{share:.0%}" for share in row.get("share", ())] or ["", ""]
            parts = ", ".join(f"{name} {value:.1f}" for name, value in row["ms_parts"].items())
            cells = [f"{row['ms_token']:.2f}", shares[0], f"{row['ms_step']:.1f}", shares[1], parts]
        rows.append([row["side"], str(row["batch"]), *cells])
    console.print(_table(("", "at once", "a token", "share", "a step", "share", "parts"), rows))


def print_step(document: dict[str, Any]) -> None:
    """Print a document of `bench_step`."""
    from benchmarks.step.measure import PARTS

    console = tables.console(wide=True)
    console.print(
        f"miniwob:{document['task']} with{'' if document['canvas'] else 'out'} its canvas, "
        f"{document['scale']:g} pixels in a CSS pixel, {document['episodes']} episodes of "
        f"{document['steps']} steps a side, in alternation; milliseconds: median (lowest to "
        "highest)"
    )
    rows = document["rows"]
    columns = ("", "screen", "step", "reset", "first reset")
    console.print(_table(columns, [_totals(row) for row in rows]))
    console.print("\na step by part, medians; text is what is read beside the pixels")
    cells = [[row["name"], *(_part(row["parts_s"][part]) for part in PARTS)] for row in rows]
    console.print(_table(("", *PARTS), cells))
    console.print("\nwhat each step extracts")
    _print_alike(console, rows, "extracts")
    if document["ratios"]:
        console.print(
            "\nour steps in one of the peer's, round by round; "
            f"claims only against: {document['claims_against']}"
        )
        cells = [
            [r["ours"], r["peer"], _times(r), _times(r["without_text"])] for r in document["ratios"]
        ]
        console.print(_table(("", "", "ratio", "ratio without the peer's text"), cells))


def print_episodes(document: dict[str, Any]) -> None:
    """Print a document of `bench_episodes`."""
    console, rows = tables.console(wide=True), document["rows"]
    console.print(
        f"{', '.join(document['tasks'])}: {document['episodes']} episodes each of "
        f"{document['steps']} clicks, {document['rounds']} turns a side, in alternation; "
        "episodes a minute: median (lowest to highest)"
    )
    cells = [
        [row["name"], _count(row["episodes_a_minute"]), _count(row["whole_a_minute"])]
        for row in rows
    ]
    console.print(_table(("", "under way", "with the start of workers and browsers"), cells))
    console.print("\nwhat each side keeps")
    _print_alike(console, rows, "keeps")
    if document["ratios"]:
        console.print(
            "\nour episodes in one of the peer's, as many at a time, turn by turn; "
            f"claims only against: {document['claims_against']}"
        )
        cells = [[r["ours"], r["peer"], _times(r)] for r in document["ratios"]]
        console.print(_table(("", "", "ratio"), cells))


def _print_alike(console: "Console", rows: list[dict[str, Any]], key: str) -> None:
    """Print each value of a key once, with the names of the rows that have it."""
    for value in dict.fromkeys(row[key] for row in rows):
        names = "; ".join(row["name"] for row in rows if row[key] == value)
        console.print(f"  {names}: {value}")


def _table(columns: tuple[str, ...], rows: list[list[str]]) -> "Table":
    table = tables.table(*columns)
    for row in rows:
        table.add_row(*row)
    return table


def _totals(row: dict[str, Any]) -> list[str]:
    width, height = row["screen"]
    first = f"{1000 * row['first_reset_s']:.0f}"
    return [row["name"], f"{width}x{height}", _range(row["step_s"]), _range(row["reset_s"]), first]


def _range(seconds: dict[str, float]) -> str:
    return _spread({name: 1000 * value for name, value in seconds.items()}, 0)


def _part(seconds: float) -> str:
    return f"{1000 * seconds:.1f}"


def _times(ratio: dict[str, float]) -> str:
    return _spread(ratio, 1)


def _count(rate: dict[str, float]) -> str:
    return _spread(rate, 0)


def _spread(numbers: dict[str, float], decimals: int) -> str:
    median, low, high = (f"{numbers[name]:.{decimals}f}" for name in ("median", "low", "high"))
    return f"{median} ({low} to {high})"
