"""What a run with all documents in memory needs: which pools, how large, and filled with what."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from eyehand.agent.training.packers import DRAWN_PX, PAGE_PX, PackingPlan
from eyehand.agent.training.survey import Found, Grid, most_frequent, survey, survey_of
from eyehand.agent.training.texts.copying import CopyingTexts
from eyehand.model.memory import check_room, free_bytes
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.training.batching import Encoder
from eyehand.model.training.documents import shards
from eyehand.model.training.packing import Size, document_bytes
from eyehand.model.training.screens import DrawnScreens

MOST_MADE = {"pages": 300_000, "texts": 100_000, "drawn": 120_000}
"""So many pages, texts and drawn screens are made at most; then they are seen again."""

_SURVEYED = 16
_SPARE = 1.2
_SHARE_OF_MEMORY = 0.6


@dataclass(frozen=True)
class Provision:
    """The pools of a run.

    Attributes:
        packing: What is made for them.
        capacities: How many documents each has room for.
        drawn_grid: The grid of drawn screens.
    """

    packing: PackingPlan
    capacities: Mapping[Size, int]
    drawn_grid: Grid


def provide(
    data: Path | None, seed: int, weights: Mapping[str, float], encoder: Encoder,
    config: Qwen2VLConfig, device: torch.device, wanted: Mapping[str, int],
    other_words: float = 0.0,
) -> Provision:  # fmt: skip
    """Find the sizes of a run's documents, and share the device's free memory out among them.

    Args:
        data: Folder of the shards; None for none.
        seed: Of all that is drawn.
        weights: Of the sources of demonstrations.
        encoder: Encodes documents.
        config: The network's.
        device: Where the pools will lie.
        wanted: How many "pages", "texts" and "drawn" screens could be used.
        other_words: Share of the demonstrations' instructions that are said otherwise, 0 to 1.

    Raises:
        UsageError: there is no shard, or one cannot be read.
        NotEnoughMemory: not even a few documents fit.
    """
    made = {name: min(count, MOST_MADE[name]) for name, count in wanted.items()}
    found = {} if data is None else survey(data, encoder, weights)
    kept = {grid: found[grid] for grid in most_frequent(found)}
    drawn_grid = _grid(DRAWN_PX, config)
    if made["drawn"]:
        some = survey_of(map(DrawnScreens(seed, (DRAWN_PX,)).document, range(_SURVEYED)), encoder)
        kept[drawn_grid] = _together(found.get(drawn_grid, Found()), some)
    texts = survey_of(map(CopyingTexts(seed).document, range(_SURVEYED)), encoder)
    screens = {grid: each.size(grid) for grid, each in kept.items()}
    kinds = {"pages": Size(*_grid(PAGE_PX, config)), "texts": texts.size((0, 0))}
    if made["drawn"]:
        kinds["drawn"] = screens[drawn_grid]
    shown = {screens[grid]: int(each.documents * _SPARE) + 1 for grid, each in kept.items()}
    made, rooms = _fitting(made, kinds, shown, config, device)
    packing = PackingPlan(
        seed=seed, shards=() if data is None else shards(data), weights=weights, screens=screens,
        page=kinds["pages"], text=kinds["texts"], other_words=other_words, **made,
    )  # fmt: skip
    return Provision(packing, rooms, drawn_grid)


def _grid(size_px: tuple[int, int], config: Qwen2VLConfig) -> Grid:
    return size_px[1] // config.vision.patch_size, size_px[0] // config.vision.patch_size


def _together(one: Found, other: Found) -> Found:
    return Found(one.documents, one.lengths + other.lengths)


def _fitting(
    made: Mapping[str, int], kinds: Mapping[str, Size], shown: Mapping[Size, int],
    config: Qwen2VLConfig, device: torch.device,
) -> tuple[dict[str, int], dict[Size, int]]:  # fmt: skip
    """Share a part of the free memory out: demonstrations first, then what can be drawn again.

    Returns:
        How many of each kind are made, and the room for documents of each size.
    """
    each = {size: document_bytes(size, config) for size in (*shown, *kinds.values())}
    check_room(sum(each.values()), device, "to hold documents")
    free = free_bytes(device)
    left = float("inf") if free is None else _SHARE_OF_MEMORY * free
    scale = min(1.0, left / max(1, sum(count * each[size] for size, count in shown.items())))
    rooms = {size: max(1, int(count * scale)) for size, count in shown.items()}
    left -= sum(count * each[size] for size, count in rooms.items())
    of_made = sum(made[kind] * each[size] for kind, size in kinds.items())
    scale = min(1.0, max(0.0, left) / max(1, of_made))
    fewer = {kind: max(min(count, 1), int(count * scale)) for kind, count in made.items()}
    for kind, size in kinds.items():
        rooms[size] = rooms.get(size, 0) + max(1, fewer[kind])
    return fewer, rooms
