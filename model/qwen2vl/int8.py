"""Linear layers with weights of 8 bits: an int8 a number and a scale a row; values stay floats."""

import torch
from torch import Tensor, nn

from eyehand.model.qwen2vl.widened import piece_rows, wide_dtype, widened_product

MOST_ROWS = 16
"""Up to so many rows a CPU multiplies with the int8 weights as they are; more pay for widening."""


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
        narrow, scales = [], []
        for rows in torch.split(weight, piece_rows(weight.shape[1])):
            wide = rows.float()
            scale = wide.abs().amax(dim=1, keepdim=True).clamp_(min=1e-30) / 127  # (some, 1)
            narrow.append((wide / scale).round_().to(torch.int8))
            scales.append(scale[:, 0])
        self.register_buffer("weight", torch.cat(narrow))
        self.register_buffer("scale", torch.cat(scales))
        self.bias = bias

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        rows = x.numel() // x.shape[-1]
        if x.device.type == "cpu" and rows <= MOST_ROWS:
            narrow, scale = x.reshape(rows, -1).bfloat16(), self.scale.bfloat16()
            packed = torch._weight_int8pack_mm(narrow, self.weight, scale)
            out = packed.to(x.dtype).view(*x.shape[:-1], -1)
        else:
            kept = torch.split(self.weight, piece_rows(x.shape[-1]))
            pieces = (piece.to(wide_dtype(x)) for piece in kept)
            out = widened_product(x, pieces) * self.scale.to(x.dtype)
        return out if self.bias is None else out + self.bias
