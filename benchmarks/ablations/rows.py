"""The rows: what is changed in each, and what it is to be read beside."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ablations.episodes import Episodes, Played
from benchmarks.ablations.reading import Reading
from benchmarks.ablations.screens import MOST_TILES, ONE_SIZE_PX, TILE_PX, Screens
from benchmarks.ablations.timed import Budget, Row
from benchmarks.ablations.views import OneSize, Tiles
from eyehand.agent.results.statistics import wilson_interval
from eyehand.agent.training.recorded_episodes import find_episodes
from eyehand.errors import UsageError


@dataclass(frozen=True)
class Amounts:
    """How much is measured.

    Attributes:
        pages: Of held-out words, for the tower alone.
        questions: On drawn screens.
        episodes: Of each task.
        recorded: Folder of an expert's recorded episodes; None where no row needs one.
    """

    pages: int = 96
    questions: int = 200
    episodes: int = 20
    recorded: Path | None = None


Variant = Reading | Screens | Episodes

ROWS: dict[str, tuple[str, Variant]] = {
    "patch-7": ("patch 7, four of them a token of 14 px", Reading(7, 2)),
    "patch-14": ("patch 14, four of them a token of 28 px", Reading(14, 2)),
    "patch-14-unmerged": ("patch 14, one a token of 14 px", Reading(14, 1)),
    "dynamic": ("dynamic resolution, M-RoPE, character loss", Screens()),
    "one-dimensional": ("positions of one dimension", Screens(one_dimensional=True)),
    "one-size": ("every screen at one size", Screens(OneSize(ONE_SIZE_PX))),
    "tiles": ("tiles and a thumbnail", Screens(Tiles(TILE_PX, MOST_TILES))),
    "no-characters": ("without the character loss", Screens(character_weight=0)),
    "new-tower": ("a new tower", Screens(new_tower=True)),
    "new-tower-no-characters": (
        "a new tower, without the character loss",
        Screens(new_tower=True, character_weight=0),
    ),
    "without-thought": ("newest screen, last three calls told, no thought", Episodes()),
    "with-thought": ("the same, with the expert's thoughts", Episodes(thought=True)),
    "history-1": ("all words, the newest screen", Episodes(history="window:1")),
    "history-2": ("all words, the two newest screens", Episodes(history="window:2")),
    "history-all": ("all words, all screens", Episodes(history="full")),
}
"""By name: what a row is, and its variant."""

COLUMNS: dict[type, tuple[tuple[str, str], ...]] = {
    Reading: (("characters", "characters right"), ("words", "words right")),
    Screens: (
        ("looked", "head on the word's token"), ("inside", "in the word's box"),
        ("chance", "another word's place"), ("loss", "loss of answers"),
    ),
    Episodes: (
        ("succeeded", "succeeded"), ("loss", "loss of calls"),
    ),
}  # fmt: skip
"""What is measured: its name in the document, and in a table."""
_WORK = (("steps", "steps"), ("documents", "documents"))


def check(names: Iterable[str], much: Amounts) -> None:
    """Look whether rows can be run, before the first of them is.

    Raises:
        UsageError: one is not known, or needs recorded episodes where there are none.
    """
    for name in names:
        if name not in ROWS:
            raise UsageError(f"there is no row {name}: the rows are {', '.join(ROWS)}")
        if isinstance(ROWS[name][1], Episodes):
            if much.recorded is None:
                raise UsageError(
                    f"{name} learns from an expert's episodes: record some with eyehand eval "
                    "miniwob:click-tab-2 --policy expert --out DIR, and pass --recorded DIR"
                )
            find_episodes([much.recorded])


def begin(name: str, budget: Budget, seed: int, folder: Path, much: Amounts) -> Row:
    """Return a row that has not begun yet.

    Args:
        name: Of `ROWS`.
        budget: Of its training.
        seed: Of its weights and documents.
        folder: Empty; for what it writes.
        much: How much is measured.
    """
    variant = ROWS[name][1]
    if isinstance(variant, Reading):
        return variant.run(budget, seed, folder, much.pages)
    if isinstance(variant, Screens):
        return variant.run(budget, seed, folder, much.questions)
    assert much.recorded is not None  # `check` has looked
    return variant.run(budget, seed, folder, Played(much.recorded, much.episodes))


def key(name: str, budget: Budget, seed: int) -> str:
    """Return what a row is kept under: rows of other budgets and seeds stand beside it."""
    return f"{name}, {budget.core_s:g} core-seconds, seed {seed}"


def tables(kept: dict[str, dict[str, Any]]) -> str:
    """Return a Markdown table for each kind of row, budget and seed.

    Args:
        kept: Figures by `key`.
    """
    found = []
    for kind in COLUMNS:
        of_kind = {k: v for k, v in kept.items() if type(ROWS[v["row"]][1]) is kind}
        for budget, seed in dict.fromkeys((v["budget_s"], v["seed"]) for v in of_kind.values()):
            rows = [v for v in of_kind.values() if (v["budget_s"], v["seed"]) == (budget, seed)]
            found.append(f"{budget:g} core-seconds a row, seed {seed}\n\n{_table(kind, rows)}")
    return "\n\n".join(found)


def _table(kind: type, rows: list[dict[str, Any]]) -> str:
    columns = (*COLUMNS[kind], *_WORK)
    lines = [f"| row | {' | '.join(title for _, title in columns)} |", "|---" * (len(columns) + 1)]
    for row in sorted(rows, key=lambda row: list(ROWS).index(row["row"])):
        cells = " | ".join(_cell(row[name]) for name, _ in columns)
        lines.append(f"| {ROWS[row['row']][0]} | {cells} |")
    lines[1] += "|"
    return "\n".join(lines)


def _cell(value: float | list[int]) -> str:
    """Write a rate with its count and Wilson's 95% interval, or a number."""
    if isinstance(value, list):
        right, count = value
        low, high = wilson_interval(right, count)
        return f"{right} of {count}, {_percent(right / count)} [{_percent(low)}, {_percent(high)}]"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"
