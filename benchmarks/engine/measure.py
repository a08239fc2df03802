"""Plays one conversation on all sides, step by step and in turns, and times each step."""

import time
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import torch

from benchmarks.engine.sides import FromScratch, KeptCache, Ours, Side, model, with_word
from eyehand.model.hub import Qwen2VL
from eyehand.model.inputs.image import UInt8Array

ANSWER = 30
HELD = 4
"""`evict` has memory for so many steps."""

MOST_SCRATCH_S = 60.0
"""Once a step from scratch took longer, only those of `scratch_at` are computed."""

SIDES: dict[str, Callable[[Qwen2VL, int], Side]] = {
    "eyehand, full": lambda checkpoint, held: Ours(checkpoint, "full", 2**62),
    "eyehand, evict": lambda checkpoint, held: Ours(checkpoint, "evict", held),
    "eyehand, window:2": lambda checkpoint, held: Ours(checkpoint, "window:2", 2**62),
    KeptCache.name: lambda checkpoint, held: KeptCache(checkpoint),
    FromScratch.name: lambda checkpoint, held: FromScratch(checkpoint),
}
"""What makes each side of a model, with memory for so many tokens where there is a bound."""
EXACT = ("eyehand, full", KeptCache.name, FromScratch.name)
"""These have the whole history before them, and write the same."""


def bench_engine(
    name: str,
    screen: tuple[int, int],
    steps: int,
    say: Callable[[str], object],
    scratch_at: Collection[int] = (),
    word: str | None = None,
) -> dict[str, Any]:
    """Measure a shape at a size of screens.

    Args:
        name: "embedded" or "136M".
        screen: Width and height in pixels.
        steps: Steps of the conversation.
        say: Is told of each step.
        scratch_at: Steps that are computed from scratch whatever they take, with the answers of
            the kept cache before them.
        word: Only the sides with this word in their name; None for all.

    Returns:
        The document: CPU seconds of one thread, a list of steps a side; None where a step was
        passed over.

    Raises:
        UsageError: no side has the word in its name.
    """
    torch.set_num_threads(1)
    chosen = with_word(SIDES, word)
    checkpoint = model(name)
    step_tokens = _tokens_of_a_step(checkpoint, picture(screen, 0))
    sides = [SIDES[name](checkpoint, HELD * step_tokens) for name in chosen]
    seconds: dict[str, list[float | None]] = {side.name: [] for side in sides}
    is_quick = True
    unequal = 0
    with torch.inference_mode():
        for number in range(1, steps + 1):
            shown = picture(screen, number)
            answers: dict[str, tuple[int, ...]] = {}
            for side in sides:
                times = seconds[side.name]
                needless = not (is_quick or number in scratch_at) and KeptCache.name in answers
                if isinstance(side, FromScratch) and needless:
                    side.pass_over(shown, answers[KeptCache.name])
                    times.append(None)
                    continue
                began_s = time.process_time()
                answers[side.name] = side.step(shown, ANSWER)
                took_s = time.process_time() - began_s
                times.append(took_s)
                is_quick &= not isinstance(side, FromScratch) or took_s <= MOST_SCRATCH_S
            unequal += len({answers[n] for n in EXACT if n in answers}) > 1
            say(f"step {number}: " + ", ".join(_told(n, t[-1]) for n, t in seconds.items()))
    return {
        "shape": name, "parameters": sum(p.numel() for p in checkpoint.network.parameters()),
        "screen": list(screen), "step_tokens": step_tokens,
        "answer_tokens": ANSWER, "held_steps": HELD, "unequal_answers": unequal,
        "cpu_s": seconds, "cache_bytes": {side.name: side.cache_bytes for side in sides},
    }  # fmt: skip


def _told(name: str, took_s: float | None) -> str:
    return f"{name} " + ("passed over" if took_s is None else f"{took_s:.2f}")


def _tokens_of_a_step(checkpoint: Qwen2VL, shown: UInt8Array) -> int:
    trial = Ours(checkpoint, "full", 2**62)
    with torch.inference_mode():
        trial.step(shown, 1)
        before = trial.num_tokens
        trial.step(shown, 1)
    return trial.num_tokens - before - 1 + ANSWER


def picture(size: tuple[int, int], seed: int) -> UInt8Array:
    """Return a screen with areas of colour, RGB uint8 (H, W, 3), another for each seed."""
    width, height = size
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    return np.ascontiguousarray(coarse[rows][:, columns])
