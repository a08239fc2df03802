"""Logits equal to transformers' Qwen2-VL on the same random weights."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.qwen2vl.model import IGNORED_TARGET, Qwen2VLNetwork
from eyehand.model.qwen2vl.mrope import batch_position_ids, position_ids

TOLERANCE = 1e-4  # of the largest logit

Build = Callable[..., Any]

CASES = {
    "text only": ((), False),
    "one image": (((1, 4, 6),), False),
    "several images of different sizes": (((1, 4, 6), (1, 2, 2), (1, 8, 4), (1, 8, 4)), False),
    "video": (((3, 6, 8),), True),
    "two videos of different sizes": (((2, 4, 4), (1, 2, 6)), True),
}


def gap(found: Tensor, expected: Tensor) -> float:
    """Largest difference in units of the largest expected logit."""
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_logits_equal_the_reference(
    case: str, model: Qwen2VLNetwork, reference: Any, build_prompt: Build
) -> None:
    grids, video = CASES[case]
    prompt = build_prompt(*grids, video=video)
    expected = reference(prompt.ids, **prompt.theirs()).logits
    assert gap(model(prompt.ids, **prompt.ours()), expected) <= TOLERANCE


@torch.no_grad()
def test_vision_features_equal_the_reference(
    model: Qwen2VLNetwork, reference: Any, build_prompt: Build
) -> None:
    prompt = build_prompt((1, 4, 6), (1, 8, 2), (1, 2, 4))
    expected = torch.cat(reference.get_image_features(prompt.patches, prompt.grids).pooler_output)
    assert gap(model.encode_images(prompt.patches, prompt.grids), expected) <= TOLERANCE


def _padded(prompts: list[Any], pad: int, side: str) -> tuple[Tensor, Tensor]:
    length = max(p.ids.shape[1] for p in prompts)
    ids = torch.full((len(prompts), length), pad)
    mask = torch.zeros(len(prompts), length, dtype=torch.bool)
    for row, prompt in enumerate(prompts):
        count = prompt.ids.shape[1]
        where = slice(length - count, length) if side == "left" else slice(0, count)
        ids[row, where], mask[row, where] = prompt.ids[0], True
    return ids, mask


def _batch(build_prompt: Build) -> tuple[list[Any], dict[str, Tensor]]:
    prompts = [
        build_prompt((1, 4, 6), seed=1),
        build_prompt(seed=2),
        build_prompt((1, 2, 2), (1, 6, 4), seed=3),
    ]
    vision = [p for p in prompts if p.patches is not None]
    patches = torch.cat([p.patches for p in vision])
    return prompts, {"patches": patches, "grid_thw": torch.cat([p.grids for p in vision])}


@torch.no_grad()
def test_a_left_padded_batch_of_mixed_lengths_equals_the_reference(
    model: Qwen2VLNetwork, reference: Any, build_prompt: Build
) -> None:
    prompts, vision = _batch(build_prompt)
    ids, mask = _padded(prompts, model.config.pad_token_id, "left")
    expected = reference(
        ids,
        attention_mask=mask.long(),
        mm_token_type_ids=(ids == model.config.image_token_id).int(),
        pixel_values=vision["patches"],
        image_grid_thw=vision["grid_thw"],
    ).logits
    found = model(ids, attention_mask=mask, **vision)
    assert gap(found[mask], expected[mask]) <= TOLERANCE


@pytest.mark.parametrize("side", ["left", "right"])
@torch.no_grad()
def test_a_padded_batch_equals_its_rows_alone(
    side: str, model: Qwen2VLNetwork, build_prompt: Build
) -> None:
    prompts, vision = _batch(build_prompt)
    ids, mask = _padded(prompts, model.config.pad_token_id, side)
    found = model(ids, attention_mask=mask, **vision)
    last = model(ids, attention_mask=mask, last_only=True, **vision)
    assert found.isfinite().all()
    for row, prompt in enumerate(prompts):
        alone = model(prompt.ids, **prompt.ours())
        assert gap(found[row][mask[row]], alone[0]) <= 1e-5
        assert gap(last[row], alone[0, -1:]) <= 1e-5


@torch.no_grad()
def test_an_image_appended_to_a_live_cache_equals_the_reference(
    model: Qwen2VLNetwork, reference: Any, build_prompt: Build
) -> None:
    first, second = build_prompt((1, 4, 6), seed=4), build_prompt((1, 8, 4), seed=5)
    both = torch.cat((first.ids, second.ids), dim=1)
    cut = first.ids.shape[1]
    grids = torch.cat((first.grids, second.grids)).tolist()
    positions = position_ids(both[0], grids, model.config)[0].unsqueeze(1)

    cache = model.new_cache()
    model(first.ids, cache=cache, **first.ours())
    found = model(second.ids, cache=cache, **second.ours())

    past = reference(first.ids, use_cache=True, **first.theirs()).past_key_values
    expected = reference(
        second.ids,
        past_key_values=past,
        position_ids=positions[..., cut:],
        **second.theirs(),
    ).logits
    assert gap(found, expected) <= TOLERANCE


@torch.no_grad()
def test_decoding_after_a_cached_prefix_equals_the_reference(
    model: Qwen2VLNetwork, reference: Any, build_prompt: Build
) -> None:
    prompt = build_prompt((1, 4, 6), (1, 2, 8))
    tokens = torch.tensor([[7, 19, 33, 2, 80]])
    whole = build_prompt((1, 4, 6), (1, 2, 8))
    whole.ids = torch.cat((prompt.ids, tokens), dim=1)
    expected = reference(whole.ids, **whole.theirs()).logits[:, -tokens.shape[1] :]

    cache = model.new_cache(max_tokens=8)
    model(prompt.ids, cache=cache, **prompt.ours())
    steps = [model(tokens[:, [i]], cache=cache) for i in range(tokens.shape[1])]
    assert gap(torch.cat(steps, dim=1), expected) <= TOLERANCE


@torch.no_grad()
def test_positions_equal_the_reference(
    model: Qwen2VLNetwork, reference: Any, build_prompt: Build
) -> None:
    prompts, vision = _batch(build_prompt)
    ids, mask = _padded(prompts, model.config.pad_token_id, "left")
    expected, _ = reference.model.get_rope_index(
        ids,
        (ids == model.config.image_token_id).int(),
        image_grid_thw=vision["grid_thw"],
        attention_mask=mask,
    )
    found, _ = batch_position_ids(
        ids, model.config, image_grids=vision["grid_thw"], attention_mask=mask
    )
    assert found[:, mask].tolist() == expected[:, mask].tolist()


def _gradients(module: torch.nn.Module) -> dict[str, Tensor]:
    return {n: p.grad for n, p in module.named_parameters() if p.grad is not None}


def test_gradients_equal_the_reference(
    model: Qwen2VLNetwork, reference: Any, build_prompt: Build
) -> None:
    prompt = build_prompt((1, 4, 6), (1, 2, 4))
    targets = torch.full_like(prompt.ids, IGNORED_TARGET)
    targets[:, -4:-1] = prompt.ids[:, -3:]
    labels = torch.full_like(prompt.ids, IGNORED_TARGET)
    labels[:, -3:] = prompt.ids[:, -3:]

    model.zero_grad()
    loss = model.loss(prompt.ids, targets, **prompt.ours())
    torch.autograd.backward(loss)
    reference.zero_grad()
    expected = reference(prompt.ids, labels=labels, **prompt.theirs()).loss
    torch.autograd.backward(expected)

    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    ours, theirs = _gradients(model), _gradients(reference)
    assert len(ours) == len(theirs) == len(list(model.parameters()))
    for name, gradient in ours.items():
        peer = f"model.{name}" if name.startswith("visual.") else name
        if name.startswith("model."):
            peer = name.replace("model.", "model.language_model.", 1)
        if name.endswith("k_proj.bias"):
            # A shift common to all keys nearly cancels in the softmax, which leaves rounding
            # as large as this gradient itself: compared absolutely.
            assert torch.allclose(gradient, theirs[peer], atol=1e-4)
            continue
        assert gap(gradient, theirs[peer]) <= 1e-3, name


@torch.no_grad()
def test_a_packed_mask_equals_separate_sequences(
    model: Qwen2VLNetwork, build_prompt: Build
) -> None:
    prefix = build_prompt((1, 4, 6))
    blocks = [torch.tensor([[1, 2, 3]]), torch.tensor([[9, 8, 7, 6, 5]])]
    grids = prefix.grids.tolist()
    shared, following = position_ids(prefix.ids[0], grids, model.config)
    continued = [position_ids(b[0], [], model.config, following)[0] for b in blocks]
    ids = torch.cat((prefix.ids, *blocks), dim=1)
    group = torch.tensor([0] * prefix.ids.shape[1] + [1] * 3 + [2] * 5)
    allowed = (group[:, None] == group) | (group == 0)
    positions = torch.cat((shared, *continued), dim=1).unsqueeze(1)

    packed = model(
        ids, position_ids=positions, attention_mask=allowed.tril()[None], **prefix.ours()
    )
    for number, block in enumerate(blocks, start=1):
        alone = model(torch.cat((prefix.ids, block), dim=1), **prefix.ours())
        assert gap(packed[:, group == number], alone[:, -block.shape[1] :]) <= 1e-5


@torch.no_grad()
def test_ready_made_embeddings_replace_patches(model: Qwen2VLNetwork, build_prompt: Build) -> None:
    prompt = build_prompt((1, 4, 6), (1, 2, 4))
    embeds = model.encode_images(prompt.patches, prompt.grids)
    found = model(prompt.ids, image_embeds=embeds, grid_thw=prompt.grids)
    assert torch.equal(found, model(prompt.ids, **prompt.ours()))


@torch.no_grad()
def test_selected_rows_are_those_of_all_logits(model: Qwen2VLNetwork, build_prompt: Build) -> None:
    prompt = build_prompt((1, 4, 6))
    rows = torch.zeros_like(prompt.ids, dtype=torch.bool)
    rows[0, [2, -1]] = True
    everything = model(prompt.ids, **prompt.ours())
    assert gap(model(prompt.ids, rows=rows, **prompt.ours()), everything[rows]) <= 1e-6


@torch.no_grad()
def test_bfloat16_is_finite_and_close(
    model: Qwen2VLNetwork, build_model: Build, build_prompt: Build
) -> None:
    prompt = build_prompt((1, 4, 6))
    low = build_model(model.config).to(torch.bfloat16)
    found = low(prompt.ids, **prompt.ours())
    assert found.dtype == torch.bfloat16
    assert found.isfinite().all()
    assert gap(found.float(), model(prompt.ids, **prompt.ours())) <= 0.05


@torch.no_grad()
def test_a_count_mismatch_names_both_counts(model: Qwen2VLNetwork, build_prompt: Build) -> None:
    prompt = build_prompt((1, 4, 6))
    with pytest.raises(UsageError, match=r"6 image placeholder.*make 0 token"):
        model(prompt.ids, grid_thw=prompt.grids)
    with pytest.raises(UsageError, match=r"shape \(23, 1176\).*need \(24, 1176\)"):
        model(prompt.ids, patches=prompt.patches[:-1], grid_thw=prompt.grids)


def test_a_new_model_starts_near_the_uniform_loss(
    model: Qwen2VLNetwork, build_prompt: Build
) -> None:
    fresh = Qwen2VLNetwork(model.config)
    prompt = build_prompt((1, 4, 6))
    loss = fresh.loss(prompt.ids, prompt.ids.roll(-1, dims=1), **prompt.ours())
    assert loss.item() == pytest.approx(torch.tensor(300.0).log().item(), abs=0.3)
