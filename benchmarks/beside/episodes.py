"""Episodes of the built-in model and of another way to the same weights, action by action."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from benchmarks.dialects.measure import MOST_TRIES
from eyehand.agent.ending import Episode
from eyehand.agent.episode import run_episode
from eyehand.agent.policies.base import Policy
from eyehand.envs import make
from eyehand.envs.env import Environment
from eyehand.errors import EnvironmentFault

MOST_STEPS = 8
"""As the embedded model is measured everywhere."""

SAME, RESIZE, TURNS, NETWORK = "same", "resize", "turns", "network"


@dataclass(frozen=True)
class Played:
    """What came of an episode.

    Attributes:
        outcome: How it ended.
        answers: What the model wrote, a step each.
        actions: What was read of it, a step each, as JSON; empty where that was no action.
    """

    outcome: str
    answers: list[str]
    actions: list[str]


@dataclass
class Compared:
    """One episode, played twice or three times.

    Attributes:
        seed: Of the episode.
        built_in: The built-in model's way.
        beside: The other one's.
        why: "same"; or whose doing the first difference is: "resize" or "turns" where the built-in
            network in the other one's chat acts as the other one does, in the first step or later;
            else "network".
        in_chat: The built-in network in the other one's chat, where it was asked.
    """

    seed: int
    built_in: Played
    beside: Played
    why: str
    in_chat: Played | None = None


@dataclass
class Task:
    """The episodes of one task.

    Attributes:
        spec: The task.
        episodes: Each compared.
    """

    spec: str
    episodes: list[Compared] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Return it as JSON."""
        return asdict(self)


def compare(
    spec: str, seeds: range, built_in: Policy, beside: Policy, in_chat: Policy,
    follow: Callable[[str], None],
) -> Task:  # fmt: skip
    """Play a task's episodes with both.

    Args:
        spec: The task.
        seeds: One episode each.
        built_in: The built-in model as it is used.
        beside: The other way to the same weights.
        in_chat: The built-in network, asked with the other one's messages and pictures.
        follow: Receives a line for an episode with other actions.
    """
    task = Task(spec)
    with suppress(EnvironmentFault), make(spec) as environment:
        for seed in seeds:
            first, second = _play(built_in, environment, seed), _play(beside, environment, seed)
            found = Compared(seed, first, second, SAME)
            if first.actions != second.actions:
                found.in_chat = _play(in_chat, environment, seed)
                found.why = why(found)
                follow(f"{spec} seed {seed}: {found.why}, from step {_first(found) + 1} on")
            task.episodes.append(found)
    return task


def _play(policy: Policy, environment: Environment, seed: int) -> Played:
    for _ in range(MOST_TRIES):
        episode: Episode = run_episode(policy, environment, seed=seed, max_steps=MOST_STEPS)
        if episode.outcome != "environment_fault":
            break
    return Played(
        episode.outcome.value, [step.raw_text for step in episode.steps],
        [step.action.model_dump_json() if step.action else "" for step in episode.steps],
    )  # fmt: skip


def why(found: Compared) -> str:
    """Return whose doing the first difference is; what comes after it has another history."""
    at = _first(found)
    if found.in_chat is None or _answer(found.in_chat, at) != _answer(found.beside, at):
        return NETWORK
    return TURNS if at else RESIZE


def _answer(way: Played, step: int) -> str:
    return way.answers[step].strip() if step < len(way.answers) else ""


def _first(found: Compared) -> int:
    """Return the first step, from 0, whose actions differ."""
    ways = (found.built_in.actions, found.beside.actions)
    return next((n for n, (a, b) in enumerate(zip(*ways, strict=False)) if a != b),
                min(map(len, ways)))  # fmt: skip
