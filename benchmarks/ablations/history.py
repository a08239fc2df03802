"""How much of an episode is seen: what a token may look at when old screens have gone."""

from dataclasses import dataclass

import torch
from torch import Tensor

from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.training.batching import Batch


@dataclass(frozen=True)
class BoundedBatch(Batch):
    """A batch in which some keys are out of sight.

    Attributes:
        gone: Bool (B, L, L): which key each query does not see any more.
    """

    gone: Tensor

    @property
    def mask(self) -> Tensor:
        """Bool (B, L, L): which key each query sees."""
        return super().mask & ~self.gone


def bounded(batch: Batch, config: Qwen2VLConfig, screens: int) -> BoundedBatch:
    """Return a batch in which every token sees the newest screens only, and all words.

    It is what `--history window:N` does in an episode: a screen's tokens go when a newer one
    comes, and what was read while it was there stays.

    Args:
        batch: Documents of several screens.
        config: Says which tokens are a screen's.
        screens: So many stay.
    """
    step = (batch.ids == config.vision_start_token_id).cumsum(1)  # (B, L)
    old = step[:, :, None] - step[:, None, :] >= screens  # (B, L, L)
    is_screen = (batch.ids == config.image_token_id)[:, None, :]
    return BoundedBatch(**vars(batch), gone=torch.logical_and(old, is_screen))
