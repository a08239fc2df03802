"""What both towers share: rotary embedding, masks and scaled dot-product attention.

Shapes are named B (batch), H (query heads), K (key heads), L (queries), S (keys), D (head size).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from eyehand.model.qwen2vl.split_attention import attend_split


def inverse_frequencies(count: int, theta: float, device: torch.device) -> Tensor:
    """Return the ``count`` rotary frequencies ``theta ** (-i / count)``, float32 (count,)."""
    exponents = torch.arange(count, dtype=torch.float32, device=device) / count
    return torch.reciprocal(torch.pow(theta, exponents))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary embedding in the half-rotation layout (not interleaved).

    Args:
        x: (..., D).
        cos: cosines of the angles, broadcastable to (..., D/2).
        sin: sines, like ``cos``.

    Returns:
        (..., D), where dimension i is rotated against dimension i + D/2.
    """
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def rotate_in_few_kernels(q: Tensor, k: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """Do to both what ``rotate`` does, in four kernels in place of fourteen: for a GPU.

    Args:
        q: (B, H, L, D).
        k: (B, K, L, D).
        cos: cosines of the angles twice, (B, 1, L, D).
        sin: sines, the first of the two negated, like ``cos``.
    """
    both = torch.cat((q, k), dim=1)
    turned = torch.addcmul(both * cos, both.roll(both.shape[-1] // 2, dims=-1), sin)
    return turned[:, : q.shape[1]], turned[:, q.shape[1] :]


def by_tile(function: Callable[..., Tensor], tile: int | None, *inputs: Tensor) -> Tensor:
    """Apply to so many tokens at a time a function that treats each token by itself.

    A matrix product sums in an order that depends on the number of its rows; with a fixed number
    a token gets the same bits whatever stands beside it.

    Args:
        function: from tensors (B, L, ...) to one.
        tile: tokens at a time, of which L is a multiple; None is all at once.
        inputs: what the function takes.
    """
    if tile is None or inputs[0].shape[1] <= tile:
        return function(*inputs)
    parts = zip(*(torch.split(x, tile, dim=1) for x in inputs), strict=True)
    return torch.cat([function(*part) for part in parts], dim=1)


def additive_mask(allowed: Tensor, dtype: torch.dtype) -> Tensor:
    """Turn a boolean mask into the one that is added to the scores.

    A query that may see nothing (padding) is allowed everything instead: its output is
    meaningless but finite, where a softmax over nothing would be NaN and poison gradients.

    Args:
        allowed: bool (B, L, S) or (B, 1, L, S), true where the query may see the key.
        dtype: the dtype of the queries.

    Returns:
        (B, 1, L, S) of zeros and minus infinity.
    """
    allowed = allowed.unsqueeze(1) if allowed.ndim == 3 else allowed
    allowed = allowed | ~allowed.any(dim=-1, keepdim=True)
    keys = allowed.shape[-1]
    # CUDA kernels want rows that begin at a multiple of 8, and would copy the mask in every layer.
    spare = -keys % 8 if allowed.is_cuda else 0
    zeros = torch.zeros((*allowed.shape[:-1], keys + spare), dtype=dtype, device=allowed.device)
    return zeros[..., :keys].masked_fill_(~allowed, float("-inf"))


def causal_padding_mask(valid: Tensor) -> Tensor:
    """Return the bool (B, L, L) causal mask of a batch whose padding is false in ``valid``."""
    length = valid.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=valid.device).tril()
    return causal & valid[:, None, :]


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, *, causal: bool) -> Tensor:
    """Grouped-query attention; scores and softmax are accumulated in float32 by the kernels.

    Args:
        q: (B, H, L, D).
        k: (B, K, S, D) with H a multiple of K; query head i reads key head i // (H / K).
        v: like ``k``.
        mask: additive (B, 1, L, S), or None.
        causal: without a mask, let query i see keys up to i (needs L == S).

    Returns:
        (B, H, L, D).
    """
    heads, key_heads = q.shape[1], k.shape[1]
    if heads == key_heads:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
    if q.shape[2] == 1:
        if q.is_cuda and not torch.is_grad_enabled():
            lowest = torch.finfo(q.dtype).min / 2
            return attend_split(q, k, v, None if mask is None else mask.clamp(min=lowest))
        # One query a head: the heads of a group become queries of their key head, copying nothing.
        folded = q.reshape(q.shape[0], key_heads, heads // key_heads, q.shape[3])
        out = F.scaled_dot_product_attention(folded, k, v, attn_mask=mask)  # (B, K, H/K, D)
        return out.reshape(q.shape)
    if mask is not None and q.is_cuda:
        # No fused CUDA kernel takes both a mask and grouped heads.
        if not torch.is_grad_enabled():
            with sdpa_kernel([SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]):  # strides of 0
                return attend_by_key_head(q, k, v, mask)
        k, v = (x.repeat_interleave(heads // key_heads, dim=1) for x in (k, v))
    return F.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=k.shape[1] != heads
    )


def attend_by_key_head(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Do what ``attend`` does with a mask, by kernels that know no grouped heads.

    Keys and values are not repeated: all heads of a group are given the same memory. That takes
    one call for all key heads of a single row, and one a key head for several rows.
    """
    rows, heads, length, size = q.shape
    key_heads = k.shape[1]
    group = heads // key_heads
    if rows == 1:
        by_group = q.reshape(key_heads, group, length, size)
        k, v = (x[0, :, None].expand(-1, group, -1, -1) for x in (k, v))  # (K, H/K, S, D)
        return F.scaled_dot_product_attention(by_group, k, v, attn_mask=mask).view(q.shape)
    outs = []
    for queries, key, value in zip(
        torch.split(q, group, dim=1),
        torch.split(k, 1, dim=1),
        torch.split(v, 1, dim=1),
        strict=True,
    ):
        key, value = (x.expand(-1, group, -1, -1) for x in (key, value))  # (B, H/K, S, D)
        outs.append(F.scaled_dot_product_attention(queries, key, value, attn_mask=mask))
    return torch.cat(outs, dim=1)
