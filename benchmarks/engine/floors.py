"""What a device cannot do faster: bytes that must be read, and products that must be computed."""

import torch

from eyehand.model.qwen2vl.config import Qwen2VLConfig

PEAKS = {"H200": (4.8e12, 0.99e15), "H100": (3.35e12, 0.99e15), "A100": (2.0e12, 0.31e15)}
"""Bytes a second of memory, and operations a second in bfloat16, as their maker says."""
REACHED = 0.8
"""The share of those operations that large products reach at best."""


def peaks_of(device: torch.device) -> tuple[float, float] | None:
    """Return the peaks of a device; None where they are not known."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peaks for known, peaks in PEAKS.items() if known in name), None)


def floors(
    config: Qwen2VLConfig, peaks: tuple[float, float], *, batch: int, patches: int, new: int,
    held: int, tokens: int,
) -> dict[str, float]:  # fmt: skip
    """Return the least seconds of a step of all conversations, part by part.

    Args:
        config: The model's sizes; weights, keys and values take two bytes a number.
        peaks: The device's.
        batch: Conversations.
        patches: Of each one's screen.
        new: Tokens that each one reads.
        held: Tokens that each one holds when it writes.
        tokens: Tokens that each one writes.
    """
    text, vision, (bandwidth, operations) = config.text, config.vision, peaks
    operations *= REACHED
    width, keys = text.hidden_size, text.num_key_value_heads * text.head_dim
    layer = 2 * width * width + 2 * width * keys + 3 * width * text.intermediate_size
    weights = text.num_hidden_layers * layer
    head = width * text.vocab_size
    tower = vision.depth * (4 + 2 * vision.mlp_ratio) * vision.embed_dim**2
    seen = 2 * tower * patches + 4 * vision.depth * vision.embed_dim * patches**2
    # A new token looks at what was held before, and at half of the new ones.
    looks = 4 * text.num_hidden_layers * width * new * (held - new / 2)
    a_token = 2 * (weights + head + batch * held * 2 * text.num_hidden_layers * keys) / bandwidth
    found = {
        "vision": batch * seen / operations,
        "prefill": max(batch * (2 * weights * new + looks) / operations, 2 * weights / bandwidth),
        "token": a_token,
    }
    return found | {"step": found["vision"] + found["prefill"] + tokens * a_token}
