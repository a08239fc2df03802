"""The cache: equal to no cache, for every way of filling, cutting and growing it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.qwen2vl.cache import KVCache
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.qwen2vl.mrope import position_ids

Build = Callable[..., Any]


def assert_equal(found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape
    assert float((found - expected).abs().max() / expected.abs().max()) <= 1e-5


@pytest.mark.parametrize("sizes", [(1, 1, 1), (5, 1, 7), (2, 20, 1)])
@torch.no_grad()
def test_pieces_through_the_cache_equal_one_pass(
    model: Qwen2VLNetwork, sizes: tuple[int, ...]
) -> None:
    ids = torch.randint(0, 280, (2, sum(sizes)))
    cache = model.new_cache(batch=2, max_tokens=4)
    pieces = [model(part, cache=cache) for part in torch.split(ids, list(sizes), dim=1)]
    assert_equal(torch.cat(pieces, dim=1), model(ids))
    assert cache.lengths == cache.next_positions == [sum(sizes)] * 2


@torch.no_grad()
def test_an_appended_image_equals_one_full_pass(model: Qwen2VLNetwork, build_prompt: Build) -> None:
    first, second = build_prompt((1, 4, 6), seed=1), build_prompt((1, 6, 2), seed=2)
    cache = model.new_cache()
    model(first.ids, cache=cache, **first.ours())
    found = model(second.ids, cache=cache, **second.ours())
    whole = model(
        torch.cat((first.ids, second.ids), dim=1),
        patches=torch.cat((first.patches, second.patches)),
        grid_thw=torch.cat((first.grids, second.grids)),
    )
    assert_equal(found, whole[:, -second.ids.shape[1] :])
    # An image of 2 by 3 tokens advances positions by 3, one of 3 by 1 by 3.
    assert cache.next_positions == [cache.lengths[0] - (6 - 3) - (3 - 3)]


@pytest.mark.parametrize("side", ["left", "right"])
@torch.no_grad()
def test_rows_of_different_lengths_decode_like_each_alone(
    side: str, model: Qwen2VLNetwork, build_prompt: Build
) -> None:
    prompts = [build_prompt((1, 4, 6), seed=1), build_prompt(seed=2)]
    length = max(p.ids.shape[1] for p in prompts)
    ids = torch.full((2, length), model.config.pad_token_id)
    mask = torch.zeros(2, length, dtype=torch.bool)
    for row, prompt in enumerate(prompts):
        count = prompt.ids.shape[1]
        where = slice(length - count, None) if side == "left" else slice(0, count)
        ids[row, where], mask[row, where] = prompt.ids[0], True
    cache = model.new_cache(batch=2, max_tokens=4)
    last = model(ids, attention_mask=mask, cache=cache, last_only=True, **prompts[0].ours())
    tokens = torch.tensor([[3, 4], [5, 6]])
    found = [last, model(tokens[:, :1], cache=cache), model(tokens[:, 1:], cache=cache)]
    assert cache.lengths == [p.ids.shape[1] + 2 for p in prompts]
    for row, prompt in enumerate(prompts):
        alone = model(torch.cat((prompt.ids, tokens[[row]]), dim=1), **prompt.ours())
        assert_equal(torch.cat([logits[row] for logits in found]), alone[0, -3:])


@torch.no_grad()
def test_a_row_that_gets_nothing_stays_as_it_was(model: Qwen2VLNetwork) -> None:
    cache = model.new_cache(batch=2)
    ids = torch.randint(0, 280, (2, 6))
    model(ids, cache=cache)
    only_first = torch.tensor([[True, True], [False, False]])
    model(torch.tensor([[1, 2], [0, 0]]), attention_mask=only_first, cache=cache)
    assert cache.lengths == [8, 6]
    found = model(torch.tensor([[3], [4]]), cache=cache)
    assert_equal(found[1], model(torch.cat((ids[[1]], torch.tensor([[4]])), dim=1))[0, -1:])
    assert_equal(found[0], model(torch.cat((ids[[0]], torch.tensor([[1, 2, 3]])), dim=1))[0, -1:])


@torch.no_grad()
def test_rewinding_forgets_what_came_later(model: Qwen2VLNetwork, build_prompt: Build) -> None:
    prompt, cache = build_prompt((1, 4, 6)), model.new_cache()
    model(prompt.ids, cache=cache, **prompt.ours())
    mark, position = cache.lengths[0], cache.next_positions[0]
    model(torch.tensor([[1, 2, 3]]), cache=cache)
    cache.rewind(mark)
    assert cache.next_positions == [position]
    found = model(torch.tensor([[9]]), cache=cache)
    whole = torch.cat((prompt.ids, torch.tensor([[9]])), dim=1)
    assert_equal(found, model(whole, **prompt.ours())[:, -1:])


@torch.no_grad()
def test_evicting_an_image_equals_masking_it(model: Qwen2VLNetwork, build_prompt: Build) -> None:
    prompt = build_prompt((1, 4, 6), (1, 2, 4))
    begin = int((prompt.ids[0] == model.config.image_token_id).nonzero()[0])
    cache = model.new_cache()
    model(prompt.ids, cache=cache, **prompt.ours())
    cache.evict(0, (begin, begin + 6))
    tail = torch.tensor([[4, 5, 6]])
    found = model(tail, cache=cache)

    ids = torch.cat((prompt.ids, tail), dim=1)
    allowed = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
    allowed[prompt.ids.shape[1] :, begin : begin + 6] = False
    whole = model(ids, attention_mask=allowed[None], **prompt.ours())
    assert_equal(found, whole[:, -3:])
    assert cache.lengths == [ids.shape[1] - 6]


@torch.no_grad()
def test_a_full_mask_counts_cached_keys(model: Qwen2VLNetwork) -> None:
    ids, cache = torch.randint(0, 280, (1, 6)), model.new_cache()
    model(ids[:, :4], cache=cache)
    allowed = torch.ones(6, 6, dtype=torch.bool).tril()
    allowed[4:, 1] = False
    found = model(ids[:, 4:], attention_mask=allowed[None, 4:], cache=cache)
    assert_equal(found, model(ids, attention_mask=allowed[None])[:, 4:])


@torch.no_grad()
def test_explicit_positions_are_remembered(model: Qwen2VLNetwork) -> None:
    ids, cache = torch.randint(0, 280, (1, 4)), model.new_cache()
    positions = position_ids(ids[0], [], model.config, start=10)[0].unsqueeze(1)
    model(ids, position_ids=positions, cache=cache)
    assert cache.next_positions == [14]
    cache.rewind(2)
    assert cache.next_positions == [12]


def test_capacity_doubles_until_the_tokens_fit(model: Qwen2VLNetwork) -> None:
    cache = KVCache(model.config.text, batch=1, max_tokens=3)
    before = cache.nbytes
    cache.reserve(7)
    assert cache.capacity == 12
    assert cache.nbytes == 4 * before


def test_wrong_use_is_refused(model: Qwen2VLNetwork) -> None:
    cache = model.new_cache(batch=2)
    with pytest.raises(UsageError, match=r"cache has 2 row.*input_ids have 1"):
        model(torch.tensor([[1]]), cache=cache)
    with pytest.raises(UsageError, match="holds 0"):
        cache.rewind(1)
    with pytest.raises(UsageError, match="cannot evict tokens"):
        cache.evict(0, (0, 1))
    with pytest.raises(UsageError, match="at least 1"):
        KVCache(model.config.text, 0, 5)
