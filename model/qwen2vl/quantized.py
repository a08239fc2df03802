"""Which weights are kept in 8 or 4 bits, what that takes, and the layers that hold them."""

import math

from torch import Tensor, nn

from eyehand.errors import UsageError
from eyehand.model.qwen2vl.int4 import GROUP, Int4Linear, fits_int4
from eyehand.model.qwen2vl.int8 import Int8Linear

QUANTIZED = ("int8", "int4")
"""What `quantize` may be."""


def check_quantize(quantize: str | None) -> None:
    """Refuse what weights cannot be kept as.

    Raises:
        UsageError: it is neither None nor one of `QUANTIZED`.
    """
    if quantize not in (None, *QUANTIZED):
        raise UsageError(f"quantize is one of {', '.join(QUANTIZED)}; got {quantize!r}")


def is_of_a_layer(name: str, shape: tuple[int, ...]) -> bool:
    """Return whether a weight of this published name may be kept narrow: those of the layers."""
    return (
        name.endswith(".weight") and len(shape) == 2 and (".layers." in name or "blocks." in name)
    )


def narrow_kind(name: str, shape: tuple[int, ...], quantize: str | None) -> str | None:
    """Return what a weight is kept as: "int8", "int4", or None for its dtype.

    Args:
        name: The published one.
        shape: (out, in) of a linear layer.
        quantize: What was asked for. Sizes that 4 bits do not fit take 8.
    """
    if quantize is None or not is_of_a_layer(name, shape):
        return None
    return "int8" if quantize == "int4" and not fits_int4(shape) else quantize


def narrow_bytes(kind: str, shape: tuple[int, ...]) -> int:
    """Return the memory of a weight that is kept narrow."""
    count = math.prod(shape)
    return count + 4 * shape[0] if kind == "int8" else count // 2 + 4 * count // GROUP


def narrowed(kind: str, weight: Tensor) -> nn.Module:
    """Return a layer without bias that keeps a weight (out, in) narrow."""
    return Int8Linear(weight, None) if kind == "int8" else Int4Linear.of(weight, None)
