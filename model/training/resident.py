"""The losses of `trainer.py` in fixed shapes, for documents that lie in the device's memory.

A small network leaves a GPU waiting for the process that starts its kernels. So a whole step is
recorded once and replayed (`recorded.py`), and nothing in it may depend on what the documents say:
no shape, no branch, no number that is read back.
"""

from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eyehand.errors import UsageError
from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.model.qwen2vl.attention import additive_mask
from eyehand.model.qwen2vl.language import Pass, SelfAttention
from eyehand.model.qwen2vl.model import IGNORED_TARGET, Qwen2VLNetwork
from eyehand.model.qwen2vl.vision import patch_coordinates
from eyehand.model.training.batching import NOWHERE, visible
from eyehand.model.training.characters import CharacterHead, character_loss
from eyehand.model.training.packing import MOST_WORDS, Size
from eyehand.model.training.positions import (
    LOOK_LAYER,
    POSITION_LAYER,
    first_head,
    position_head,
    position_loss,
)

LOSSES = ("loss", "position_loss", "look_loss", "character_loss")
"""Names of the losses, as `TrainingRun` logs them."""


class Learner:
    """A network with its auxiliary heads: losses of packed documents.

    Args:
        model: The network; two hooks are put on it.
        settings: How it sees a screen.
        characters: The head that names characters; a new one where there is none.
        positions: The head of rows and columns; a new one where there is none.

    Raises:
        UsageError: the network has too few layers, or more words than can be packed.
    """

    def __init__(
        self, model: Qwen2VLNetwork, settings: ImageSettings,
        characters: CharacterHead | None = None, positions: nn.Linear | None = None,
    ) -> None:  # fmt: skip
        _check(model)
        self.model = model
        self.characters = (characters or CharacterHead(model.config.vision)).to(model.device)
        self.positions = (positions or position_head(model)).to(model.device)
        per_channel = torch.tensor([settings.mean, settings.std], device=model.device)
        self._mean, self._std = per_channel.repeat_interleave(settings.patch_size**2, 1)
        self._place: Tensor | None = None
        self._looking: tuple[Tensor, Pass] | None = None
        self._turns: dict[tuple[int, int, int], tuple[Tensor, Tensor]] = {}
        layers = model.model.layers
        self._attention = cast(SelfAttention, layers[LOOK_LAYER].self_attn)
        self._hooks = (
            layers[POSITION_LAYER].register_forward_hook(self._keep_place),
            self._attention.register_forward_pre_hook(self._keep_looking),
        )

    def close(self) -> None:
        """Take the hooks away."""
        for hook in self._hooks:
            hook.remove()
        self._place = self._looking = None

    @property
    def heads(self) -> dict[str, nn.Module]:
        """The heads that are used in training only, by name."""
        return {"characters": self.characters, "positions": self.positions}

    def see(self, patches: Tensor, size: Size) -> Tensor:
        """Return vision tokens (B * V, C) of screens: uint8 (B, P, 3 * side * side)."""
        batch, tower = len(patches), self.model.visual
        cos, sin = self.rotations(size, batch)
        # Both frames of a still screen are the same: their kernels are added up.
        kernel = tower.patch_embed.proj.weight.sum(2).flatten(1)
        pixels = (patches.flatten(0, 1).float() / 255.0 - self._mean) / self._std
        x = F.linear(pixels, kernel)
        for block in tower.blocks:
            x = block(x, cos, sin, [(batch, size.patches)])
        tokens: Tensor = tower.merger(x)
        return tokens

    def read(self, drawn: Mapping[str, Tensor], size: Size) -> dict[str, Tensor]:
        """Return the character loss of a batch, by its name: the vision tower alone."""
        return {"character_loss": self._read(self.see(drawn["patches"], size), drawn["cells"])}

    def losses(self, drawn: Mapping[str, Tensor], size: Size) -> dict[str, Tensor]:
        """Return the losses of a batch by their names, each a scalar.

        Pages have no text, and texts no screen: what is missing has no loss.
        """
        if not size.tokens:
            return self.read(drawn, size)
        embeds = self.model.model.embed_tokens(drawn["ids"].long())
        if not size.patches:
            return {"loss": self._answers(drawn, embeds)[0]}
        seen = self.see(drawn["patches"], size)
        places = _vision_places(drawn["first"].long(), size)
        mixed = embeds.flatten(0, 1).index_copy(0, places, seen.to(embeds.dtype))
        loss, mask = self._answers(drawn, mixed.view(embeds.shape))
        return {
            "loss": loss,
            "position_loss": self._position_loss(drawn["positions"].long(), places),
            "look_loss": self._look_loss(mask, drawn["rows"].long(), drawn["looks"].long()),
            "character_loss": self._read(seen, drawn["cells"]),
        }

    def rotations(self, size: Size, batch: int) -> tuple[Tensor, Tensor]:
        """Return cosines and sines of a batch's patches; made before a step is recorded."""
        key = (size.rows, size.columns, batch)
        if key not in self._turns:
            tower = self.model.visual
            grid = torch.tensor([[1, size.rows, size.columns]])
            places = patch_coordinates(grid, tower.config.spatial_merge_size).repeat(batch, 1)
            self._turns[key] = tower.rotations(places.to(self.model.device))
        return self._turns[key]

    def _read(self, tokens: Tensor, cells: Tensor) -> Tensor:
        return character_loss(self.characters(tokens), cells.flatten(0, 1).long())

    def _answers(self, drawn: Mapping[str, Tensor], embeds: Tensor) -> tuple[Tensor, Tensor]:
        """Return the answers' mean cross-entropy, and the mask (B, 1, L, L) of the pass."""
        dtype = torch.bfloat16 if embeds.is_cuda else embeds.dtype
        mask = additive_mask(visible(drawn["group"]), dtype)
        positions = drawn["positions"].long().transpose(0, 1)  # (3, B, L)
        hidden = self.model.model(embeds, positions, mask, causal=False)
        logits = self.model.logits(_gathered(hidden, drawn["rows"].long())).float()
        targets = drawn["targets"].long().flatten()
        return F.cross_entropy(logits.flatten(0, 1), targets, ignore_index=IGNORED_TARGET), mask

    def _position_loss(self, positions: Tensor, places: Tensor) -> Tensor:
        """`positions` (B, 3, L) at the flat indices `places` (n,)."""
        assert self._place is not None
        hidden = self._place.flatten(0, 1).index_select(0, places)
        relative = (positions[:, 1:] - positions[:, :1]).transpose(1, 2).flatten(0, 1)  # (B * L, 2)
        return position_loss(self.positions, hidden, relative.index_select(0, places))

    def _look_loss(self, mask: Tensor, rows: Tensor, looks: Tensor) -> Tensor:
        assert self._looking is not None
        q, k = first_head(self._attention, *self._looking)
        scores = (_gathered(q, rows) @ k.transpose(-1, -2)).float() / self._attention.head_dim**0.5
        allowed = _gathered(mask[:, 0], rows)
        total = F.cross_entropy(
            (scores + allowed).flatten(0, 1), looks.flatten(), ignore_index=NOWHERE, reduction="sum"
        )
        return total / torch.clamp((looks != NOWHERE).sum(), min=1)

    def _keep_place(self, module: nn.Module, inputs: object, output: Tensor) -> None:
        self._place = output

    def _keep_looking(self, module: nn.Module, inputs: tuple[Tensor, Pass]) -> None:
        self._looking = inputs


def _check(model: Qwen2VLNetwork) -> None:
    text = model.config.text
    if text.num_hidden_layers <= LOOK_LAYER:
        raise UsageError(
            f"the losses that teach pointing need {LOOK_LAYER + 1} decoder layers; this network "
            f"has {text.num_hidden_layers}"
        )
    if text.vocab_size > MOST_WORDS:
        raise UsageError(
            f"documents are packed with tokens of 16 bits, {MOST_WORDS:,} at most; this network "
            f"has {text.vocab_size:,}: train it with `eyehand train run`"
        )


def _gathered(x: Tensor, rows: Tensor) -> Tensor:
    """(B, L, C) at (B, T) -> (B, T, C)."""
    return x.gather(1, rows[..., None].expand(-1, -1, x.shape[-1]))


def _vision_places(first: Tensor, size: Size) -> Tensor:
    """Return the flat indices of the screens' tokens in (B * L): LongTensor (B * V,)."""
    within = first + torch.arange(size.vision_tokens, device=first.device)  # (B, V)
    rows = torch.arange(len(first), device=first.device)[:, None] * size.tokens
    return (within + rows).flatten()
