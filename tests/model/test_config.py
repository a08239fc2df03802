"""config.json, flat and nested, in and out."""

import json
from pathlib import Path
from typing import Any

import pytest

from eyehand.errors import BadConfig
from eyehand.model.qwen2vl.config import Qwen2VLConfig, VisionConfig

PUBLISHED_2B: dict[str, Any] = {
    "architectures": ["Qwen2VLForConditionalGeneration"],
    "attention_dropout": 0.0,
    "bos_token_id": 151643,
    "eos_token_id": 151645,
    "vision_start_token_id": 151652,
    "vision_end_token_id": 151653,
    "vision_token_id": 151654,
    "image_token_id": 151655,
    "video_token_id": 151656,
    "hidden_act": "silu",
    "hidden_size": 1536,
    "intermediate_size": 8960,
    "max_position_embeddings": 32768,
    "max_window_layers": 28,
    "model_type": "qwen2_vl",
    "num_attention_heads": 12,
    "num_hidden_layers": 28,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "sliding_window": 32768,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "use_sliding_window": False,
    "vision_config": {
        "depth": 32,
        "embed_dim": 1280,
        "mlp_ratio": 4,
        "num_heads": 16,
        "in_chans": 3,
        "hidden_size": 1536,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "spatial_patch_size": 14,
        "temporal_patch_size": 2,
    },
    "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
    "vocab_size": 151936,
}


def test_the_published_flat_form_is_read() -> None:
    found = Qwen2VLConfig.from_dict(PUBLISHED_2B)
    preset = Qwen2VLConfig.qwen2vl_2b()
    assert (found.text, found.vision) == (preset.text, preset.vision)
    assert (found.eos_token_ids, found.pad_token_id) == ((151645,), 151643)


def test_the_nested_form_of_transformers_is_read() -> None:
    from transformers import Qwen2VLConfig as ReferenceConfig

    nested = ReferenceConfig(**PUBLISHED_2B).to_dict()
    assert "text_config" in nested
    assert Qwen2VLConfig.from_dict(nested) == Qwen2VLConfig.from_dict(PUBLISHED_2B)


def test_what_is_written_reads_back(tiny_config: Qwen2VLConfig) -> None:
    for config in (tiny_config, Qwen2VLConfig.qwen2vl_7b(), Qwen2VLConfig.qwen2vl_72b()):
        assert Qwen2VLConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"model_type": "llama"}, "model_type"),
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"use_sliding_window": True}, "use_sliding_window"),
        ({"hidden_size": 1000}, "hidden_size"),
        ({"hidden_size": "1536"}, "hidden_size"),
        ({"num_key_value_heads": 5}, "num_key_value_heads"),
        ({"num_hidden_layers": 0}, "num_hidden_layers"),
        ({"vocab_size": 1000}, "image_token_id"),
        ({"rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 25]}}, "mrope_section"),
        ({"rope_scaling": {"type": "mrope", "mrope_section": 64}}, "mrope_section"),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "rope_scaling"),
        ({"rope_theta": -1}, "rope_theta"),
        ({"image_token_id": 151656}, "image_token_id"),
        ({"eos_token_id": []}, "eos_token_id"),
        ({"eos_token_id": -5}, "eos_token_id"),
        ({"vision_config": None}, "vision_config"),
        ({"vision_config": {"in_chans": 4}}, "in_channels"),
        ({"vision_config": {"patch_size": [14, 7]}}, "patch_size"),
        ({"vision_config": {"rope_parameters": {"rope_theta": 5e4}}}, "rope_theta"),
        ({"vision_config": {**PUBLISHED_2B["vision_config"], "hidden_size": 8}}, "hidden_size"),
        ({"vision_config": {**PUBLISHED_2B["vision_config"], "num_heads": 3}}, "embed_dim"),
        ({"vision_config": {**PUBLISHED_2B["vision_config"], "hidden_act": "x"}}, "hidden_act"),
    ],
)
def test_contradictions_name_their_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadConfig, match=field):
        Qwen2VLConfig.from_dict(PUBLISHED_2B | change)


def test_missing_fields_are_all_named() -> None:
    partial = {k: v for k, v in PUBLISHED_2B.items() if k not in ("vocab_size", "hidden_size")}
    with pytest.raises(BadConfig, match="missing hidden_size, vocab_size"):
        Qwen2VLConfig.from_dict(partial)


WRITTEN = json.loads((Path(__file__).parents[1] / "golden" / "written_configs.json").read_text())
"""What transformers wrote of the published configurations, by version (`layer_types` shortened)."""


@pytest.mark.parametrize("version", WRITTEN)
@pytest.mark.parametrize("size", ["2b", "7b", "72b"])
def test_what_transformers_writes_is_read(version: str, size: str) -> None:
    config = Qwen2VLConfig.from_dict(WRITTEN[version][size])
    published = getattr(Qwen2VLConfig, f"qwen2vl_{size}")()
    assert (config.text, config.vision) == (published.text, published.vision)
    assert config.eos_token_ids[0] == published.eos_token_ids[0]


def test_a_difference_to_the_architecture_is_completed() -> None:
    bare = {"in_chans": 3, "model_type": "qwen2_vl", "spatial_patch_size": 14}
    config = Qwen2VLConfig.from_dict(PUBLISHED_2B | {"vision_config": bare})
    assert config.vision == VisionConfig(32, 1280, 16, 4, hidden_size=1536)
    own = Qwen2VLConfig.from_dict(PUBLISHED_2B | {"vision_config": {**bare, "depth": 8}})
    assert own.vision == VisionConfig(8, 1280, 16, 4, hidden_size=1536)


def test_one_number_for_each_side_of_a_patch_is_read() -> None:
    vision = {**PUBLISHED_2B["vision_config"], "patch_size": [14, 14], "temporal_patch_size": [2]}
    assert Qwen2VLConfig.from_dict(PUBLISHED_2B | {"vision_config": vision}).vision.patch_size == 14


def test_as_many_key_heads_as_heads_where_none_are_said() -> None:
    config = Qwen2VLConfig.from_dict(PUBLISHED_2B | {"num_key_value_heads": None})
    assert config.text.num_key_value_heads == config.text.num_attention_heads
