"""Attention without repeated keys and values: equal to the plain form."""

import copy

import pytest
import torch
import torch.nn.functional as F
from tests.model.gpus import DEVICES
from torch import Tensor

from eyehand.model.qwen2vl import split_attention
from eyehand.model.qwen2vl.attention import (
    additive_mask,
    attend,
    attend_by_key_head,
    rotate,
    rotate_in_few_kernels,
)
from eyehand.model.qwen2vl.language import Pass, RMSNorm
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.qwen2vl.split_attention import attend_split, length_mask


def plain(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor | None) -> Tensor:
    """The textbook: keys and values repeated, in float64. `allowed` is bool (B, L, S)."""
    k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], dim=1).double() for x in (k, v))
    mask = None if allowed is None else allowed[:, None]
    return F.scaled_dot_product_attention(q.double(), k, v, attn_mask=mask)


def drawn(rows: int, heads: tuple[int, int], length: int, keys: int) -> tuple[Tensor, ...]:
    """Queries, keys and values; the latter are the beginning of a longer memory, as in a cache."""
    torch.manual_seed(keys + rows)
    q = 3 * torch.randn(rows, length, heads[0], 16).transpose(1, 2)
    k, v = (torch.randn(rows, heads[1], keys + 37, 16)[:, :, :keys] for _ in range(2))
    return q, k, v


def close(found: Tensor, expected: Tensor) -> bool:
    assert found.shape == expected.shape
    most = 2e-3 if found.is_cuda else 1e-5  # TF32 there
    return float((found.double().cpu() - expected.cpu()).abs().max()) < most


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("heads", [(6, 1), (12, 2), (4, 4)])
@pytest.mark.parametrize(
    ("keys", "chunk"), [(1, 16), (16, 16), (64, 16), (70, 16), (1024, None), (1000, 128)]
)
@pytest.mark.parametrize("rows", [1, 3, 9])
def test_split_keys_give_what_all_at_once_give(
    device: str, heads: tuple[int, int], keys: int, chunk: int | None, rows: int
) -> None:
    """Rows as short as one key, so that whole chunks are hidden from them."""
    q, k, v = (x.to(device) for x in drawn(rows, heads, 1, keys))
    places = torch.arange(rows, device=device) * keys // rows
    allowed = (torch.arange(keys, device=device) <= places[:, None])[:, None]
    mask = length_mask(places, heads[1], keys, q.dtype)
    found = attend_split(q, k, v, mask, chunk=chunk)
    assert close(found, plain(q, k, v, allowed))
    assert close(attend_split(q, k, v, mask[:, :1], chunk=chunk), plain(q, k, v, allowed))
    assert close(attend_split(q, k, v, None, chunk=chunk), plain(q, k, v, None))


def test_neither_keys_nor_values_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = drawn(3, (12, 2), 1, 70)
    held = {x.untyped_storage().data_ptr() for x in (k, v)}
    read: list[Tensor] = []
    attend_chunks = split_attention._attend_chunks

    def watched(q: Tensor, k: Tensor, v: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
        read.extend((k, v))
        return attend_chunks(q, k, v, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(split_attention, "_attend_chunks", watched)
    attend_split(q, k, v, None, chunk=16)
    assert len(read) == 4
    assert {x.untyped_storage().data_ptr() for x in read} == held


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("heads", [(6, 1), (12, 4)])
@torch.no_grad()
def test_a_masked_prompt_needs_no_repeated_keys(
    device: str, rows: int, heads: tuple[int, int]
) -> None:
    q, k, v = (x.to(device) for x in drawn(rows, heads, 9, 30))
    places = torch.arange(21, 30, device=device)
    allowed = torch.arange(30, device=device) <= places[:, None]
    allowed = allowed.expand(rows, -1, -1).clone()
    allowed[-1, :, 3:11] = False
    mask = additive_mask(allowed, q.dtype)
    assert close(attend_by_key_head(q, k, v, mask), plain(q, k, v, allowed))
    assert close(attend(q, k, v, mask, causal=False), plain(q, k, v, allowed))


def test_what_takes_fewer_kernels_on_a_gpu_is_the_same() -> None:
    q, k, _ = drawn(2, (6, 2), 5, 5)
    angles = torch.randn(2, 1, 5, 8)
    step = Pass(angles.cos(), angles.sin(), None, True)
    found = rotate_in_few_kernels(q, k, *step.twice)
    assert close(found[0], rotate(q, step.cos, step.sin).double())
    assert close(found[1], rotate(k, step.cos, step.sin).double())
    norm, x = RMSNorm(16, 1e-6), 100 * torch.randn(4, 16)
    with torch.no_grad():
        norm.weight.normal_()
        assert close(F.rms_norm(x, norm.weight.shape, norm.weight, norm.eps), norm(x).double())


def test_a_kernel_that_is_missing_or_wrong_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    does = split_attention._one_kernel_does.__wrapped__
    cpu = torch.device("cpu")
    assert not does(cpu, torch.float32, 16)  # there is none on a CPU
    monkeypatch.setattr(split_attention, "_in_one_kernel", split_attention._in_products)
    assert does(cpu, torch.float32, 16)
    assert does(cpu, torch.bfloat16, 64)

    def wrong(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        return split_attention._in_products(q, k, v, None)

    monkeypatch.setattr(split_attention, "_in_one_kernel", wrong)
    assert not does(cpu, torch.float32, 16)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_kernel_is_used_where_there_is_one(dtype: torch.dtype) -> None:
    assert split_attention._one_kernel_does(torch.device("cuda", 0), dtype, 128)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@torch.no_grad()
def test_a_network_computes_the_same_on_a_gpu(model: Qwen2VLNetwork) -> None:
    ids = torch.randint(0, 280, (2, 40), generator=torch.Generator().manual_seed(1))
    expected = model(ids)
    twin = copy.deepcopy(model).to("cuda")
    cache = twin.new_cache(batch=2, max_tokens=8)
    pieces = [twin(part, cache=cache) for part in torch.split(ids, [17, 1, 1, 20, 1], dim=1)]
    for found in (twin(ids), torch.cat(pieces, dim=1)):
        assert float((found.cpu() - expected).abs().max() / expected.abs().max()) < 1e-4
