"""Two auxiliary losses that teach a small network to point. Both are used in training only.

`PositionLoss`: every vision token should know its row and its column. The rotary positions are
relative, so a token learns where it lies only by comparing itself with others.

`LookLoss`: while an answer with a point is written, one attention head should look at the vision
token in which the point lies.

The first is learned in a hundred steps. Neither was measured apart from the optimizer, which was
changed in the same hour: `docs/guides/training.md` tells what was tried.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eyehand.model.qwen2vl.attention import rotate
from eyehand.model.qwen2vl.language import Pass, SelfAttention
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.training.batching import NOWHERE

MOST_CELLS = 64
"""Rows and columns that the head can name; screens of up to 1792 pixels a side."""


POSITION_LAYER = 1
"""The decoder layer whose output names rows and columns; later ones can read what it knows."""
LOOK_LAYER = 2
"""The decoder layer whose first head looks, after the one that knows the positions."""


def position_head(model: Qwen2VLNetwork) -> nn.Linear:
    """Return a new head that names rows and columns."""
    return nn.Linear(model.config.text.hidden_size, 2 * MOST_CELLS)


def position_loss(head: nn.Linear, hidden: Tensor, place: Tensor) -> Tensor:
    """Return the mean cross-entropy of rows and columns, a scalar.

    Args:
        head: Of `position_head`.
        hidden: (n, C), a decoder layer's output at the vision tokens.
        place: LongTensor (n, 2), their rows and columns.
    """
    scale = hidden.pow(2).mean(-1, keepdim=True).add(1e-6).rsqrt()
    named = head(hidden * scale).float().view(-1, MOST_CELLS)  # (n * 2, cells)
    return F.cross_entropy(named, place.clamp(max=MOST_CELLS - 1).flatten())


def first_head(attention: SelfAttention, x: Tensor, step: Pass) -> tuple[Tensor, Tensor]:
    """Return the rotated queries and keys of a layer's first head, (B, L, D) each."""
    size = attention.head_dim
    split = (x.shape[0], x.shape[1], 1, size)
    q, k = (
        rotate(project(x)[..., :size].reshape(split).transpose(1, 2), step.cos, step.sin)[:, 0]
        for project in (attention.q_proj, attention.k_proj)
    )
    return q, k


class PositionLoss:
    """Predicts rows and columns of vision tokens from the output of one decoder layer.

    Args:
        model: The network; a hook is put on its layer.
        layer: Index of the decoder layer.
    """

    def __init__(self, model: Qwen2VLNetwork, layer: int = POSITION_LAYER) -> None:
        self.head = position_head(model)
        self._image_token_id = model.config.image_token_id
        self._hidden: Tensor | None = None
        self._hook = model.model.layers[layer].register_forward_hook(self._keep)

    def close(self) -> None:
        """Take the hook away."""
        self._hook.remove()

    def __call__(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Return the mean cross-entropy of rows and columns in the last forward pass, a scalar.

        Args:
            ids: LongTensor (B, L) of that pass.
            positions: LongTensor (3, B, L) of that pass.
        """
        if self._hidden is None:
            return torch.zeros(())
        seen = ids.to(self._hidden.device) == self._image_token_id  # (B, L)
        hidden = self._hidden[seen]  # (n, C)
        place = (positions[1:] - positions[:1])[:, seen].T  # (n, 2)
        self._hidden = None
        return position_loss(self.head, hidden, place)

    def _keep(self, module: nn.Module, inputs: object, output: Tensor) -> None:
        self._hidden = output


class LookLoss:
    """The negative log of a head's attention to where an answer points.

    Args:
        model: The network; a hook is put on one layer's attention.
        layer: Index of the decoder layer.
    """

    def __init__(self, model: Qwen2VLNetwork, layer: int = LOOK_LAYER) -> None:
        self._attention = cast(SelfAttention, model.model.layers[layer].self_attn)
        self._seen: tuple[Tensor, Pass] | None = None
        self._hook = self._attention.register_forward_pre_hook(self._keep)

    def close(self) -> None:
        """Take the hook away."""
        self._hook.remove()

    def __call__(self, looks: Tensor) -> Tensor:
        """Return the mean over the tokens of answers with a point, a scalar.

        Args:
            looks: LongTensor (B, L): index of the vision token to look at, or `NOWHERE`.
        """
        rows = looks != NOWHERE  # (B, L)
        if self._seen is None or not bool(rows.any()):
            return torch.zeros(())
        return F.cross_entropy(self.scores()[rows], looks[rows])

    def scores(self) -> Tensor:
        """Return how much each token looks at each in the last forward pass: (B, L, L)."""
        assert self._seen is not None
        x, step = self._seen
        self._seen = None
        q, k = first_head(self._attention, x, step)
        scores: Tensor = (q @ k.transpose(-1, -2)) / self._attention.head_dim**0.5
        return scores if step.mask is None else scores + step.mask[:, 0]

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, Pass]) -> None:
        self._seen = inputs
