"""Positions of one dimension: a vision token's three are the running index, as a word's are."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor

from eyehand.model.qwen2vl import mrope
from eyehand.model.qwen2vl.config import Qwen2VLConfig


@contextmanager
def one_dimensional() -> Iterator[None]:
    """Let every picture that is read in the meantime have running positions.

    Training and conversations ask the one function that is replaced.
    """
    with patch.object(mrope, "block_positions", running_positions):
        yield


def running_positions(grid: mrope.Grid, start: int, config: Qwen2VLConfig) -> Tensor:
    """Return the positions of one vision block that starts at `start`: LongTensor (3, tokens)."""
    count = mrope.token_count(grid, config)
    return torch.arange(start, start + count).expand(3, -1)
