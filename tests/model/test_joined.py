"""Joined products: the same numbers, and parameters that everybody finds as they were."""

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.weights import load_checkpoint, save_checkpoint

IDS = torch.arange(24).view(2, 12)


@pytest.fixture
def joined(model: Qwen2VLNetwork) -> Qwen2VLNetwork:
    twin = copy.deepcopy(model)
    twin.model.join_products()
    return twin


@torch.no_grad()
def scores(network: Qwen2VLNetwork) -> Tensor:
    found: Tensor = network(IDS)
    return found


def close(found: Tensor, expected: Tensor) -> bool:
    return float((found - expected).abs().max() / expected.abs().max()) < 1e-5


def layers_of(network: Qwen2VLNetwork) -> list[Any]:
    return list(network.model.layers)


def joins(network: Qwen2VLNetwork) -> int:
    """How many products are one where there were several."""
    count = 0
    for layer in layers_of(network):
        attention, mlp = layer.self_attn, layer.mlp
        projections = (attention.q_proj, attention.k_proj, attention.v_proj)
        pairs = ((attention.joined, projections), (mlp.joined, (mlp.gate_proj, mlp.up_proj)))
        count += sum(found is not None and found.is_of(layers) for found, layers in pairs)
    return count


def test_scores_and_parameters_stay_what_they_are(
    model: Qwen2VLNetwork, joined: Qwen2VLNetwork
) -> None:
    assert joins(joined) == 2 * len(joined.model.layers)
    assert close(scores(joined), scores(model))
    expected = model.state_dict()
    found = joined.state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    memory = {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in found.values()}
    assert sum(memory.values()) == sum(x.nbytes for x in expected.values())


def test_a_joined_network_is_saved_copied_and_sent_like_any_other(
    model: Qwen2VLNetwork, joined: Qwen2VLNetwork, tmp_path: Path
) -> None:
    save_checkpoint(joined, tmp_path)
    for twin in (
        load_checkpoint(tmp_path), copy.deepcopy(joined), pickle.loads(pickle.dumps(joined)),
    ):  # fmt: skip
        assert joins(twin) == 0
        assert close(scores(twin), scores(model))


def test_what_changes_the_parameters_changes_the_scores(
    model: Qwen2VLNetwork, joined: Qwen2VLNetwork
) -> None:
    """Trained in place, moved, exchanged one by one, or given other layers."""
    pair = (copy.deepcopy(model), joined)
    for network in pair:
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        network(IDS).square().mean().backward()
        optimizer.step()
    before = scores(joined)
    assert close(before, scores(pair[0]))
    assert not close(before, scores(model))
    assert joins(joined) == 2 * len(joined.model.layers)
    joined.to(torch.float64).to(torch.float32)
    assert joins(joined) == 0
    assert close(scores(joined), before)
    joined.model.join_products()
    attention = layers_of(joined)[1].self_attn
    with torch.no_grad():
        attention.k_proj.weight = nn.Parameter(2 * attention.k_proj.weight)
    layers_of(joined)[0].mlp.up_proj = nn.Sequential(layers_of(joined)[0].mlp.up_proj)
    assert joins(joined) == 2 * len(joined.model.layers) - 2
    with torch.no_grad():
        layers_of(pair[0])[1].self_attn.k_proj.weight.mul_(2)
    assert close(scores(joined), scores(pair[0]))
    joined.model.join_products()
    assert joins(joined) == 2 * len(joined.model.layers) - 1
    assert close(scores(joined), scores(pair[0]))
