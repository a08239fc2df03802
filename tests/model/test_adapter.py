"""LoRA adapters: merged as peft merges them, and what cannot be merged is one line."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tests.agent.test_vlm_policy import SPACE, save_model, screen
from tests.model.far_devices import far_devices, whole_and_split
from tests.model.test_packed import AWQ, Case, pack_folder
from torch import Tensor
from transformers import Qwen2VLForConditionalGeneration

from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.agent.policies.models.choose import check_named, model_policy
from eyehand.errors import CheckpointError, UsageError
from eyehand.model.hub import Qwen2VL
from eyehand.model.stored_weights import published_name

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
TARGETS = ["q_proj", "o_proj", "down_proj", "qkv", "fc1", "mlp.0"]

LORAS: dict[str, dict[str, Any]] = {
    "plain": {},
    "rank stabilised": {"use_rslora": True},
    "one layer": {"layers_to_transform": [1], "target_modules": ["q_proj", "v_proj"]},
    "ranks of their own": {
        "rank_pattern": {"q_proj": 2}, "alpha_pattern": {"layers.0.self_attn.q_proj": 3, "fc1": 1},
    },
    "a head of its own": {"modules_to_save": ["lm_head"]},
    "a head": {"target_modules": ["lm_head"]},
}  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("adapters") / "Qwen2-VL-tiny")


def trained(base: Path, folder: Path, **options: Any) -> Any:
    """Write an adapter of random numbers with peft; return its model."""
    torch.manual_seed(3)
    peer = Qwen2VLForConditionalGeneration.from_pretrained(base, dtype=torch.float32)
    config = LoraConfig(
        **{"r": 4, "lora_alpha": 6, "target_modules": TARGETS, "init_lora_weights": False} | options
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a field's former name; that a head's base is written
        model = get_peft_model(peer, config)
        for name, parameter in model.named_parameters():
            if "modules_to_save" in name:
                parameter.data.normal_()
        model.save_pretrained(folder)
    return model


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "lora"
    trained(base, folder)
    return folder


@pytest.mark.parametrize("options", LORAS.values(), ids=LORAS)
def test_an_adapter_is_merged_as_peft_merges_it(
    options: dict[str, Any], base: Path, tmp_path: Path
) -> None:
    merged = trained(base, tmp_path / "lora", **options).merge_and_unload()
    plain = Qwen2VL.load(base, device="cpu").network.state_dict()
    found = Qwen2VL.load(base, device="cpu", adapter=tmp_path / "lora").network
    changed = 0
    for name, weight in merged.state_dict().items():
        ours = found.state_dict()[published_name(name)]
        assert torch.allclose(ours, weight, atol=1e-6), name
        changed += not torch.equal(ours, plain[published_name(name)])
    assert changed
    ids = torch.arange(20).view(1, -1)
    with torch.inference_mode():
        expected = merged(input_ids=ids).logits
        assert torch.allclose(found(ids), expected, atol=1e-5 * float(expected.abs().max()))


def test_a_policy_answers_with_its_adapter_and_says_so(base: Path, adapter: Path) -> None:
    policy = model_policy(base, adapter=str(adapter), max_new_tokens=3, device="cpu")
    assert policy.describe()["adapter"] == str(adapter)
    assert policy.start("Open it", SPACE).decide(screen(1)).tokens["generated"] <= 3
    with pytest.raises(UsageError, match="--adapter belongs to the built-in model, and not to"):
        model_policy("http://localhost:1/v1", served_model="ui-tars", adapter=str(adapter))
    with pytest.raises(CheckpointError, match="give it as --adapter, and its model as --model"):
        VlmPolicy(adapter)


def test_an_adapter_is_merged_into_a_network_in_parts(
    base: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Qwen2VL.load(base, device="cpu", adapter=adapter).network.state_dict()
    with far_devices():
        _, split = whole_and_split(base, monkeypatch, adapter=adapter)
        found = split.network.state_dict()
        assert len({weight.device for weight in found.values()}) > 1
        assert all(torch.equal(found[name].cpu(), expected[name]) for name in expected)


def test_an_adapter_is_merged_into_what_is_kept_narrow(base: Path, adapter: Path) -> None:
    ids = torch.arange(80).view(1, -1)
    with torch.inference_mode():
        expected = Qwen2VL.load(base, device="cpu", adapter=adapter).network(ids)
        plain = Qwen2VL.load(base, device="cpu").network(ids)
        found = Qwen2VL.load(base, device="cpu", adapter=adapter, quantize="int8").network(ids)
    error = float((found - expected).abs().max())
    assert error < 0.1 * float((plain - expected).abs().max())


@torch.inference_mode()
def test_an_adapter_is_merged_into_packed_weights(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    folder = save_model(tmp_path / "packed")
    meant = pack_folder(folder, Case(AWQ))
    found = Qwen2VL.load(folder, device="cpu", adapter=adapter, quantize="int8").network
    name = "model.layers.1.self_attn.q_proj"
    delta, path = load_file(adapter / WEIGHTS), name.replace("model", "model.language_model", 1)
    down, up = (delta[f"base_model.model.{path}.lora_{part}.weight"] for part in "AB")
    expected = meant[f"{name}.weight"] + 6 / 4 * up @ down
    layer, x = found.get_submodule(name), torch.eye(64)
    product = layer(x) - layer(0 * x)  # without the bias
    assert float((product.T - expected).abs().max() / expected.abs().max()) < 0.01


def older_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """As versions before 4.52 of transformers named modules."""
    newer = "base_model.model.model."
    older = {f"{newer}language_model.": newer, f"{newer}visual.": "base_model.model.visual."}
    named = {}
    for name, weight in weights.items():
        begin = next((text for text in older if name.startswith(text)), "")
        named[older.get(begin, "") + name.removeprefix(begin)] = weight
    return named


def copied(
    adapter: Path, folder: Path, values: dict[str, Any],
    change: Callable[[dict[str, Tensor]], dict[str, Tensor]],
) -> Path:  # fmt: skip
    folder.mkdir()
    weights = {name: tensor.clone() for name, tensor in load_file(adapter / WEIGHTS).items()}
    save_file(change(weights), folder / WEIGHTS)
    config = json.loads((adapter / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | values))
    return folder


def test_adapters_of_older_versions_name_the_same_weights(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    older = copied(adapter, tmp_path / "older", {}, older_names)
    assert load_file(older / WEIGHTS).keys() != load_file(adapter / WEIGHTS).keys()
    one, other = (
        Qwen2VL.load(base, device="cpu", adapter=at).network.state_dict() for at in (adapter, older)
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def narrower(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n: w[:, :-1].clone() if "lora_A" in n else w for n, w in weights.items()}


def half(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    name = next(name for name in weights if "lora_B" in name)
    return {n: w for n, w in weights.items() if n != name}


def elsewhere(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n.replace("layers.1.", "layers.9."): w for n, w in weights.items()}


Change = Callable[[dict[str, Tensor]], dict[str, Tensor]]
REFUSED: dict[str, tuple[dict[str, Any], Change | None, str]] = {
    "dora": ({"use_dora": True}, None, "use_dora is True, which is not supported: merge the"),
    "another kind": ({"peft_type": "IA3"}, None, "expected the peft_type 'LORA', got 'IA3'"),
    "a changed base": ({"init_lora_weights": "pissa_niter_4"}, None, "init_lora_weights is 'piss"),
    "biases": ({"lora_bias": True}, None, "lora_bias is True"),
    "a pattern": ({"alpha_pattern": {".*q.*": 3}}, None, "alpha_pattern: expected names of modul"),
    "no alpha": ({"lora_alpha": "x"}, None, "lora_alpha: expected a number, got 'x'"),
    "another rank": ({"r": 8}, None, "has rank 4, and r says 8"),
    "other sizes": ({"base_model_name_or_path": "Qwen/Qwen2-VL-7B"}, narrower,
                    r"of other sizes \(the adapter was made for Qwen/Qwen2-VL-7B\): model"),
    "one of two": ({}, half, "has no counterpart"),
    "no place": ({}, elsewhere, r"have no place in this model .*layers\.9\."),
    "nothing": ({}, lambda weights: {}, "holds no weights"),
    "an embedding": ({}, lambda w: {"base_model.model.model.embed_tokens.lora_embedding_A":
                                    torch.zeros(4, 300)}, "have no place in this model"),
}  # fmt: skip


@pytest.mark.parametrize(("values", "change", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_merged_is_one_line(
    values: dict[str, Any], change: Change | None, message: str,
    base: Path, adapter: Path, tmp_path: Path,
) -> None:  # fmt: skip
    folder = copied(adapter, tmp_path / "spoilt", values, change or (lambda weights: weights))
    with pytest.raises(CheckpointError, match=message) as caught:
        Qwen2VL.load(base, device="cpu", adapter=folder)
    assert "\n" not in str(caught.value)


def test_a_folder_without_an_adapter_is_refused_before_a_model_is_read(
    base: Path, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=r"holds no adapter \(LoRA\): it lacks adapter_conf"):
        check_named(None, None, None, adapter=base)
    with pytest.raises(UsageError, match="there is no adapter folder"):
        check_named(None, None, None, adapter=tmp_path / "none")


def test_a_head_cannot_be_taken_from_the_embedding(base: Path, tmp_path: Path) -> None:
    trained(base, tmp_path / "lora", modules_to_save=["lm_head"])
    tied = save_model(tmp_path / "tied")
    values = json.loads((tied / "config.json").read_text()) | {"tie_word_embeddings": True}
    (tied / "config.json").write_text(json.dumps(values))
    weights = {n: w.clone() for n, w in load_file(tied / "model.safetensors").items()}
    del weights["lm_head.weight"]
    save_file(weights, tied / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"1 weight\(s\) have no place in.*lm_head"):
        Qwen2VL.load(tied, device="cpu", adapter=tmp_path / "lora")
