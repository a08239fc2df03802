"""Qwen2-VL: the vision tower and the language model as one network.

Shapes: B rows, L tokens a row in this pass, S keys, P patches, C the language model's width.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eyehand.errors import UsageError
from eyehand.model.qwen2vl.attention import additive_mask, by_tile, causal_padding_mask
from eyehand.model.qwen2vl.cache import Cache, KVCache, Slots
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.language import LanguageModel
from eyehand.model.qwen2vl.mrope import batch_position_ids
from eyehand.model.qwen2vl.placement import Placement
from eyehand.model.qwen2vl.vision import VisionTower

IGNORED_TARGET = -100
"""A target that contributes no loss."""


class Qwen2VLNetwork(nn.Module):
    """The whole network, with the parameter names of the published checkpoints.

    A new instance has random weights fit for training: normal with deviation 0.02, projections
    into the residual stream scaled down by the square root of twice the depth (as in GPT-2).

    Attributes:
        placement: Where its parts are; None where they share a device.
    """

    def __init__(self, config: Qwen2VLConfig) -> None:
        super().__init__()
        self.config = config
        self.visual = VisionTower(config.vision)
        self.model = LanguageModel(config.text)
        self.lm_head: nn.Linear | None = None  # tied: the embedding is the head
        if not config.text.tie_word_embeddings:
            self.lm_head = nn.Linear(config.text.hidden_size, config.text.vocab_size, bias=False)
        self.placement: Placement | None = None
        self._initialise()

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the weights."""
        return self.model.embed_tokens.weight.dtype

    @property
    def device(self) -> torch.device:
        """The device of the weights: the first one, where there are several."""
        return self.model.embed_tokens.weight.device

    @property
    def layer_devices(self) -> tuple[torch.device, ...]:
        """The device of each decoder layer, where its keys and values lie too."""
        if self.placement is not None:
            return self.placement.layers
        return (self.device,) * self.config.text.num_hidden_layers

    def split(self, placement: Placement) -> None:
        """Say that the parts have been put on several devices, between which passes then go."""
        self.placement, self.model.borders = placement, placement.borders

    def new_cache(self, batch: int = 1, max_tokens: int = 1024) -> KVCache:
        """Return an empty cache of this model's dtype, on its devices."""
        return KVCache(self.config.text, batch, max_tokens, self.dtype, self.layer_devices)

    def encode_images(self, patches: Tensor, grid_thw: Tensor) -> Tensor:
        """Encode images or videos to embeddings that ``forward`` takes back.

        Args:
            patches: (P, 1176) normalised, in merge order.
            grid_thw: LongTensor (N, 3).

        Returns:
            (P/4, C), image after image; image i has ``t * h * w / 4`` rows.
        """
        tokens: Tensor = self.visual(patches.to(self.device), grid_thw)
        return tokens

    def hidden_states(
        self,
        input_ids: Tensor,
        *,
        patches: Tensor | None = None,
        grid_thw: Tensor | None = None,
        video_patches: Tensor | None = None,
        video_grid_thw: Tensor | None = None,
        image_embeds: Tensor | None = None,
        video_embeds: Tensor | None = None,
        position_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Return what the head reads: (B, L, C) after the final norm.

        Args:
            input_ids: LongTensor (B, L) of the new tokens, with one placeholder for every
                vision token.
            patches: (P, 1176) of the images of all rows, in order.
            grid_thw: LongTensor (N, 3), the images' patch grids. Also needed beside
                ``image_embeds`` when ``position_ids`` are not given.
            video_patches: like ``patches``, for videos.
            video_grid_thw: like ``grid_thw``, for videos.
            image_embeds: (tokens, C) from ``encode_images``, in place of ``patches``.
            video_embeds: the same for videos.
            position_ids: LongTensor (3, B, L); computed when None, continuing where the cache
                ends.
            attention_mask: None (causal), bool (B, L) with padding false, or bool (B, L, S) or
                (B, 1, L, S) saying which key each query sees (S counts cached keys too).
            cache: holds what came before, and stores this pass.

        Raises:
            UsageError: placeholders, grids, patches, masks and cache do not fit together.
        """
        valid, full = _split_mask(attention_mask, self.device)
        if position_ids is None:
            position_ids = self._positions(input_ids, grid_thw, video_grid_thw, valid, cache)
        embeds = self.model.embed_tokens(input_ids.to(self.device))  # (B, L, C)
        images = self._vision(patches, grid_thw, image_embeds)
        videos = self._vision(video_patches, video_grid_thw, video_embeds)
        embeds = _place(embeds, input_ids, self.config.image_token_id, images, "image")
        embeds = _place(embeds, input_ids, self.config.video_token_id, videos, "video")
        slots = _plan(cache, input_ids, valid)
        mask = _boolean_mask(valid, full, slots)
        additive = None if mask is None else additive_mask(mask, embeds.dtype)
        causal = mask is None and (slots is None or slots.start == 0)
        positions = position_ids.to(self.device)
        out: Tensor = self.model(
            embeds, positions, additive, causal=causal, cache=cache, slots=slots
        )
        if cache is not None and slots is not None:
            cache.commit(slots, position_ids)
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        """Apply the head: (..., C) -> (..., vocabulary), on the first device."""
        head = self.model.embed_tokens if self.lm_head is None else self.lm_head
        return F.linear(hidden.to(head.weight.device), head.weight).to(self.device)

    def forward(
        self,
        input_ids: Tensor,
        *,
        last_only: bool = False,
        rows: Tensor | None = None,
        **inputs: Any,
    ) -> Tensor:
        """Return logits.

        Args:
            input_ids: LongTensor (B, L).
            last_only: only each row's last real token: the result is (B, 1, vocabulary).
            rows: bool (B, L), the tokens to compute logits for: the result is (n, vocabulary),
                in row-major order. The head is not run for the others.
            inputs: the keyword arguments of ``hidden_states``.

        Returns:
            (B, L, vocabulary), unless ``last_only`` or ``rows`` says otherwise.
        """
        hidden = self.hidden_states(input_ids, **inputs)
        if rows is not None:
            hidden = hidden[rows.to(hidden.device)]  # (n, C)
            return self._logits_by_tile(hidden, inputs.get("cache"))
        if last_only:
            hidden = _last_tokens(hidden, inputs.get("attention_mask"))  # (B, 1, C)
        return self.logits(hidden)

    def loss(self, input_ids: Tensor, targets: Tensor, **inputs: Any) -> Tensor:
        """Return the mean cross-entropy over supervised tokens, a scalar in float32.

        Args:
            input_ids: LongTensor (B, L).
            targets: LongTensor (B, L): the token that each position must predict (already
                shifted: usually the next token's id), or ``IGNORED_TARGET``.
            inputs: the keyword arguments of ``hidden_states``.
        """
        targets = targets.to(self.device)
        rows = targets != IGNORED_TARGET
        logits = self.forward(input_ids, rows=rows, **inputs)
        return F.cross_entropy(logits.float(), targets[rows])

    def _logits_by_tile(self, hidden: Tensor, cache: Cache | None) -> Tensor:
        """(n, C) -> (n, vocabulary), filled up to whole tiles where the cache wants them."""
        if cache is None or cache.tile is None:
            return self.logits(hidden)
        filled = F.pad(hidden, (0, 0, 0, -len(hidden) % cache.tile))
        return by_tile(self.logits, cache.tile, filled[None])[0, : len(hidden)]

    def _positions(
        self,
        input_ids: Tensor,
        grid_thw: Tensor | None,
        video_grid_thw: Tensor | None,
        valid: Tensor | None,
        cache: Cache | None,
    ) -> Tensor:
        positions, _ = batch_position_ids(
            input_ids,
            self.config,
            image_grids=grid_thw,
            video_grids=video_grid_thw,
            attention_mask=None if valid is None else valid.to(input_ids.device),
            starts=None if cache is None else cache.next_positions,
        )
        return positions

    def _vision(
        self, patches: Tensor | None, grid_thw: Tensor | None, embeds: Tensor | None
    ) -> Tensor | None:
        if patches is None:
            return embeds
        if grid_thw is None or embeds is not None:
            raise UsageError("patches need their grid_thw, and exclude ready-made embeddings")
        return self.encode_images(patches, grid_thw)

    @torch.no_grad()
    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=self._deviation(name))
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def _deviation(self, name: str) -> float:
        if name.startswith("model.") and name.endswith(("o_proj.weight", "down_proj.weight")):
            return 0.02 / math.sqrt(2 * self.config.text.num_hidden_layers)
        if name.startswith("visual.blocks") and name.endswith(("attn.proj.weight", "fc2.weight")):
            return 0.02 / math.sqrt(2 * self.config.vision.depth)
        return 0.02


def _split_mask(mask: Tensor | None, device: torch.device) -> tuple[Tensor | None, Tensor | None]:
    """Tell a padding mask (B, L) from a full one, both bool on ``device``."""
    if mask is None:
        return None, None
    mask = mask.to(device=device, dtype=torch.bool)
    if mask.ndim > 2:
        return None, mask
    return (None, None) if bool(mask.all()) else (mask, None)


def _place(embeds: Tensor, ids: Tensor, token: int, vision: Tensor | None, kind: str) -> Tensor:
    """Put vision embeddings at their placeholders, in order."""
    at = (ids == token).to(embeds.device)
    expected, found = int(at.sum()), 0 if vision is None else vision.shape[0]
    if expected != found:
        raise UsageError(
            f"input_ids hold {expected} {kind} placeholder(s) (id {token}), but the given "
            f"{kind}s make {found} token(s)"
        )
    if vision is None or not found:
        return embeds
    return embeds.masked_scatter(at[..., None], vision.to(embeds))


def _plan(cache: Cache | None, ids: Tensor, valid: Tensor | None) -> Slots | None:
    if cache is None:
        return None
    if ids.shape[0] != cache.batch:
        raise UsageError(f"the cache has {cache.batch} row(s), input_ids have {ids.shape[0]}")
    return cache.plan(ids.shape[1], valid)


def _boolean_mask(valid: Tensor | None, full: Tensor | None, slots: Slots | None) -> Tensor | None:
    if full is not None:
        return full
    if slots is not None:
        return slots.mask()
    return None if valid is None else causal_padding_mask(valid)


def _last_tokens(hidden: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None or mask.ndim != 2:
        return hidden[:, -1:]
    length = mask.shape[1]
    indices = torch.arange(length, device=mask.device).expand_as(mask)
    last = indices.masked_fill(~mask.bool(), 0).amax(dim=1).to(hidden.device)
    return hidden[torch.arange(hidden.shape[0], device=hidden.device), last].unsqueeze(1)
