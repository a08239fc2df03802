"""Linear layers with weights of 4 bits: a code a number, a step and a middle a group of a row.

A number is `(code - 8) * step + middle`. The codes lie as the CPU's own kernel reads them, so that
a token is multiplied with them as they are; more rows are multiplied with widened pieces.
"""

import functools
from collections.abc import Iterator
from typing import Self

import torch
from torch import Tensor, nn

from eyehand.model.qwen2vl.widened import BLOCK, piece_rows, wide_dtype, widened_product

GROUP = 32
"""Numbers of a row that share a step and a middle, where weights are quantised here."""
GROUPS = (32, 64, 128, 256)
"""Sizes of groups that the kernel knows."""
MOST_ROWS = 64
"""Up to so many rows a CPU multiplies with the codes as they are; more pay for widening."""


def fits_int4(shape: tuple[int, ...], group: int = GROUP) -> bool:
    """Return whether a weight (out, in) has sizes that the layout knows."""
    return shape[0] % BLOCK == 0 and group in GROUPS and shape[1] % group == 0


class Int4Linear(nn.Module):
    """A linear layer of 4-bit weights, for inference.

    Args:
        codes: uint8 (out, in), 0 to 15.
        steps: (in/group, out, 2), any float dtype: the step of a group, and the value of code 8.
        bias: (out,), or None.
        order: LongTensor (in,), the inputs in the order of the columns; None is as they come.
    """

    codes: Tensor
    steps: Tensor
    order: Tensor | None

    def __init__(
        self, codes: Tensor, steps: Tensor, bias: nn.Parameter | None, order: Tensor | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("codes", _packed(codes, _kernel_rows() or BLOCK))
        self.register_buffer("steps", steps.contiguous())
        self.register_buffer("order", order)
        self.bias = bias

    @classmethod
    def of(cls, weight: Tensor, bias: nn.Parameter | None) -> Self:
        """Quantise a weight (out, in): each group's ends, and 14 values between them."""
        pieces = [_rounded(rows) for rows in torch.split(weight, piece_rows(weight.shape[1]))]
        codes, steps = zip(*pieces, strict=True)
        return cls(torch.cat(codes), torch.cat(steps, dim=1), bias)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        x = x if self.order is None else x[..., self.order]
        rows = x.numel() // x.shape[-1]
        if x.device.type == "cpu" and rows <= MOST_ROWS and _kernel_rows():
            narrow, steps = x.reshape(rows, -1).bfloat16(), self.steps.bfloat16()
            packed = self.codes.view(-1, x.shape[-1] // 2)  # the shape that the kernel expects
            out = torch._weight_int4pack_mm_for_cpu(narrow, packed, self._group, steps)
            out = out.to(x.dtype).view(*x.shape[:-1], -1)
        else:
            out = widened_product(x, self.pieces(wide_dtype(x)))
        return out if self.bias is None else out + self.bias

    def pieces(self, dtype: torch.dtype) -> Iterator[Tensor]:
        """Yield the weight's rows in order, some (some, in) at a time, computed in float32."""
        _, width, half = self.codes.shape
        begin = 0
        for packed in torch.split(self.codes, piece_rows(width) // (2 * half)):
            codes = _unpacked(packed)  # (some, in)
            end = begin + len(codes)
            step, middle = self.steps[:, begin:end].float().permute(2, 1, 0).contiguous()[..., None]
            wide = codes.view(len(codes), -1, self._group).float()
            yield wide.sub_(8).mul_(step).add_(middle).view(-1, width).to(dtype)
            begin = end

    @property
    def _group(self) -> int:
        return self.codes.shape[1] // len(self.steps)


def _rounded(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Codes (some, in), and steps (in/group, some, 2) in bfloat16, for which the codes are made."""
    wide = weight.float().reshape(len(weight), -1, GROUP)
    low, high = wide.aminmax(dim=-1, keepdim=True)  # (some, in/group, 1)
    step = ((high - low) / 15).clamp_(min=1e-30).bfloat16()
    middle = (low + 8 * step.float()).bfloat16()
    codes = (wide - middle).div_(step).round_().add_(8).clamp_(0, 15).to(torch.uint8)
    return codes.view(weight.shape), torch.cat((step, middle), dim=-1).transpose(0, 1)


def _packed(codes: Tensor, block: int) -> Tensor:
    """(out, in) -> (out/block, in, block/2): a byte holds two numbers half a block apart."""
    halves = codes.reshape(-1, 2, block // 2, codes.shape[1])
    return (halves[:, 0] | halves[:, 1] << 4).transpose(1, 2).contiguous()


def _unpacked(packed: Tensor) -> Tensor:
    """(n, in, block/2) -> (n * block, in)."""
    by_row = packed.transpose(1, 2).contiguous()
    return torch.stack((by_row & 15, by_row >> 4), dim=1).view(-1, packed.shape[1])


@functools.cache
def _kernel_rows() -> int | None:
    """Rows of a block in the layout of this CPU's kernel; None where it has another or none."""
    codes = (torch.arange(BLOCK * 32).view(BLOCK, 32) * 7 // 3 % 16).to(torch.uint8)
    try:
        theirs = torch._convert_weight_to_int4pack_for_cpu(codes.int(), 1)
    except (AttributeError, RuntimeError):
        return None
    same = (b for b in (64, 32) if torch.equal(_packed(codes, b).flatten(), theirs.flatten()))
    return next(same, None)
