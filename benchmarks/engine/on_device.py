"""Plays conversations on a device, in batches, beside transformers eager and compiled."""

import gc
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any

import torch

from benchmarks.engine.floors import floors, peaks_of
from benchmarks.engine.measure import picture
from benchmarks.engine.players import PLAYERS, Lap, Player
from benchmarks.engine.sides import model
from eyehand.model.device_map import named_device
from eyehand.model.hub import Qwen2VL


def bench_on_device(
    name: str, screen: tuple[int, int], steps: int, device: str, batches: Sequence[int],
    tokens: int, say: Callable[[str], object],
) -> dict[str, Any]:  # fmt: skip
    """Measure a shape at a size of screens, side by side and batch by batch.

    A side plays a first episode that nobody counts, in which graphs are recorded and kernels are
    loaded or compiled; then one whose steps from the second on are counted.

    Args:
        name: "embedded", "136M", "2B" or "7B"; weights are random.
        screen: Width and height in pixels; each conversation is shown a screen of its own.
        steps: Steps of an episode, 2 or more.
        device: "cuda", or "cpu" to try it.
        batches: Conversations at once.
        tokens: Tokens of each answer.
        say: Is told of each side and batch.

    Returns:
        The document: a row for each side and batch; milliseconds on the clock.
    """
    where = named_device(device)
    dtype = torch.bfloat16 if where.type == "cuda" else torch.float32
    checkpoint = model(name, where, dtype)
    rows = []
    for make in PLAYERS:
        player = _tried(partial(make, checkpoint, tokens, steps))
        for batch in batches:
            found = player
            if isinstance(player, Player):
                found = _tried(partial(_measured, player, checkpoint, screen, steps, batch))
            row = {"side": make.name, "batch": batch}
            rows.append(row | (found if isinstance(found, dict) else {"error": found}))
            say(_line(rows[-1]))
        del player, found
        _emptied(where)
    return {
        "shape": name, "parameters": sum(p.numel() for p in checkpoint.network.parameters()),
        "device": torch.cuda.get_device_name(where) if where.type == "cuda" else str(where),
        "dtype": str(dtype).removeprefix("torch."), "torch": torch.__version__,
        "screen": list(screen), "steps": steps, "answer_tokens": tokens, "rows": rows,
    }  # fmt: skip


def _measured(
    player: Player, checkpoint: Qwen2VL, screen: tuple[int, int], steps: int, batch: int
) -> dict[str, Any]:
    device, tokens = checkpoint.network.device, player.tokens
    laps: list[Lap] = []
    for episode in range(2):
        player.begin(batch)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        # Other screens than in the first episode, or they would be known already.
        seeds = range(episode * steps * batch, (episode + 1) * steps * batch)
        shown = [picture(screen, seed) for seed in seeds]
        laps = [
            player.step(shown[number * batch : (number + 1) * batch]) for number in range(steps)
        ]
    counted = laps[1:] or laps
    found: dict[str, Any] = {
        "ms_token": 1000 * median(lap.decode_s / max(1, tokens - 1) for lap in counted),
        "ms_step": 1000 * median(lap.step_s for lap in counted),
        "ms_parts": {
            part: 1000 * median(lap.parts[part] for lap in counted) for part in counted[0].parts
        },
        "held_tokens": laps[-1].held,
        "answers": [list(answer) for answer in laps[-1].answers[:2]],
    }
    if device.type == "cuda":
        found["peak_bytes"] = torch.cuda.max_memory_allocated(device)
    peaks = peaks_of(device)
    if peaks is not None:
        least = floors(
            checkpoint.network.config, peaks, batch=batch, patches=counted[-1].patches,
            new=counted[-1].new, held=laps[-1].held, tokens=tokens,
        )  # fmt: skip
        found["floor_ms"] = {part: 1000 * seconds for part, seconds in least.items()}
        found["share"] = [least["token"] * 1000 / found["ms_token"],
                          least["step"] * 1000 / found["ms_step"]]  # fmt: skip
    return found


def _tried(work: Callable[[], Any]) -> Any:
    """Return what comes out, or in one line why nothing does: one side must not end the others."""
    try:
        return work()
    except Exception as error:  # peers and compilers raise kinds of their own
        return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _emptied(device: torch.device) -> None:
    torch.compiler.reset()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _line(row: dict[str, Any]) -> str:
    start = f"{row['side']}, {row['batch']} at once: "
    if "error" in row:
        return f"{start}{row['error']}"
    return f"{start}{row['ms_token']:.2f} ms a token, {row['ms_step']:.1f} ms a step"
