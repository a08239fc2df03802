"""What every training run here gives its optimizer: which weights decay, and how its rate goes."""

from collections.abc import Iterable
from typing import Any

from torch import nn

BETAS = (0.9, 0.95)
"""AdamW's, for all runs."""


def parameter_groups(
    network: nn.Module, heads: Iterable[nn.Module], weight_decay: float
) -> list[dict[str, Any]]:
    """Return AdamW's groups: matrices decay; embeddings, norms, biases and heads do not.

    Args:
        network: Its frozen parameters are left out.
        heads: Used in training only.
        weight_decay: Of the network's matrices.
    """
    decayed: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            is_matrix = parameter.ndim > 1 and not name.endswith("embed_tokens.weight")
            (decayed if is_matrix else others).append(parameter)
    for head in heads:
        others += head.parameters()
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def rate_share(position: int, total: int, rising: int, falling: int) -> float:
    """Return the share of the learning rate: up, level, down to zero.

    Args:
        position: Steps (or tokens) so far.
        total: Of the whole run.
        rising: In so many first ones the rate rises; 0 for none.
        falling: In so many last ones it falls; 0 for none.
    """
    up = (position + 1) / rising if rising else 1.0
    down = (total - position) / falling if falling else 1.0
    return max(0.0, min(1.0, up, down))
