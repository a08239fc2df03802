"""Attention of one new token a row over many keys, for devices with many processors.

One query gives a kernel only as many pieces of work as there are rows and key heads: two for a
conversation with the 2B model. So the keys are cut into chunks, each is attended to by itself, and
the partial results are put together by the logarithms of their sums (flash decoding).

Shapes are named as in `attention.py`: B rows, H and K heads, S keys, D head size; N is B times K,
G is H / K, C chunks.
"""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

MOST_PIECES = 128
"""About as many pieces of work are made, one for each processor of a large GPU."""
LEAST_CHUNK, MOST_CHUNK = 128, 1024
"""Keys of a chunk, a power of two."""
_ALIGNED = 8


def length_mask(places: Tensor, key_heads: int, keys: int, dtype: torch.dtype) -> Tensor:
    """Return what hides the keys behind each row's newest one.

    Args:
        places: LongTensor (B,), where the newest key of each row lies.
        key_heads: how many each row has.
        keys: how many of each row are read.
        dtype: that of the queries.

    Returns:
        additive (B, K, 1, keys); what is hidden is finite, as a whole chunk may be hidden.
    """
    hidden = torch.arange(keys, device=places.device) > places[:, None, None, None]
    zeros = torch.zeros((len(places), key_heads, 1, keys), dtype=dtype, device=places.device)
    return zeros.masked_fill_(hidden, torch.finfo(dtype).min / 2)


def attend_split(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, *, chunk: int | None = None
) -> Tensor:
    """Grouped-query attention of one query a head; keys and values are neither repeated nor copied.

    Args:
        q: (B, H, 1, D).
        k: (B, K, S, D) with H a multiple of K, the first keys of longer rows or all.
        v: like ``k``.
        mask: additive (B, 1 or K, 1, S), finite as `length_mask` makes it; None shows all keys.
        chunk: keys attended to at a time; None is what suits so many rows, heads and keys.

    Returns:
        (B, H, 1, D).
    """
    rows, key_heads, keys, size = k.shape
    chunk = chunk or _chunk(rows * key_heads, keys)
    queries = q.reshape(rows * key_heads, -1, size)  # (N, G, D)
    k, v = k.flatten(0, 1), v.flatten(0, 1)  # (N, S, D): rows and heads lie evenly apart
    if mask is not None:
        mask = mask.expand(-1, key_heads, -1, -1).reshape(rows * key_heads, 1, keys)
        if q.is_cuda and keys % _ALIGNED:  # a kernel there wants rows to begin at a multiple of 8
            mask = F.pad(mask, (0, -keys % _ALIGNED))[..., :keys]
    whole = keys // chunk * chunk
    parts = [
        _attend_chunks(
            queries, k[:, span], v[:, span], None if mask is None else mask[..., span], count
        )
        for span, count in ((slice(0, whole), whole // chunk), (slice(whole, keys), 1))
        if span.start < span.stop
    ]
    outs, sums = parts[0]
    if len(parts) > 1:
        outs, sums = (torch.cat(both, dim=1) for both in zip(*parts, strict=True))
    return _put_together(outs, sums).to(q.dtype).view(q.shape)


def _chunk(rows: int, keys: int) -> int:
    chunk = LEAST_CHUNK
    while chunk < MOST_CHUNK and rows * keys > chunk * MOST_PIECES:
        chunk *= 2
    return chunk


def _put_together(outs: Tensor, sums: Tensor) -> Tensor:
    return (outs * sums.softmax(dim=1)[..., None]).sum(dim=1)  # (N, G, D)


def _attend_chunks(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, count: int
) -> tuple[Tensor, Tensor]:
    """Return outputs (N, C, G, D) of `count` chunks, and the logarithms of their sums (N, C, G)."""
    k, v = (torch.unflatten(x, 1, (count, -1)) for x in (k, v))  # (N, C, chunk, D)
    if mask is not None:
        mask = torch.unflatten(mask, 2, (count, -1)).transpose(1, 2)  # (N, C, 1, chunk)
    if q.is_cuda and _one_kernel_does(q.device, q.dtype, q.shape[-1]):
        return _in_one_kernel(q, k, v, mask)
    return _in_products(q, k, v, mask)


def _in_products(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Attend to chunks in plain products."""
    count = k.shape[1]
    scores = (q @ k.flatten(1, 2).transpose(1, 2)).float() * q.shape[-1] ** -0.5  # (N, G, S)
    scores = torch.unflatten(scores, 2, (count, -1)).transpose(1, 2)  # (N, C, G, chunk)
    if mask is not None:
        scores = scores + mask
    sums = scores.logsumexp(dim=-1)
    shares = (scores - sums[..., None]).exp().to(v.dtype)
    # A product over both would copy the values, whose rows end behind the last chunk.
    if len(q) <= count:
        outs = torch.stack([a @ b for a, b in zip(shares, v, strict=True)])
    else:
        pairs = zip(shares.unbind(1), v.unbind(1), strict=True)
        outs = torch.stack([a @ b for a, b in pairs], dim=1)
    return outs, sums


def _in_one_kernel(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Do the same on CUDA: to the kernel, chunks are the heads of each row's key head."""
    chunks, group = k.shape[1], q.shape[1]
    if mask is not None:
        mask = mask.expand(-1, -1, group, -1)
    outs, sums, *_ = torch.ops.aten._scaled_dot_product_efficient_attention(
        q[:, None].expand(-1, chunks, -1, -1), k, v, mask, True
    )
    return outs, sums[..., :group]  # the kernel fills its sums up


@functools.cache
def _one_kernel_does(device: torch.device, dtype: torch.dtype, size: int) -> bool:
    """Return whether the kernel finds what products find; it is not one that torch promises."""
    numbers = torch.arange(2 * 400 * size, device=device).sin().to(dtype).view(2, 400, size)
    chunks = torch.unflatten(numbers[:, :384], 1, (3, 128))
    places = torch.tensor([100, 300], device=device)  # a whole chunk is hidden, or two
    mask = torch.unflatten(length_mask(places, 1, 384, dtype)[:, 0], 2, (3, 128)).transpose(1, 2)
    given = numbers[:, -6:], chunks, chunks.flip(-1), mask
    try:
        found = _put_together(*_in_one_kernel(*given))
    except (RuntimeError, AttributeError):
        return False
    most = 1e-3 if dtype == torch.float32 else 2e-2
    return bool((found - _put_together(*_in_products(*given))).abs().max() < most)
