"""Plays one conversation on all sides, step by step and in turns, and times each step."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.engine.sides import FromScratch, KeptCache, Ours, Side, model
from eyehand.model.hub import Qwen2VL
from eyehand.model.inputs.image import UInt8Array

ANSWER = 30
HELD = 4
"""`evict` has memory for so many steps."""

MOST_SCRATCH_S = 60.0
"""A side whose step took longer is not asked again, so that the others come far."""


def bench_engine(
    name: str, screen: tuple[int, int], steps: int, say: Callable[[str], object]
) -> dict[str, Any]:
    """Measure a shape at a size of screens.

    Args:
        name: "embedded" or "136M".
        screen: Width and height in pixels.
        steps: Steps of the conversation.
        say: Is told of each step.

    Returns:
        The document: CPU seconds of one thread, a list of steps a side.
    """
    torch.set_num_threads(1)
    checkpoint = model(name)
    full = Ours(checkpoint, "full", 2**62)
    step_tokens = _tokens_of_a_step(checkpoint, picture(screen, 0))
    sides: list[Side] = [
        full, Ours(checkpoint, "evict", HELD * step_tokens),
        Ours(checkpoint, "window:2", 2**62), KeptCache(checkpoint), FromScratch(checkpoint),
    ]  # fmt: skip
    seconds: dict[str, list[float]] = {side.name: [] for side in sides}
    unequal = 0
    with torch.inference_mode():
        for number in range(1, steps + 1):
            shown, answers = picture(screen, number), {}
            for side in sides:
                times = seconds[side.name]
                if isinstance(side, FromScratch) and times and times[-1] > MOST_SCRATCH_S:
                    continue
                began_s = time.process_time()
                answers[side.name] = side.step(shown, ANSWER)
                times.append(time.process_time() - began_s)
            exact = (full.name, KeptCache.name, FromScratch.name)
            unequal += len({answers[n] for n in exact if n in answers}) > 1
            say(f"step {number}: " + ", ".join(f"{n} {t[-1]:.2f}" for n, t in seconds.items()))
    return {
        "shape": name, "parameters": sum(p.numel() for p in checkpoint.network.parameters()),
        "screen": list(screen), "step_tokens": step_tokens,
        "answer_tokens": ANSWER, "held_steps": HELD, "unequal_answers": unequal,
        "cpu_s": seconds, "cache_bytes": {side.name: side.cache_bytes for side in sides},
    }  # fmt: skip


def _tokens_of_a_step(checkpoint: Qwen2VL, screen: UInt8Array) -> int:
    trial = Ours(checkpoint, "full", 2**62)
    with torch.inference_mode():
        trial.step(screen, 1)
        before = trial.num_tokens
        trial.step(screen, 1)
    return trial.num_tokens - before - 1 + ANSWER


def picture(size: tuple[int, int], seed: int) -> UInt8Array:
    """Return a screen with areas of colour, RGB uint8 (H, W, 3), another for each seed."""
    width, height = size
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    return np.ascontiguousarray(coarse[rows][:, columns])
