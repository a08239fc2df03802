"""Writes a checkpoint of random weights, and runs a step from it in processes of their own."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.engine.one_side import SIDES
from benchmarks.engine.sides import shape, with_word
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.shapes import weight_shapes

ANSWER = 8
SHARD_BYTES = 10**9
OVER, SPARE_BYTES = 1.15, 600_000_000
"""The aim: peak memory of at most the weights times this, and so much more."""


def bench_fitting(
    name: str,
    screen: tuple[int, int],
    steps: int,
    folder: Path | None,
    say: Callable[[str], object],
    side: str | None = None,
) -> dict[str, Any]:
    """Measure loading and steps, one side after the other, each in its own process.

    Args:
        name: "embedded", "136M" or "2B".
        screen: Width and height in pixels.
        steps: Steps of each side's conversation.
        folder: Where the checkpoint is written, in a folder that is removed at the end; None is
            the place for temporary files.
        say: Is told of each side.
        side: A word that the names of those have which are measured; None measures all.

    Returns:
        The document: seconds, CPU seconds and bytes a side.

    Raises:
        UsageError: no side has that word in its name.
    """
    rows, chosen = [], with_word(SIDES, side)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        count = write_checkpoint(name, Path(made))
        say(f"{count / 1e9:.2f} billion parameters are written")
        for name_of_side in chosen:
            width, height = screen
            command = [sys.executable, "-m", "benchmarks.engine.one_side", name_of_side, made]
            command += [f"{width}x{height}", str(steps), str(ANSWER)]
            ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rows.append({"name": name_of_side, **json.loads(ended.stdout.splitlines()[-1])})
            say(json.dumps(rows[-1]))
    for row in rows:
        row["aim_bytes"] = round(row["weight_bytes"] * OVER + SPARE_BYTES)
    return {
        "shape": name, "parameters": count, "screen": list(screen), "answer_tokens": ANSWER,
        "rows": rows,
    }  # fmt: skip


def write_checkpoint(name: str, folder: Path) -> int:
    """Write a folder of random bfloat16 weights, a shard at a time; return how many numbers."""
    config, total = shape(name), 0
    weight_map: dict[str, str] = {}
    shard: dict[str, Tensor] = {}
    generator = torch.Generator().manual_seed(0)
    shapes = weight_shapes(config)
    for last, (weight, size) in enumerate(shapes.items(), 1 - len(shapes)):
        numbers = torch.empty(size, dtype=torch.bfloat16)
        centre = 1.0 if len(size) == 1 and weight.endswith("weight") else 0.0
        shard[weight] = numbers.normal_(centre, 0.02, generator=generator)
        total += numbers.numel()
        if last == 0 or sum(tensor.nbytes for tensor in shard.values()) > SHARD_BYTES:
            file = f"model-{len(set(weight_map.values()))}.safetensors"
            save_file(shard, folder / file, {"format": "pt"})
            weight_map |= dict.fromkeys(shard, file)
            shard = {}
    index = {"metadata": {"total_size": 2 * total}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    values = config.to_dict() | {"torch_dtype": "bfloat16"}
    (folder / "config.json").write_text(json.dumps(values))
    (folder / "preprocessor_config.json").write_text("{}")
    Tokenizer.from_folder(EMBEDDED_CHECKPOINT).save(folder)
    return total
