"""Weights as AutoAWQ, AutoGPTQ and GPTQModel packed them: codes of 4 or 8 bits in words of 32.

A weight (out, in) lies in up to four tensors. A number is `(code - zero) * scale`, where each group
of inputs has a zero and a scale a row of outputs::

    gptq   qweight (in*bits/32, out)   a word holds neighbours along the inputs
    awq    qweight (in, out*bits/32)   a word holds eight outputs, the even ones first
    both   qzeros (groups, out*bits/32)   scales (groups, out)   g_idx (in,): gptq alone
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from eyehand.errors import CheckpointError
from eyehand.model.packing import Packing
from eyehand.model.qwen2vl.int4 import fits_int4

_AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
"""Which of eight outputs the first, second, ... four bits of a word are."""


@dataclass(frozen=True)
class Codes:
    """A weight, unpacked.

    Attributes:
        codes: uint8 (out, in), the columns in the order of their groups.
        scales: float32 (groups, out).
        zeros: float32 (groups, out), whole numbers.
        order: LongTensor (in,), which input each column belongs to; None where they are in order.
    """

    codes: Tensor
    scales: Tensor
    zeros: Tensor
    order: Tensor | None

    def wide(self) -> Tensor:
        """Return the weight, float32 (out, in)."""
        out, width = self.codes.shape
        grouped = self.codes.view(out, len(self.scales), -1).float()
        grouped.sub_(self.zeros.T[..., None]).mul_(self.scales.T[..., None])
        sorted_columns = grouped.view(out, width)
        if self.order is None:
            return sorted_columns
        return torch.empty_like(sorted_columns).index_copy_(1, self.order, sorted_columns)

    def steps(self) -> Tensor:
        """Return each group's step and the value of code 8, float32 (groups, out, 2), exactly."""
        return torch.stack((self.scales, (8 - self.zeros) * self.scales), dim=-1)


def usable(packing: Packing, shape: tuple[int, ...]) -> bool:
    """Return whether a weight of this shape (out, in) can be used in the 4 bits that it has."""
    return packing.bits == 4 and fits_int4(shape, packing.group or shape[1])


def unpacked(name: str, packing: Packing, parts: Mapping[str, Tensor]) -> Codes:
    """Unpack the tensors of a weight, whose shapes fit together.

    Raises:
        CheckpointError: its groups have other sizes than `group_size` says.
    """
    share, words = 32 // packing.bits, parts["qweight"]
    zeros = _fields(parts["qzeros"], packing).float() + packing.one_less
    if packing.method == "awq":
        codes = _fields(words, packing).T.contiguous()  # (out, in)
    else:
        codes = torch.empty(words.shape[1], share * words.shape[0], dtype=torch.uint8)
        for place, field in enumerate(_each(words.T, packing.bits)):
            codes[:, place::share] = field
    order = _order(name, parts.get("g_idx"), len(zeros))
    codes = codes if order is None else codes[:, order]
    return Codes(codes, parts["scales"].float(), zeros, order)


def _fields(words: Tensor, packing: Packing) -> Tensor:
    """(n, words) -> uint8 (n, words * share): neighbours along a row, in the order of columns."""
    share = 32 // packing.bits
    places = _AWQ_ORDER if packing.method == "awq" else range(share)
    found = torch.empty(words.shape[0], share * words.shape[1], dtype=torch.uint8)
    for place, field in zip(places, _each(words, packing.bits), strict=True):
        found[:, place::share] = field
    return found


def _each(words: Tensor, bits: int) -> Iterator[Tensor]:
    """The first, second, ... `bits` of every word, lowest first, each as uint8."""
    mask = (1 << bits) - 1
    return ((words >> shift & mask).to(torch.uint8) for shift in range(0, 32, bits))


def _order(name: str, group_of: Tensor | None, groups: int) -> Tensor | None:
    """The inputs sorted by their groups; None where they are."""
    if group_of is None:
        return None
    size = len(group_of) // groups
    sorted_groups, order = group_of.long().sort(stable=True)
    if not torch.equal(sorted_groups, torch.arange(groups).repeat_interleave(size)):
        raise CheckpointError(f"{name}.g_idx: expected {groups} groups of {size} inputs each")
    in_order = torch.equal(order, torch.arange(len(order)))
    return None if in_order else order
