"""Products with narrow weights that are widened some rows at a time, so that none is ever whole."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 64
"""Rows that stay together where a weight is cut into pieces."""
_NUMBERS = 2**21
"""About so many numbers of a weight are widened at once."""


def piece_rows(width: int) -> int:
    """Return how many rows of so many numbers are widened at once, a multiple of `BLOCK`."""
    return max(1, _NUMBERS // width // BLOCK) * BLOCK


def wide_dtype(x: Tensor) -> torch.dtype:
    """Return the dtype in which a product of many rows is fastest.

    A CPU without instructions for bfloat16 multiplies it at a third of float32's speed.
    """
    slow = x.device.type == "cpu" and not (
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )
    return torch.float32 if slow else x.dtype


def widened_product(x: Tensor, pieces: Iterable[Tensor]) -> Tensor:
    """Multiply with a weight that comes in pieces.

    Args:
        x: (..., in).
        pieces: The rows of the weight in order, each (some, in), in `wide_dtype(x)`.

    Returns:
        (..., out) in the dtype of `x`.
    """
    wide = x.to(wide_dtype(x))
    return torch.cat([F.linear(wide, piece).to(x.dtype) for piece in pieces], dim=-1)
