"""A vision tower by itself: how its weights begin, grow, and lie in a file."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.qwen2vl.vision import VisionTower
from eyehand.model.training.characters import CharacterHead


def initialise_tower(tower: VisionTower, seed: int) -> None:
    """Draw a tower's matrices with the width of what they read, residual branches smaller.

    Args:
        tower: Changed in place.
        seed: Fixes the weights.
    """
    generator = torch.Generator().manual_seed(seed)
    depth = len(tower.blocks)
    with torch.no_grad():
        for name, parameter in tower.named_parameters():
            if parameter.ndim < 2:
                continue
            fan_in = parameter[0].numel()
            deviation = fan_in**-0.5
            if name.endswith(("attn.proj.weight", "fc2.weight")):
                deviation /= (2 * depth) ** 0.5
            parameter.normal_(std=deviation, generator=generator)


def grow(tower: VisionTower, smaller: dict[str, Tensor]) -> None:
    """Give a tower the weights of one with fewer blocks; the further blocks begin as identities.

    Args:
        tower: Changed in place; as wide as the smaller one.
        smaller: Its weights by name.
    """
    tower.load_state_dict(smaller, strict=False)
    known = {int(name.split(".")[1]) for name in smaller if name.startswith("blocks.")}
    with torch.no_grad():
        for index, block in enumerate(tower.blocks):
            if index not in known:
                for layer in (block.attn.proj, block.mlp.fc2):  # type: ignore[union-attr]
                    layer.weight.zero_()  # type: ignore[union-attr, operator]
                    layer.bias.zero_()  # type: ignore[union-attr, operator]


def save_tower(tower: VisionTower, head: CharacterHead, path: Path) -> None:
    """Write a tower and its head in half precision, named as in the model."""
    named = {f"visual.{name}": weight for name, weight in tower.state_dict().items()}
    named |= {f"character_head.{name}": w for name, w in head.state_dict().items()}
    save_file({name: weight.half().contiguous() for name, weight in named.items()}, path)


def read_tower(path: Path) -> dict[str, dict[str, Tensor]]:
    """Return the weights of `save_tower` in float32: {"tower": ..., "head": ...}.

    Raises:
        UsageError: the file cannot be read as safetensors, or holds no tower.
    """
    try:
        stored = load_file(path)
    except Exception as error:  # the library raises errors of three modules
        raise UsageError(f"{path} is no tower: {error}") from error
    found: dict[str, dict[str, Tensor]] = {"tower": {}, "head": {}}
    for name, weight in stored.items():
        part = "tower" if name.startswith("visual.") else "head"
        found[part][name.split(".", 1)[1]] = weight.float()
    if not found["tower"]:
        raise UsageError(f"{path} holds no weight named visual.*")
    return found
