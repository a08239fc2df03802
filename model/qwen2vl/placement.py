"""Which device holds which part of a network: a plan, from sizes and free memory alone.

A network is a row of parts: the vision tower and the embedding, the decoder layers, the norm and a
head of its own. Devices follow one another as the parts do, so that a pass crosses each border
once. A layer's keys and values lie with it.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import torch

_LAYER = "model.layers."
_LAST = ("model.norm.", "lm_head.")


@dataclass(frozen=True)
class Placement:
    """Where the parts of a network are.

    Attributes:
        first: Holds the vision tower, the embedding, and a head that is tied to it. What a pass
            is given goes there, and its scores come back there.
        layers: A device a decoder layer.
        last: Holds the norm, and a head of its own.
    """

    first: torch.device
    layers: tuple[torch.device, ...]
    last: torch.device

    @classmethod
    def of_parts(cls, devices: Sequence[torch.device], parts: Sequence[int]) -> Self:
        """Return what `divided` found.

        Args:
            devices: As they were given to it.
            parts: Its result.
        """
        first, *layers, last = (devices[number] for number in parts)
        return cls(first, tuple(layers), last)

    @property
    def devices(self) -> tuple[torch.device, ...]:
        """Those that hold a part, in the order of a pass."""
        return tuple(dict.fromkeys((self.first, *self.layers, self.last)))

    @property
    def borders(self) -> dict[int, torch.device]:
        """Layers before which a pass goes to another device, and to which; the norm is the last."""
        row = pairwise((self.first, *self.layers, self.last))
        return {number: after for number, (before, after) in enumerate(row) if before != after}

    def of(self, name: str) -> torch.device:
        """Return the device of a weight, by its published name."""
        part = part_of(name, len(self.layers))
        return (self.first, *self.layers, self.last)[part]

    def told(self) -> dict[str, str]:
        """Return in words what each device holds."""
        return {str(device): self._held_by(device) for device in self.devices}

    def _held_by(self, device: torch.device) -> str:
        mine = [number for number, at in enumerate(self.layers) if at == device]
        held = ["vision, embedding"] if device == self.first else []
        if mine:
            one = len(mine) == 1
            held.append(f"layer {mine[0]}" if one else f"layers {mine[0]} to {mine[-1]}")
        return ", ".join([*held, *(["norm, head"] if device == self.last else [])])


def part_of(name: str, layers: int) -> int:
    """Return which part of a network a weight belongs to: 0, a layer's number + 1, or the last."""
    if name.startswith(_LAYER):
        return 1 + int(name.removeprefix(_LAYER).split(".", 1)[0])
    return 1 + layers if name.startswith(_LAST) else 0


@dataclass(frozen=True)
class Sizes:
    """What the parts of a network take, in bytes.

    Attributes:
        weights: Of each part, in order: two more than there are layers.
        token: Of one token's keys and values in one layer.
        reading: What each device needs beside while a screen is read.
    """

    weights: tuple[int, ...]
    token: int
    reading: int


def divided(sizes: Sizes, free: Sequence[int], tokens: int) -> tuple[int, ...] | None:
    """Return the number of the device of each part, where a history of so many tokens fits.

    Each device takes as many of the parts in order as it has room for; one without room for the
    next part takes none.

    Args:
        sizes: Of the parts.
        free: Bytes that each device has.
        tokens: Whose keys and values every layer shall have room for.

    Returns:
        The numbers, never falling; None where they do not fit.
    """
    held, last = sizes.token * tokens, len(sizes.weights) - 1
    found: list[int] = []
    for number, bytes_free in enumerate(free):
        left = bytes_free - sizes.reading
        for part in range(len(found), last + 1):
            left -= sizes.weights[part] + (held if 0 < part < last else 0)
            if left < 0:
                break
            found.append(number)
    return tuple(found) if len(found) > last else None


def widest(sizes: Sizes, free: Sequence[int], tokens: int) -> tuple[int, ...] | None:
    """Return the division that has room for the longest history, of so many tokens at least.

    So devices of one size get shares of one size, and the first one fewer layers, because the
    vision tower lies there too. The arguments are those of `divided`.
    """
    if divided(sizes, free, tokens) is None:
        return None
    most = max(tokens, sum(free) // sizes.token)
    refused = bisect_left(
        range(tokens, most + 1), True, key=lambda n: divided(sizes, free, n) is None
    )
    return divided(sizes, free, tokens + refused - 1)
