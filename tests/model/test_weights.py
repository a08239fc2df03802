"""Checkpoint folders: both layouts, every fault named, and transformers reads what is written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from eyehand.errors import (
    BadConfig,
    CheckpointError,
    MissingWeight,
    ShapeMismatch,
    UnexpectedWeight,
    UsageError,
)
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.weights import load_checkpoint, save_checkpoint

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
NORM = "model.layers.1.input_layernorm.weight"

Build = Callable[..., Any]


@pytest.fixture
def folder(model: Qwen2VLNetwork, tmp_path: Path) -> Path:
    save_checkpoint(model, tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


@pytest.fixture
def sharded(model: Qwen2VLNetwork, tmp_path: Path) -> Path:
    save_checkpoint(model, tmp_path / "sharded", max_shard_bytes=200_000)
    return tmp_path / "sharded"


def edit(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    weights = {name: tensor.clone() for name, tensor in load_file(folder / WEIGHTS).items()}
    save_file(change(weights), folder / WEIGHTS)


def newer_name(name: str) -> str:
    if name.startswith("visual."):
        return f"model.{name}"
    return name.replace("model.", "model.language_model.", 1)


def assert_same(found: Qwen2VLNetwork, expected: Qwen2VLNetwork) -> None:
    peers = dict(expected.named_parameters())
    assert dict(found.named_parameters()).keys() == peers.keys()
    for name, parameter in found.named_parameters():
        assert torch.equal(parameter, peers[name]), name


def test_a_saved_folder_loads_back(folder: Path, model: Qwen2VLNetwork) -> None:
    found = load_checkpoint(folder)
    assert found.config == model.config
    assert not found.training
    assert_same(found, model)


def test_shards_load_like_one_file(sharded: Path, model: Qwen2VLNetwork) -> None:
    assert len(list(sharded.glob("model-*-of-*.safetensors"))) > 2
    assert not (sharded / WEIGHTS).exists()
    assert_same(load_checkpoint(sharded), model)


def test_the_newer_layout_of_names_loads(folder: Path, model: Qwen2VLNetwork) -> None:
    edit(folder, lambda weights: {newer_name(n): t for n, t in weights.items()})
    assert_same(load_checkpoint(folder), model)


def test_a_tied_model_stores_no_head(tied_model: Qwen2VLNetwork, tmp_path: Path) -> None:
    save_checkpoint(tied_model, tmp_path)
    assert "lm_head.weight" not in load_file(tmp_path / WEIGHTS)
    ids = torch.tensor([[1, 2, 3]])
    assert torch.equal(load_checkpoint(tmp_path)(ids), tied_model(ids))


def test_a_tied_folder_may_store_its_embedding_as_head(
    tied_model: Qwen2VLNetwork, tmp_path: Path
) -> None:
    save_checkpoint(tied_model, tmp_path)
    embedding = tied_model.model.embed_tokens.weight.detach()
    edit(tmp_path, lambda weights: weights | {"lm_head.weight": embedding.clone()})
    assert_same(load_checkpoint(tmp_path), tied_model)
    edit(tmp_path, lambda weights: weights | {"lm_head.weight": embedding + 1})
    with pytest.raises(UnexpectedWeight, match=r"lm_head\.weight is stored and differs"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("tied", [False, True])
@torch.no_grad()
def test_transformers_loads_what_is_saved(
    tied: bool,
    model: Qwen2VLNetwork,
    tied_model: Qwen2VLNetwork,
    tmp_path: Path,
    build_prompt: Build,
) -> None:
    from transformers import Qwen2VLForConditionalGeneration

    ours = tied_model if tied else model
    save_checkpoint(ours, tmp_path, max_shard_bytes=200_000)
    peer, report = Qwen2VLForConditionalGeneration.from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    prompt = build_prompt((1, 4, 6))
    expected = peer(prompt.ids, **prompt.theirs()).logits
    found = ours(prompt.ids, **prompt.ours())
    assert float((found - expected).abs().max() / expected.abs().max()) <= 1e-4


def test_what_transformers_saves_loads(
    reference: Any, model: Qwen2VLNetwork, tmp_path: Path
) -> None:
    reference.save_pretrained(tmp_path)
    assert_same(load_checkpoint(tmp_path), model)


def test_a_saved_model_replaces_the_folder_it_came_from(
    folder: Path, model: Qwen2VLNetwork
) -> None:
    found = load_checkpoint(folder)
    with torch.no_grad():
        found.lm_head.weight.add_(1)  # type: ignore[union-attr]
    assert torch.equal(load_file(folder / WEIGHTS)["lm_head.weight"], model.lm_head.weight)  # type: ignore[union-attr]
    save_checkpoint(found, folder)
    assert_same(load_checkpoint(folder), found)
    assert [p.name for p in folder.iterdir() if "partial" in p.name] == []


def test_saving_in_another_form_leaves_no_stale_weights(
    sharded: Path, model: Qwen2VLNetwork
) -> None:
    save_checkpoint(model, sharded)
    assert not (sharded / INDEX).exists()
    with torch.no_grad():
        changed = load_checkpoint(sharded)
        changed.model.norm.weight.add_(1)
    save_checkpoint(changed, sharded, max_shard_bytes=200_000)
    assert_same(load_checkpoint(sharded), changed)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_weights_convert_on_the_way_in_and_out(
    dtype: torch.dtype, model: Qwen2VLNetwork, tmp_path: Path
) -> None:
    save_checkpoint(model, tmp_path, dtype=torch.bfloat16)
    found = load_checkpoint(tmp_path, dtype=dtype)
    assert {p.dtype for p in found.parameters()} == {dtype}
    stored = model.lm_head.weight.bfloat16().to(dtype)  # type: ignore[union-attr]
    assert torch.equal(found.lm_head.weight, stored)  # type: ignore[union-attr]


def test_a_loaded_model_trains(folder: Path) -> None:
    found = load_checkpoint(folder)
    ids = torch.tensor([[1, 2, 3, 4]])
    optimizer = torch.optim.SGD(found.parameters(), lr=0.05)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = found.loss(ids, ids.roll(-1, dims=1))
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert losses[2] < losses[1] < losses[0]


def test_every_culprit_is_named_in_one_error(folder: Path) -> None:
    def spoil(weights: dict[str, Tensor]) -> dict[str, Tensor]:
        del weights["visual.merger.mlp.0.bias"], weights["lm_head.weight"]
        weights[NORM] = torch.zeros(65)
        return weights | {"extra.one": torch.zeros(1), "model.layers.9.x": torch.zeros(1)}

    edit(folder, spoil)
    with pytest.raises(MissingWeight) as caught:
        load_checkpoint(folder)
    message = str(caught.value)
    assert "2 missing: " in message
    assert "2 unexpected: " in message
    for name in ("visual.merger.mlp.0.bias", "lm_head.weight", "extra.one", "model.layers.9.x"):
        assert name in message
    assert f"{NORM} (stored (65,), the configuration needs (64,))" in message


def test_only_misshapen_weights_are_a_shape_mismatch(folder: Path) -> None:
    edit(folder, lambda weights: weights | {NORM: torch.zeros(3)})
    with pytest.raises(ShapeMismatch, match=r"1 of another shape: model.layers.1"):
        load_checkpoint(folder)


def test_only_unexpected_weights_are_unexpected(folder: Path) -> None:
    edit(folder, lambda weights: weights | {"extra": torch.zeros(3)})
    with pytest.raises(UnexpectedWeight, match="1 unexpected: extra"):
        load_checkpoint(folder)


def test_a_missing_shard_is_named_with_its_weights(sharded: Path) -> None:
    weight_map = json.loads((sharded / INDEX).read_text())["weight_map"]
    (sharded / weight_map[NORM]).unlink()
    with pytest.raises(MissingWeight, match=f"missing shard.*{weight_map[NORM]}.*{NORM}"):
        load_checkpoint(sharded)


def test_a_folder_without_weights_says_what_was_expected(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    with pytest.raises(MissingWeight, match=r"expected model\.safetensors, or shards"):
        load_checkpoint(folder)


@pytest.mark.parametrize("content", [b"", b"not safetensors at all", None])
def test_a_damaged_file_is_reported(folder: Path, content: bytes | None) -> None:
    damaged = (folder / WEIGHTS).read_bytes()[:-100] if content is None else content
    (folder / WEIGHTS).write_bytes(damaged)
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        load_checkpoint(folder)


def test_quantised_weights_are_refused(folder: Path) -> None:
    edit(folder, lambda weights: weights | {NORM: torch.zeros(64, dtype=torch.int8)})
    with pytest.raises(CheckpointError, match=f"{NORM} is stored as I8"):
        load_checkpoint(folder)


@pytest.mark.parametrize("content", ["", "[1]", '{"model_type": "llama"}'])
def test_a_bad_config_names_its_file(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(BadConfig, match=r"config\.json"):
        load_checkpoint(folder)


def test_the_generation_file_adds_end_of_text_ids(folder: Path) -> None:
    (folder / "generation_config.json").write_text('{"eos_token_id": [295, 294, 293]}')
    assert load_checkpoint(folder).config.eos_token_ids == (295, 294, 293)


def test_an_unwritable_folder_is_reported(model: Qwen2VLNetwork, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(CheckpointError, match=r"model\.safetensors: could not be written"):
        save_checkpoint(model, tmp_path)
    with pytest.raises(UsageError, match="dtype"):
        save_checkpoint(model, tmp_path, dtype=torch.int8)


@pytest.mark.parametrize("size", ["2b", "7b", "72b"])
def test_full_sizes_have_the_reference_shapes(size: str) -> None:
    from transformers import Qwen2VLConfig as ReferenceConfig
    from transformers import Qwen2VLForConditionalGeneration

    config: Qwen2VLConfig = getattr(Qwen2VLConfig, f"qwen2vl_{size}")()
    with torch.device("meta"):
        ours = Qwen2VLNetwork(config)
        peer = Qwen2VLForConditionalGeneration(ReferenceConfig(**config.to_dict()))
    expected = {name: tuple(p.shape) for name, p in peer.named_parameters()}
    found = {newer_name(name): tuple(p.shape) for name, p in ours.named_parameters()}
    assert found == expected


def test_stored_rotary_frequencies_are_left_out(folder: Path, model: Qwen2VLNetwork) -> None:
    names = [
        "visual.rotary_pos_emb.inv_freq",
        "model.rotary_emb.inv_freq",
        "model.layers.0.self_attn.rotary_emb.inv_freq",
        "model.language_model.rotary_emb.original_inv_freq",
    ]
    edit(folder, lambda weights: weights | {name: torch.ones(8) for name in names})
    assert_same(load_checkpoint(folder), model)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("coarse", ["head", "embedding"])
def test_a_tied_head_of_another_dtype_is_the_embedding(
    tied_model: Qwen2VLNetwork, tmp_path: Path, dtype: torch.dtype, coarse: str
) -> None:
    save_checkpoint(tied_model, tmp_path)
    exact = tied_model.model.embed_tokens.weight.detach()
    rounded = exact.to(dtype)
    head, embedding = (rounded, exact) if coarse == "head" else (exact, rounded)
    stored = {"lm_head.weight": head.clone(), "model.embed_tokens.weight": embedding.clone()}
    edit(tmp_path, lambda weights: weights | stored)
    found = load_checkpoint(tmp_path, dtype=torch.float32)
    assert torch.equal(found.model.embed_tokens.weight, embedding.float())
    edit(tmp_path, lambda weights: weights | {"lm_head.weight": head.flip(0).contiguous()})
    with pytest.raises(UnexpectedWeight, match="differs"):
        load_checkpoint(tmp_path)


def test_a_tied_folder_may_store_its_head_as_the_only_one(
    tied_model: Qwen2VLNetwork, tmp_path: Path
) -> None:
    save_checkpoint(tied_model, tmp_path)
    edit(
        tmp_path,
        lambda weights: {
            {"model.embed_tokens.weight": "lm_head.weight"}.get(name, name): value
            for name, value in weights.items()
        },
    )
    assert_same(load_checkpoint(tmp_path), tied_model)


def test_weights_of_mixed_dtypes_become_those_of_most(folder: Path, build_prompt: Build) -> None:
    edit(
        folder,
        lambda weights: {
            name: value if value.ndim == 1 else value.bfloat16() for name, value in weights.items()
        },
    )
    found = load_checkpoint(folder)
    assert {parameter.dtype for parameter in found.parameters()} == {torch.bfloat16}
    prompt = build_prompt((1, 4, 6))
    with torch.no_grad():
        assert bool(found(prompt.ids, **prompt.ours()).isfinite().all())


def test_a_missing_head_says_that_tying_may_be_meant(folder: Path) -> None:
    edit(folder, lambda weights: {n: w for n, w in weights.items() if n != "lm_head.weight"})
    with pytest.raises(MissingWeight, match="tie_word_embeddings") as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value)


def test_weights_of_an_adapter_are_called_one(folder: Path) -> None:
    lora = {"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": torch.ones(2, 64)}
    edit(folder, lambda weights: weights | lora)
    with pytest.raises(UnexpectedWeight, match=r"adapter \(LoRA\)"):
        load_checkpoint(folder)
