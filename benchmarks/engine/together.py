"""Plays several conversations at once and one after the other, and says where the time goes."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from benchmarks.engine.measure import ANSWER, picture
from benchmarks.engine.sides import Ours, model
from eyehand.model.hub import Qwen2VL
from eyehand.model.inference.decode import Generation, generate

PARTS = ("append", "vision", "prefill", "decode")
UNBOUNDED = 2**62


def bench_together(
    name: str, screen: tuple[int, int], steps: int, count: int, say: Callable[[str], object]
) -> dict[str, Any]:
    """Measure a shape at a size of screens: each conversation is shown its own at every step.

    Args:
        name: "embedded" or "136M".
        screen: Width and height in pixels.
        steps: Steps of each conversation; the sides take turns, step by step.
        count: Conversations.
        say: Is told of each step.

    Returns:
        The document: CPU seconds of one thread for a step of all conversations, in all and by part.
    """
    torch.set_num_threads(1)
    checkpoint = model(name)
    sides: dict[str, Callable[[Sequence[Ours], int], list[Generation]]] = {
        "one after the other": _in_turn, "at once": _at_once,
    }  # fmt: skip
    players = {side: [Ours(checkpoint, "full", UNBOUNDED) for _ in range(count)] for side in sides}
    seconds: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    unequal = 0
    with torch.inference_mode():
        for number in range(steps):
            answers = {}
            for side, play in sides.items():
                clock = _Clock(checkpoint)
                for place, player in enumerate(players[side]):
                    player.show(picture(screen, number * count + place))
                clock.lap("append")
                answers[side] = play(players[side], ANSWER)
                seconds[side].append(clock.laps())
            first, second = answers.values()
            unequal += sum(a.token_ids != b.token_ids for a, b in zip(first, second, strict=True))
            totals = {side: sum(laps[-1].values()) for side, laps in seconds.items()}
            say(f"step {number + 1}: " + ", ".join(f"{s} {t:.2f}" for s, t in totals.items()))
    return {}


def _in_turn(players: Sequence[Ours], tokens: int) -> list[Generation]:
    return [generate([player.session], player.config(tokens))[0] for player in players]


def _at_once(players: Sequence[Ours], tokens: int) -> list[Generation]:
    sessions = [player.session for player in players]
    return generate(sessions, players[0].config(tokens), batch_size=len(players))
