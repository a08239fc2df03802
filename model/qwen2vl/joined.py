"""Linear layers that read the same values, as one product: fewer kernels for a GPU to start.

The layers keep their parameters: these become views of one memory, so that whatever reads, saves,
copies or trains them finds them as ever. Where they have been put elsewhere since, or a layer is
another one, the layers are asked one by one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Joined:
    """The parameters of some layers, behind one another.

    Attributes:
        weight: (all outputs, in).
        bias: (all outputs,), or None.
        sizes: outputs of each layer.
        places: where each layer's parameters lie.
    """

    weight: Tensor
    bias: Tensor | None
    sizes: list[int]
    places: Sequence[object]

    @classmethod
    def of(cls, layers: Sequence[nn.Module]) -> "Joined | None":
        """Put the parameters of layers behind one another; None where they are not plain ones."""
        plain = [layer for layer in layers if type(layer) is nn.Linear]
        kinds = {(x.weight.dtype, x.weight.device, x.bias is None) for x in plain}
        if len(plain) < len(layers) or len(kinds) > 1:
            return None
        with torch.inference_mode(False), torch.no_grad():
            sizes = [layer.out_features for layer in plain]
            weight = torch.cat([layer.weight for layer in plain])
            bias = None if plain[0].bias is None else torch.cat([layer.bias for layer in plain])
            for layer, rows in zip(plain, torch.split(weight, sizes), strict=True):
                layer.weight.data = rows
            if bias is not None:
                for layer, rows in zip(plain, torch.split(bias, sizes), strict=True):
                    layer.bias.data = rows
        return cls(weight, bias, sizes, [_place(layer) for layer in plain])

    def is_of(self, layers: Sequence[nn.Module]) -> bool:
        """Return whether the layers' parameters still are these."""
        return all(
            type(layer) is nn.Linear and _place(layer) == place
            for layer, place in zip(layers, self.places, strict=True)
        )

    def __reduce__(self) -> tuple[Callable[[], Any], tuple[()]]:
        """A copy of the layers has parameters of its own, which are not joined."""
        return type(None), ()


def _place(layer: nn.Linear) -> object:
    weight, bias = layer.weight, layer.bias
    return weight.data_ptr(), weight.dtype, None if bias is None else bias.data_ptr()


def rejoined(joined: Joined | None, layers: Sequence[nn.Module]) -> Joined | None:
    """Return layers' joined parameters, anew where these are no longer theirs."""
    if joined is not None and joined.is_of(layers):
        return joined
    found = Joined.of(layers)
    if found is not None and found.weight.is_cuda:
        torch.cuda.empty_cache()  # or what was freed would stay in pieces that nothing fits into
    return found


def products(joined: Joined | None, layers: Sequence[nn.Module], x: Tensor) -> Sequence[Tensor]:
    """Apply layers to the same values, in one product where they are joined; not for training.

    Args:
        joined: their parameters, or None.
        layers: linear ones, of whatever kind.
        x: (..., in).
    """
    if joined is None or torch.is_grad_enabled() or not joined.is_of(layers):
        return [layer(x) for layer in layers]
    return torch.split(F.linear(x, joined.weight, joined.bias), joined.sizes, dim=-1)
