"""Folders of AutoAWQ, AutoGPTQ and GPTQModel: equal to a dequantisation that is written here."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from tests.agent.test_vlm_policy import SPACE, save_model, screen
from tests.model.far_devices import far_devices, whole_and_split
from torch import Tensor, nn

from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.errors import CheckpointError
from eyehand.model.folder import check_model
from eyehand.model.qwen2vl.int4 import Int4Linear
from eyehand.model.qwen2vl.int8 import Int8Linear
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.weights import load_checkpoint, save_checkpoint

WEIGHTS = "model.safetensors"
GROUP = 32
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": GROUP, "sym": True, "desc_act": False}
AWQ = {
    "quant_method": "awq", "bits": 4, "group_size": GROUP, "version": "gemm", "zero_point": True,
    "modules_to_not_convert": ["visual"],
}  # fmt: skip
IDS = torch.arange(80).view(1, -1)
"""More tokens than are multiplied with the codes as they are."""

Ints = NDArray[np.int64]


def words(numbers: Ints, bits: int, order: tuple[int, ...] | None = None) -> Tensor:
    """Pack the last axis into words of 32 bits, lowest first."""
    share = 32 // bits
    packed = np.zeros((*numbers.shape[:-1], numbers.shape[-1] // share), np.int64)
    for word in range(packed.shape[-1]):
        for place in range(share):
            column = word * share + (order[place] if order else place)
            packed[..., word] |= numbers[..., column] << (bits * place)
    return torch.from_numpy(packed.astype(np.uint32).view(np.int32).copy())


def as_awq(codes: Ints, zeros: Ints) -> dict[str, Tensor]:
    """What AutoAWQ's GEMM layout makes of codes (out, in) and zeros (groups, out)."""
    order = (0, 2, 4, 6, 1, 3, 5, 7)
    return {"qweight": words(codes.T, 4, order), "qzeros": words(zeros, 4, order)}


def as_gptq(codes: Ints, zeros: Ints, bits: int, less: int, group_of: Ints) -> dict[str, Tensor]:
    """What AutoGPTQ makes of them: its zeros are one less."""
    return {
        "qweight": words(codes, bits).T.contiguous(),
        "qzeros": words(zeros - less, bits),
        "g_idx": torch.from_numpy(group_of.astype(np.int32)),
    }


@dataclass
class Case:
    """How weights are packed."""

    values: Mapping[str, Any]
    act_order: bool = False
    changes: dict[str, Any] = field(default_factory=dict)

    def pack(self, weight: Tensor, seed: int) -> tuple[dict[str, Tensor], Tensor]:
        """Return the tensors of a weight of random codes, and the weight that they mean."""
        out, width = weight.shape
        random, bits = np.random.default_rng(seed), self.values["bits"]
        group = width if self.values["group_size"] == -1 else self.values["group_size"]
        groups = width // group
        codes = random.integers(0, 2**bits, (out, width))
        zeros = random.integers(1, 2**bits, (groups, out))
        if self.values.get("sym"):
            zeros = np.full_like(zeros, 2 ** (bits - 1))
        scales = random.uniform(0.5, 1, (groups, out)).astype(np.float16) / np.float16(2**bits * 4)
        group_of = np.arange(width) // group
        if self.act_order:
            group_of = random.permutation(group_of)
        if self.values["quant_method"] == "awq":
            parts = as_awq(codes, zeros)
        else:
            less = self.values.get("checkpoint_format") != "gptq_v2"
            parts = as_gptq(codes, zeros, bits, int(less), group_of)
        parts["scales"] = torch.from_numpy(scales)
        meant = np.empty((out, width), np.float64)
        for column in range(width):
            at = group_of[column]
            meant[:, column] = (codes[:, column] - zeros[at]) * scales[at].astype(np.float64)
        return parts, torch.from_numpy(meant).float()


