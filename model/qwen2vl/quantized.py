"""Linear layers with weights of 8 bits: an int8 a number and a scale a row; values stay floats."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MOST_ROWS = 16
"""Up to so many rows a CPU multiplies with the int8 weights as they are; more pay for widening."""


def is_quantized(name: str, shape: tuple[int, ...]) -> bool:
    """Return whether a weight of this published name is kept as int8: those of the layers."""
    return (
        name.endswith(".weight") and len(shape) == 2 and (".layers." in name or "blocks." in name)
    )


class Int8Linear(nn.Module):
    """A linear layer of int8 weights, for inference.

    Args:
        weight: (out, in), any float dtype.
        bias: (out,), or None.
    """

    weight: Tensor
    scale: Tensor

    def __init__(self, weight: Tensor, bias: nn.Parameter | None) -> None:
        super().__init__()
        wide = weight.float()
        scale = wide.abs().amax(dim=1, keepdim=True).clamp_(min=1e-30) / 127  # (out, 1)
        self.register_buffer("weight", (wide / scale).round_().to(torch.int8))
        self.register_buffer("scale", scale[:, 0])
        self.bias = bias

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        rows = x.numel() // x.shape[-1]
        if x.device.type == "cpu" and rows <= MOST_ROWS:
            narrow, scale = x.reshape(rows, -1).bfloat16(), self.scale.bfloat16()
            packed = torch._weight_int8pack_mm(narrow, self.weight, scale)
            out = packed.to(x.dtype).view(*x.shape[:-1], -1)
        else:
            out = F.linear(x, self.weight.to(x.dtype)) * self.scale.to(x.dtype)
        return out if self.bias is None else out + self.bias
