"""The character loss: every vision token names the characters that it covers.

Reading is the hard part of looking at a screen, and answers about whole screens teach it very
slowly. Whoever draws a text knows where each letter lies, so every token of the vision tower can
be told directly. The head is used in training only and dropped when a checkpoint is written.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from eyehand.model.qwen2vl.config import VisionConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:!?-@#\"'()/&"
CLASSES = len(ALPHABET) + 1
"""Class 0 is "no character begins here"; the others follow the alphabet's order."""

UNKNOWN = -1
"""Label of the cells of a picture whose characters nobody knows."""

CELL_WIDTH_PX = 3.5
CELL_HEIGHT_PX = 14.0
"""A token is divided into cells of about this size; a cell names at most one character. Half a
letter's width, so that two letters of 12 pixels seldom fall into one cell."""

_CLASS = {character: index + 1 for index, character in enumerate(ALPHABET)}


class Character(NamedTuple):
    """One drawn character and the middle of its place, in pixels of the picture that is seen."""

    text: str
    x_px: float
    y_px: float


class Cells:
    """The cells of a picture of `width_px` by `height_px`, token by token.

    Args:
        width_px: Width of the picture as the tower sees it, a multiple of a token's side.
        height_px: Its height, likewise.
        config: Gives the side of a token.
    """

    def __init__(self, width_px: int, height_px: int, config: VisionConfig) -> None:
        self._side_px = config.patch_size * config.spatial_merge_size
        self.columns, self.rows = width_px // self._side_px, height_px // self._side_px
        self.across, self.down = cells_of_token(config)

    @property
    def of_token(self) -> int:
        """Number of cells of one token."""
        return self.across * self.down

    def labels(self, characters: Iterable[Character]) -> NDArray[np.int64]:
        """Return the class of every cell: (rows * columns, cells of a token).

        Args:
            characters: What is drawn; characters outside the alphabet are left out.
        """
        found = np.zeros((self.rows * self.columns, self.of_token), dtype=np.int64)
        for character in characters:
            token, cell = self._cell(character)
            if found[token, cell] and (cell + 1) % self.across:
                cell += 1  # two narrow letters share a cell: the later one moves on
            found[token, cell] = _CLASS.get(character.text, 0)
        return found

    def rowwise(self, of_cells: Tensor) -> Tensor:
        """Lay what is known of every cell of N pictures out as it is seen.

        Args:
            of_cells: (N * rows * columns, cells of a token), as `labels` are.

        Returns:
            (N, rows * cells down, columns * cells across).
        """
        shape = (-1, self.rows, self.columns, self.down, self.across)
        laid = of_cells.reshape(shape).transpose(2, 3)
        return laid.reshape(laid.shape[0], self.rows * self.down, self.columns * self.across)

    def spans(self, words: Iterable[list[Character]]) -> list[list[int]]:
        """Return, for each word, the flat indices of its characters' cells."""
        return [
            [token * self.of_token + cell for token, cell in map(self._cell, word)]
            for word in words
        ]

    def _cell(self, character: Character) -> tuple[int, int]:
        column = min(int(character.x_px / self._side_px), self.columns - 1)
        row = min(int(character.y_px / self._side_px), self.rows - 1)
        inside_x = character.x_px / self._side_px - column
        inside_y = character.y_px / self._side_px - row
        across = min(int(inside_x * self.across), self.across - 1)
        down = min(int(inside_y * self.down), self.down - 1)
        return row * self.columns + column, down * self.across + across


def cells_of_token(config: VisionConfig) -> tuple[int, int]:
    """Return how many cells a token has across and down."""
    side_px = config.patch_size * config.spatial_merge_size
    return max(1, round(side_px / CELL_WIDTH_PX)), max(1, round(side_px / CELL_HEIGHT_PX))


class CharacterHead(nn.Module):
    """Names the characters of each token from the tower's output.

    Args:
        config: Gives the tower's output width and the cells of a token.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        across, down = cells_of_token(config)
        self.width = config.hidden_size
        self.linear = nn.Linear(self.width, across * down * CLASSES)

    def forward(self, tokens: Tensor) -> Tensor:
        """(V, hidden) -> logits (V, cells of a token, classes)."""
        logits: Tensor = self.linear(F.layer_norm(tokens, (self.width,)))
        return logits.float().view(tokens.shape[0], -1, CLASSES)


def character_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy over all cells, divided by the number of characters: a scalar.

    Args:
        logits: (V, cells, classes).
        labels: LongTensor (V, cells); cells that are `UNKNOWN` do not count.
    """
    total = F.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), reduction="sum", ignore_index=UNKNOWN
    )
    return total / torch.clamp((labels > 0).sum(), min=1)


class CharacterLoss:
    """The character loss of whatever the network's vision tower saw last.

    Args:
        model: The network; a hook is put on its tower.
        head: The head to go on with; a new one where there is none.
    """

    def __init__(self, model: Qwen2VLNetwork, head: CharacterHead | None = None) -> None:
        self.head = head or CharacterHead(model.config.vision)
        self._tokens: Tensor | None = None
        self._hook = model.visual.register_forward_hook(self._keep)

    def close(self) -> None:
        """Take the hook away."""
        self._hook.remove()

    def __call__(self, labels: Tensor) -> Tensor:
        """Return the loss of the last forward pass, a scalar.

        Args:
            labels: LongTensor (V, cells) of that pass's pictures, `UNKNOWN` where not known.
        """
        if self._tokens is None or not bool((labels != UNKNOWN).any()):
            return torch.zeros(())
        tokens, self._tokens = self._tokens, None
        return character_loss(self.head(tokens), labels)

    def _keep(self, module: nn.Module, inputs: object, output: Tensor) -> None:
        self._tokens = output