CASES = {
    "awq": Case(AWQ),
    "awq, other spelling": Case(AWQ | {"version": "GEMM"}),
    "gptq": Case(GPTQ),
    "gptq, asymmetric": Case(GPTQ | {"sym": False, "checkpoint_format": "gptq"}),
    "gptq v2": Case(GPTQ | {"sym": False, "checkpoint_format": "gptq_v2"}),
    "gptq, act order": Case(GPTQ | {"desc_act": True}, act_order=True),
    "gptq, 8 bits": Case(GPTQ | {"bits": 8}),
    "gptq, a row": Case(GPTQ | {"group_size": -1, "dynamic": {"-:.*down.*": {}}}),
}


def write(model: Qwen2VLNetwork, folder: Path, case: Case) -> dict[str, Tensor]:
    """Write a folder whose language layers are packed; return what its weights mean."""
    save_checkpoint(model, folder)
    return pack_folder(folder, case)


def pack_folder(folder: Path, case: Case) -> dict[str, Tensor]:
    values = json.loads((folder / "config.json").read_text())
    values["quantization_config"] = dict(case.values)
    (folder / "config.json").write_text(json.dumps(values))
    stored = {name: tensor.clone() for name, tensor in load_file(folder / WEIGHTS).items()}
    meant = {}
    for seed, name in enumerate(sorted(stored)):
        if ".layers." in name and name.endswith("proj.weight"):
            owner = name.removesuffix(".weight")
            parts, meant[name] = case.pack(stored.pop(name), seed)
            stored |= {f"{owner}.{part}": tensor for part, tensor in parts.items()}
            if case.values["quant_method"] == "gptq" and f"{owner}.bias" not in stored:
                stored[f"{owner}.bias"] = torch.zeros(len(meant[name]))  # as AutoGPTQ did
    save_file(stored, folder / WEIGHTS)
    return meant


def weight_of(layer: nn.Module) -> Tensor:
    if not isinstance(layer, Int4Linear):
        assert isinstance(layer.weight, Tensor)
        return layer.weight
    sorted_columns = torch.cat(list(layer.pieces(torch.float32)))
    order = range(sorted_columns.shape[1]) if layer.order is None else layer.order.tolist()
    weight = torch.empty_like(sorted_columns)
    for place, column in enumerate(order):
        weight[:, column] = sorted_columns[:, place]
    return weight


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@torch.inference_mode()
def test_a_packed_folder_is_the_model_that_it_means(
    case: Case, model: Qwen2VLNetwork, tmp_path: Path
) -> None:
    meant = write(model, tmp_path / "packed", case)
    found = load_checkpoint(tmp_path / "packed", dtype=torch.float32)
    for name, weight in meant.items():
        assert torch.equal(weight_of(found.get_submodule(name.removesuffix(".weight"))), weight)
    kept = [module for module in found.modules() if isinstance(module, Int4Linear)]
    fitting = {4: 9 if case.values["group_size"] == GROUP else 6, 8: 0}  # of 21: sizes differ
    assert len(kept) == fitting[case.values["bits"]]
    save_checkpoint(model, tmp_path / "plain")
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    save_file(weights | meant, tmp_path / "plain" / WEIGHTS)
    expected = load_checkpoint(tmp_path / "plain")(IDS)
    assert torch.allclose(found(IDS), expected, atol=1e-5 * float(expected.abs().max()))
    few = found(IDS[:, :20]) - expected[:, :20]
    assert float(few.abs().max() / expected.abs().max()) < 0.05  # the kernel's bfloat16


