"""One model with and without its grammar, asked about the same screens, step by step."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from eyehand.actions import ActionSpace
from eyehand.agent import Agent
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.envs.env import Observation
from eyehand.envs.registry import make

SIDES = ("off", "on")


@dataclass
class Side:
    """What one side did.

    Attributes:
        policy: Its model.
        passes: Passes of the network so far.
        rows: A step each: CPU seconds, of them decoding, tokens, forced ones, passes.
    """

    policy: VlmPolicy
    passes: int = 0
    rows: list[tuple[float, int, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.policy.checkpoint.network.register_forward_hook(self._count)

    def _count(self, *_: object) -> None:
        self.passes += 1

    def decide(self, conversation: Conversation, observation: Observation) -> Decision:
        """Ask it, and note what that took."""
        before, began_s = self.passes, time.process_time()
        decision = conversation.decide(observation)
        seconds = time.process_time() - began_s
        tokens = decision.tokens
        self.rows.append((seconds, tokens["generated"], tokens["forced"], self.passes - before))
        return decision


class Both(Policy):
    """Asks both sides at each step, in turns, and acts as the leading one says.

    Args:
        leads: Name of the side that is followed.
        sides: Both sides.
    """

    name = "model"

    def __init__(self, leads: str, sides: dict[str, Side]) -> None:
        self.leads, self.sides = leads, sides
        self.same = self.better = self.worse = self.other = self.both_invalid = 0
        self.differing: list[tuple[str, str]] = []

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode on both sides."""
        begun = {n: side.policy.start(task, action_space, seed) for n, side in self.sides.items()}
        return _BothConversation(self, begun)

    def compare(self, free: Decision, held: Decision) -> None:
        """Count how the two decisions compare."""
        if free.action is None or held.action is None:
            self.both_invalid += free.action is held.action
            self.better += free.action is None and held.action is not None
            self.worse += free.action is not None and held.action is None
        elif free.action == held.action:
            self.same += 1
        else:
            self.other += 1
            self.differing.append((free.raw_text, held.raw_text))


class _BothConversation(Conversation):
    def __init__(self, policy: Both, begun: dict[str, Conversation]) -> None:
        self.policy, self._begun, self._step = policy, begun, 0

    def decide(self, observation: Observation) -> Decision:
        """Ask both, each first at every other step."""
        order = SIDES if self._step % 2 == 0 else SIDES[::-1]
        self._step += 1
        decided = {
            name: self.policy.sides[name].decide(self._begun[name], observation) for name in order
        }
        self.policy.compare(decided["off"], decided["on"])
        return decided[self.policy.leads]


def bench_steps(
    specs: Sequence[str], episodes: int, first_seed: int, say: Callable[[str], object]
) -> dict[str, Any]:
    """Play episodes twice, once led by each side, and compare all their decisions.

    Args:
        specs: Environments.
        episodes: Episodes of each, for each leader.
        first_seed: Seed of the first one.
        say: Is told of each environment.

    Returns:
        Counts of decisions and successes, and the means of a step on each side.
    """
    torch.set_num_threads(1)
    sides = {name: Side(VlmPolicy(grammar=name)) for name in SIDES}
    leaders = {name: Both(name, sides) for name in SIDES}
    solved: dict[str, dict[str, int]] = {name: {} for name in SIDES}
    counts = ("same", "other", "better", "worse", "both_invalid")

    def decisions() -> dict[str, int]:
        return {n: sum(getattr(p, n) for p in leaders.values()) for n in counts}

    for spec in specs:
        with make(spec) as environment:
            for leads, policy in leaders.items():
                seeds = range(first_seed, first_seed + episodes)
                played = [Agent(policy).run(None, environment, seed=seed) for seed in seeds]
                solved[leads][spec] = sum(episode.verdict is True for episode in played)
        say(f"{spec}: solved {[solved[n][spec] for n in SIDES]}, so far {decisions()}, "
            f"{ {name: _means(side) for name, side in sides.items()} }")  # fmt: skip
    return {
        "specs": list(specs), "episodes": episodes, "first_seed": first_seed, "solved": solved,
        "decisions": decisions(),
        "differing": [pair for policy in leaders.values() for pair in policy.differing][:10],
        "a_step": {name: _means(side) for name, side in sides.items()},
    }  # fmt: skip


def _means(side: Side) -> dict[str, float]:
    names = ("cpu_s", "tokens", "forced_tokens", "passes")
    count = max(1, len(side.rows))
    columns = zip(*side.rows, strict=True)
    return {n: sum(column) / count for n, column in zip(names, columns, strict=True)}
