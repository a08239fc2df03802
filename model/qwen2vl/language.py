"""The language model: a Qwen2 decoder with M-RoPE and grouped-query attention.

Parameter names and shapes are those of the published checkpoints (under ``model.``).
Shapes: B batch, L tokens of this pass, C width, H and K query and key heads, D head size.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eyehand.model.qwen2vl.attention import (
    attend,
    by_tile,
    inverse_frequencies,
    rotate,
    rotate_in_few_kernels,
)
from eyehand.model.qwen2vl.cache import Slots, Store
from eyehand.model.qwen2vl.config import TextConfig
from eyehand.model.qwen2vl.joined import Joined, products, rejoined


@dataclass(frozen=True)
class Pass:
    """What every layer of one forward pass shares.

    Attributes:
        cos: (B, 1, L, D/2), in the dtype of the weights.
        sin: like ``cos``.
        mask: additive (B, 1, L, S), or None.
        causal: whether plain causal attention applies where there is no mask.
        cache: where keys and values are kept, or None.
        slots: the places in the cache, with a cache.
    """

    cos: Tensor
    sin: Tensor
    mask: Tensor | None
    causal: bool
    cache: Store | None = None
    slots: Slots | None = None

    @property
    def tile(self) -> int | None:
        """So many tokens at a time go through products (``by_tile``)."""
        return None if self.cache is None else self.cache.tile

    def to(self, device: torch.device) -> "Pass":
        """Return it for layers on another device."""
        return replace(
            self, cos=self.cos.to(device), sin=self.sin.to(device),
            mask=None if self.mask is None else self.mask.to(device),
            slots=None if self.slots is None else self.slots.to(device),
        )  # fmt: skip

    @cached_property
    def twice(self) -> tuple[Tensor, Tensor]:
        """Cosines and sines for ``rotate_in_few_kernels``."""
        return torch.cat((self.cos, self.cos), dim=-1), torch.cat((-self.sin, self.sin), dim=-1)


def rotations(
    position_ids: Tensor, config: TextConfig, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Return cosines and sines (B, 1, L, D/2), computed in float32.

    Args:
        position_ids: LongTensor (3, B, L): time, height, width.
        config: ``mrope_section`` says how many frequencies follow each axis, in order.
        dtype: of the result.
    """
    half = config.head_dim // 2
    frequencies = inverse_frequencies(half, config.rope_theta, position_ids.device)
    per_axis = position_ids.permute(1, 2, 0).float()  # (B, L, 3)
    per_frequency = torch.cat(
        [
            per_axis[..., axis : axis + 1].expand(-1, -1, count)
            for axis, count in enumerate(config.mrope_section)
        ],
        dim=-1,
    )  # (B, L, D/2)
    angles = (per_frequency * frequencies).unsqueeze(1)
    return angles.cos().to(dtype), angles.sin().to(dtype)


class RMSNorm(nn.Module):
    """Root-mean-square norm, computed in float32."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        if x.is_cuda and x.dtype == self.weight.dtype and not torch.is_grad_enabled():
            # One kernel in place of eight.
            return F.rms_norm(x, self.weight.shape, self.weight, self.eps)
        wide = x.float()
        normed = wide * torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + self.eps)
        return self.weight * normed.to(x.dtype)


class SelfAttention(nn.Module):
    """Grouped-query attention with rotary positions; q, k and v have biases, o has none."""

    def __init__(self, config: TextConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.head_dim = layer, config.head_dim
        width, keys = config.hidden_size, config.num_key_value_heads * config.head_dim
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, keys)
        self.v_proj = nn.Linear(width, keys)
        self.o_proj = nn.Linear(width, width, bias=False)
        self.joined: Joined | None = None

    def forward(self, x: Tensor, step: Pass) -> Tensor:
        """(B, L, C) -> (B, L, C)."""
        split = (*x.shape[:2], -1, self.head_dim)
        layers = (self.q_proj, self.k_proj, self.v_proj)
        if step.tile is None:
            parts = products(self.joined, layers, x)
        else:
            parts = [by_tile(layer, step.tile, x) for layer in layers]
        q, k, v = (part.view(split).transpose(1, 2) for part in parts)
        if x.is_cuda and not torch.is_grad_enabled():
            q, k = rotate_in_few_kernels(q, k, *step.twice)
        else:
            q, k = rotate(q, step.cos, step.sin), rotate(k, step.cos, step.sin)
        if step.cache is not None and step.slots is not None:
            out = step.cache.attend(self.layer, q, k, v, step.slots, step.mask, causal=step.causal)
        else:
            out = attend(q, k, v, step.mask, causal=step.causal)  # (B, H, L, D)
        return by_tile(self.o_proj, step.tile, out.transpose(1, 2).reshape(x.shape))

    def join(self) -> None:
        """Let q, k and v be one product."""
        self.joined = rejoined(self.joined, (self.q_proj, self.k_proj, self.v_proj))


class Mlp(nn.Module):
    """The gated SiLU feed-forward network."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)
        self.joined: Joined | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, L, C)."""
        gate, up = products(self.joined, (self.gate_proj, self.up_proj), x)
        out: Tensor = self.down_proj(F.silu(gate) * up)
        return out

    def join(self) -> None:
        """Let both products with the input be one."""
        self.joined = rejoined(self.joined, (self.gate_proj, self.up_proj))


class DecoderLayer(nn.Module):
    """Pre-norm attention and MLP, both residual."""

    def __init__(self, config: TextConfig, layer: int) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = SelfAttention(config, layer)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = Mlp(config)

    def forward(self, x: Tensor, step: Pass) -> Tensor:
        """(B, L, C) -> (B, L, C)."""
        x = x + self.self_attn(self.input_layernorm(x), step)
        return x + by_tile(self.mlp, step.tile, self.post_attention_layernorm(x))


class LanguageModel(nn.Module):
    """Token embedding, decoder layers and the final norm; the head lives outside.

    Attributes:
        borders: See ``Placement.borders``; empty where all is on one device.
    """

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.borders: Mapping[int, torch.device] = {}
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            DecoderLayer(config, layer) for layer in range(config.num_hidden_layers)
        )
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self,
        embeds: Tensor,
        position_ids: Tensor,
        mask: Tensor | None = None,
        *,
        causal: bool = True,
        cache: Store | None = None,
        slots: Slots | None = None,
    ) -> Tensor:
        """Run all layers.

        Args:
            embeds: (B, L, C) embeddings of the new tokens.
            position_ids: LongTensor (3, B, L) on the device of ``embeds``.
            mask: additive (B, 1, L, S), or None.
            causal: whether plain causal attention applies where there is no mask.
            cache: stores the new keys and values and gives back all of them.
            slots: the cache's plan for this pass.

        Returns:
            (B, L, C) after the final norm.
        """
        cos, sin = rotations(position_ids, self.config, embeds.dtype)
        step = Pass(cos, sin, mask, causal, cache, slots)
        x = embeds
        for number, layer in enumerate(self.layers):
            if (device := self.borders.get(number)) is not None:
                x, step = x.to(device), step.to(device)
            x = layer(x, step)
        normed: Tensor = self.norm(x.to(self.borders.get(len(self.layers), x.device)))
        return normed

    def join_products(self) -> None:
        """Let layers that read the same values be one product, where they are not; for inference.

        It takes no memory but for a moment that of one layer; where not even that is free, the
        other layers stay as they are.
        """
        try:
            for module in self.modules():
                if isinstance(module, (SelfAttention, Mlp)):
                    module.join()
        except torch.OutOfMemoryError:
            return
