"""Plays several conversations at once and one after the other, and says where the time goes."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from benchmarks.engine.measure import ANSWER, picture
from benchmarks.engine.sides import Ours, model
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import Generation
from eyehand.model.inference.reading import WRITE_TILE
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

PARTS = ("preprocess", "vision", "prefill", "decode", "rest")
UNBOUNDED = 2**62
Laps = dict[str, float]


def bench_together(
    name: str, screen: tuple[int, int], steps: int, count: int, say: Callable[[str], object]
) -> dict[str, Any]:
    """Measure a shape at a size of screens: at every step each conversation gets its own.

    Args:
        name: "embedded" or "136M".
        screen: Width and height in pixels.
        steps: Steps of each conversation; the sides take turns, step by step.
        count: Conversations.
        say: Is told of each step.

    Returns:
        The document: CPU seconds of one thread for a step of all conversations, part by part.
    """
    torch.set_num_threads(1)
    checkpoint = model(name)
    sides: dict[str, Callable[[Sequence[Ours]], list[Generation]]] = {
        "one after the other": _in_turn, "at once": _at_once,
    }  # fmt: skip
    players = {side: [Ours(checkpoint, "full", UNBOUNDED) for _ in range(count)] for side in sides}
    laps: dict[str, list[Laps]] = {side: [] for side in sides}
    unequal = 0
    with torch.inference_mode():
        for number in range(steps):
            answers = []
            for side, answer in sides.items():
                with _timed(checkpoint.network, count) as lap:
                    for place, player in enumerate(players[side]):
                        player.show(picture(screen, number * count + place), ANSWER)
                    lap["preprocess"] = time.process_time() - lap["total"]
                    answers.append([written.token_ids for written in answer(players[side])])
                laps[side].append(lap)
            unequal += sum(a != b for a, b in zip(*answers, strict=True))
            say(
                f"step {number + 1}: "
                + ", ".join(f"{s} {x[-1]['total']:.2f}" for s, x in laps.items())
            )
    return {
        "shape": name, "parameters": sum(p.numel() for p in checkpoint.network.parameters()),
        "screen": list(screen), "steps": steps, "conversations": count, "answer_tokens": ANSWER,
        "cpu_s": laps, "unequal_answers": unequal,
    }  # fmt: skip


def _in_turn(players: Sequence[Ours]) -> list[Generation]:
    return [generate([player.session], player.config(ANSWER))[0] for player in players]


def _at_once(players: Sequence[Ours]) -> list[Generation]:
    sessions = [player.session for player in players]
    return generate(sessions, players[0].config(ANSWER), batch_size=len(players))


@contextmanager
def _timed(network: Qwen2VLNetwork, count: int) -> Iterator[Laps]:
    """Fill in the CPU seconds of the network's passes, and what is left of the whole."""
    lap = dict.fromkeys((*PARTS, "total"), 0.0)
    lap["total"] = time.process_time()
    began_s: list[float] = []

    def begins(*_: object) -> None:
        began_s.append(time.process_time())

    def sees(*_: object) -> None:
        lap["vision"] += time.process_time() - began_s.pop()

    def reads(_: object, inputs: tuple[torch.Tensor, ...], __: object) -> None:
        # A pass that writes has a token a conversation, filled up to whole tiles.
        writes = inputs[0].shape[1] <= -(-count // WRITE_TILE) * WRITE_TILE
        lap["decode" if writes else "prefill"] += time.process_time() - began_s.pop()

    hooks = [module.register_forward_pre_hook(begins) for module in (network, network.visual)]
    hooks += [network.register_forward_hook(reads), network.visual.register_forward_hook(sees)]
    try:
        yield lap
    finally:
        for hook in hooks:
            hook.remove()
    lap["total"] = time.process_time() - lap["total"]
    lap["rest"] = lap["total"] - sum(lap[part] for part in PARTS[:-1])
