"""The embedded model's kind of configuration, as small as a test needs it."""

from dataclasses import replace

from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.training.embedded import embedded_config


def small_config(tokenizer: Tokenizer, layers: int = 3, depth: int = 2) -> Qwen2VLConfig:
    """Return a few layers of 64, for a tokenizer."""
    full = embedded_config(tokenizer)
    text = replace(
        full.text, hidden_size=64, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=2, intermediate_size=96, mrope_section=(2, 3, 3),
    )  # fmt: skip
    vision = replace(full.vision, depth=depth, embed_dim=64, num_heads=4, hidden_size=64)
    return replace(full, text=text, vision=vision)
