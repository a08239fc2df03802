"""One pass of the network over what is new in several conversations, whatever its length in each.

The new tokens stand one behind the other, so that no product is spent on padding; each conversation
attends to its own slot, where it lies (`shared_pass.py`). Who waits takes no part.

What a conversation computes does not depend on who shares the passes with it. Float sums depend on
the order of their terms, and a matrix product picks that order by the number of its rows; so what
treats each token by itself gets a fixed number of tokens at a time, and who is read in company
follows from how much is new to it alone. The pass of one session by itself is not tiled, and rounds
otherwise in the last bits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from eyehand.model.inference.shared_pass import SharedPass
from eyehand.model.inference.slots import Slot
from eyehand.model.inference.visual_cache import Visual, join_embeds
from eyehand.model.memory import check_room, reading_bytes
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

WRITE_TILE, READ_TILE = 16, 64
"""Tokens at a time: of conversations with one new token, and with more. Measured (torch 2.13, MKL,
AVX2 and AVX-512, 1 and 2 threads): products of so many rows give a row the same bits in every
place; with AVX2, 32 rows do not."""

MOST_TOKENS = 2048
"""New tokens of a pass; a conversation with more of them is read by itself. So is one with more
than `READ_TILE` on a CPU, where company would gain nothing."""


@dataclass(frozen=True)
class Pending:
    """What is new in a conversation.

    Attributes:
        slot: Holds what came before.
        ids: New tokens, at least one.
        positions: LongTensor (3, L), theirs.
        visuals: The pictures and videos among them, encoded.
    """

    slot: Slot
    ids: Sequence[int]
    positions: Tensor
    visuals: Sequence[Visual] = ()


def read(network: Qwen2VLNetwork, pending: Sequence[Pending], *, alone: bool) -> list[Tensor]:
    """Run the network over what is new.

    Args:
        network: Of all of them.
        pending: Of different slots.
        alone: Whether each is read by itself and as fast as possible; otherwise in shared passes.

    Returns:
        The scores (vocabulary,) that follow each.

    Raises:
        NotEnoughMemory: It does not fit.
    """
    for new in pending:
        new.slot.reserve(new.slot.length + len(new.ids))
    scores: dict[int, Tensor] = {}
    for tile, group in _groups(pending, alone):
        found = _pass(network, [pending[n] for n in group], tile)
        scores.update(zip(group, found, strict=True))
    return [scores[n] for n in range(len(pending))]


def _groups(pending: Sequence[Pending], alone: bool) -> Iterator[tuple[int | None, list[int]]]:
    """Yield who shares a pass, and its tile; neighbours in memory stand side by side."""
    order = sorted(range(len(pending)), key=lambda n: pending[n].slot.place)
    counts = [len(new.ids) for new in pending]
    on_cpu = pending[0].slot.bank.keys[0].device.type == "cpu"
    most = 0 if alone else READ_TILE if on_cpu else MOST_TOKENS
    if single := [n for n in order if counts[n] == 1 <= most]:
        yield WRITE_TILE, single
    group, tokens = list[int](), 0
    for n in order:
        if counts[n] > most:
            yield None, [n]
        elif counts[n] > 1:
            if tokens + counts[n] > MOST_TOKENS:
                yield READ_TILE, group
                group, tokens = [], 0
            group.append(n)
            tokens += counts[n]
    if group:
        yield READ_TILE, group


def _pass(network: Qwen2VLNetwork, pending: Sequence[Pending], tile: int | None) -> Tensor:
    """Return the scores (n, vocabulary) after one pass."""
    counts = [len(new.ids) for new in pending]
    missing = 0 if tile is None else -sum(counts) % tile
    needed = reading_bytes(network.config, sum(counts), network.dtype.itemsize)
    for device in dict.fromkeys(network.layer_devices):
        check_room(needed, device, "to read")
    ids = [id_ for new in pending for id_ in new.ids] + [0] * missing
    positions = torch.cat([new.positions for new in pending], dim=1)  # (3, T)
    visuals = [visual for new in pending for visual in new.visuals]
    last = torch.zeros(1, len(ids), dtype=torch.bool)
    last[0, torch.tensor(counts).cumsum(0) - 1] = True
    scores: Tensor = network(
        torch.tensor([ids]),
        rows=last,
        position_ids=F.pad(positions, (0, missing))[:, None],
        image_embeds=join_embeds(visuals, is_video=False),
        video_embeds=join_embeds(visuals, is_video=True),
        cache=SharedPass([new.slot for new in pending], counts, tile),
    )
    for visual in visuals:
        visual.embeds = None  # the encoder remembers it; the history need not
    return scores