@pytest.mark.parametrize("case", [CASES["awq"], CASES["gptq, act order"]], ids=["awq", "gptq"])
def test_packed_weights_go_to_several_devices(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_model(tmp_path, layers=3)
    pack_folder(folder, case)
    ids = torch.arange(80).view(1, -1)
    with far_devices(), torch.inference_mode():
        whole, split = whole_and_split(folder, monkeypatch, dtype=torch.float32)
        kept = [part for part in split.network.modules() if isinstance(part, Int4Linear)]
        assert len({part.codes.device for part in kept}) > 1
        assert torch.equal(split.network(ids).cpu(), whole.network(ids).cpu())


@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_packed_weights_can_be_quantised_anew(
    quantize: str, model: Qwen2VLNetwork, tmp_path: Path
) -> None:
    meant = write(model, tmp_path, Case(GPTQ | {"bits": 8}))
    found = load_checkpoint(tmp_path, dtype=torch.float32, quantize=quantize)
    kind = Int8Linear if quantize == "int8" else Int4Linear
    name = "model.layers.1.mlp.down_proj.weight"
    layer = found.get_submodule(name.removesuffix(".weight"))
    assert isinstance(layer, kind)
    x = torch.randn(80, meant[name].shape[1])
    expected = x @ meant[name].T
    assert float((layer(x) - expected).abs().max() / expected.abs().max()) < 0.15


def test_a_policy_answers_from_a_packed_folder(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "Qwen2-VL-AWQ")
    pack_folder(folder, Case(AWQ | {"group_size": 16}))
    check_model(folder)
    policy = VlmPolicy(folder, max_new_tokens=3, device="cpu")
    assert policy.start("Open it", SPACE).decide(screen(1)).tokens["generated"] <= 3


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another method": ({"quant_method": "bitsandbytes"}, "quantised by 'bitsandbytes' are not"),
    "no method": ({"quant_method": None}, "quantised by None are not read"),
    "three bits": (GPTQ | {"bits": 3}, r"bits: expected \(4, 8\), got 3"),
    "eight bits of awq": (AWQ | {"bits": 8}, r"bits: expected \(4,\), got 8"),
    "true bits": (GPTQ | {"bits": True}, "bits: expected"),
    "another kernel": (AWQ | {"version": "gemv"}, "version: expected gemm, got 'gemv'"),
    "marlin": (GPTQ | {"checkpoint_format": "marlin"}, "expected gptq or gptq_v2, got 'marlin'"),
    "no zeros": (AWQ | {"zero_point": False}, "zero_point: expected True, got False"),
    "no group": (GPTQ | {"group_size": "x"}, "group_size: expected a positive number or -1"),
    "sizes of their own": (
        GPTQ | {"dynamic": {"+:.*up.*": {"bits": 8}}},
        "no layer with bits",
    ),
    "another group": (GPTQ | {"group_size": 64}, "are no weight of 4 bits in groups of 64"),
}


@pytest.mark.parametrize(("values", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_read_is_one_line(
    values: dict[str, Any], message: str, model: Qwen2VLNetwork, tmp_path: Path
) -> None:
    write(model, tmp_path, CASES["gptq"])
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"quantization_config": values}))
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(tmp_path)
    assert "\n" not in str(caught.value)


Q = "model.layers.0.self_attn.q_proj"
SPOILT: dict[str, tuple[Callable[[dict[str, Tensor]], object], str]] = {
    "no scales": (lambda w: w.pop(f"{Q}.scales"), "are no weight of 4 bits"),
    "short zeros": (lambda w: w.update({f"{Q}.qzeros": w[f"{Q}.qzeros"][:1]}), "are no weight"),
    "groups": (lambda w: w.update({f"{Q}.g_idx": torch.full((64,), 7, dtype=torch.int32)}),
               "g_idx: expected 2 groups of 32 inputs each"),
    "a bias": (lambda w: w.update({f"{Q[:-6]}o_proj.bias": torch.ones(64)}), "1 unexpected"),
    "floats": (lambda w: w.update({f"{Q}.qweight": w[f"{Q}.qweight"].float()}), "expected I32"),
    "lost": (lambda w: w.pop(f"{Q}.qweight"), f"1 missing: {Q}.weight"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "message"), SPOILT.values(), ids=SPOILT)
def test_damaged_packed_weights_are_one_line(
    spoil: Callable[[dict[str, Tensor]], object],
    message: str,
    model: Qwen2VLNetwork,
    tmp_path: Path,
) -> None:
    write(model, tmp_path, CASES["gptq"])
    weights = {name: tensor.clone() for name, tensor in load_file(tmp_path / WEIGHTS).items()}
    spoil(weights)
    save_file(weights, tmp_path / WEIGHTS)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(tmp_path)
    assert "\n" not in str(caught.value)
