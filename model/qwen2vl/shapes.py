"""The shape of every weight, by arithmetic alone: nothing is built before a folder was compared.

The names are those of the modules in `vision.py` and `language.py`.
"""

from eyehand.model.qwen2vl.config import Qwen2VLConfig, TextConfig, VisionConfig

Shapes = dict[str, tuple[int, ...]]


def weight_shapes(config: Qwen2VLConfig) -> Shapes:
    """Return the shapes of all weights by their published names.

    A tied head is the embedding, and has no entry of its own.
    """
    text = config.text
    shapes = _vision(config.vision) | _language(text)
    if not text.tie_word_embeddings:
        shapes["lm_head.weight"] = (text.vocab_size, text.hidden_size)
    return shapes


def _vision(vision: VisionConfig) -> Shapes:
    width, patch = vision.embed_dim, vision.patch_size
    merged = width * vision.merge_area
    kernel = (vision.in_channels, vision.temporal_patch_size, patch, patch)
    shapes: Shapes = {"visual.patch_embed.proj.weight": (width, *kernel)}
    for number in range(vision.depth):
        block = f"visual.blocks.{number}"
        shapes |= _norm(f"{block}.norm1", width) | _norm(f"{block}.norm2", width)
        shapes |= _linear(f"{block}.attn.qkv", 3 * width, width)
        shapes |= _linear(f"{block}.attn.proj", width, width)
        shapes |= _linear(f"{block}.mlp.fc1", width * vision.mlp_ratio, width)
        shapes |= _linear(f"{block}.mlp.fc2", width, width * vision.mlp_ratio)
    shapes |= _norm("visual.merger.ln_q", width)
    shapes |= _linear("visual.merger.mlp.0", merged, merged)
    return shapes | _linear("visual.merger.mlp.2", vision.hidden_size, merged)


def _language(text: TextConfig) -> Shapes:
    width, wide = text.hidden_size, text.intermediate_size
    keys = text.num_key_value_heads * text.head_dim
    shapes: Shapes = {"model.embed_tokens.weight": (text.vocab_size, width)}
    for number in range(text.num_hidden_layers):
        layer = f"model.layers.{number}"
        shapes[f"{layer}.input_layernorm.weight"] = (width,)
        for name, rows in (("q_proj", width), ("k_proj", keys), ("v_proj", keys)):
            shapes |= _linear(f"{layer}.self_attn.{name}", rows, width)
        shapes[f"{layer}.self_attn.o_proj.weight"] = (width, width)
        shapes[f"{layer}.post_attention_layernorm.weight"] = (width,)
        shapes[f"{layer}.mlp.gate_proj.weight"] = (wide, width)
        shapes[f"{layer}.mlp.up_proj.weight"] = (wide, width)
        shapes[f"{layer}.mlp.down_proj.weight"] = (width, wide)
    return shapes | {"model.norm.weight": (width,)}


def _linear(name: str, rows: int, columns: int) -> Shapes:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}
