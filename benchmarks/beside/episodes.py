"""Episodes of the built-in model and of another way to the same weights, action by action."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from benchmarks.playing import played
from eyehand.agent.policies.base import Policy
from eyehand.envs import make
from eyehand.envs.env import Environment
from eyehand.errors import EnvironmentFault

MOST_STEPS = 8
"""As the embedded model is measured everywhere."""

SAME, NETWORK = "same", "network"


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
    """One episode, played with both, and where they differ with what may explain it.

    Attributes:
        seed: Of the episode.
        built_in: The built-in model's way.
        beside: The other one's.
        why: "same"; or the first explanation in which the built-in network writes at the first
            different step what the other one wrote there; "network" where none does.
        explanations: The built-in network's way in each that was tried, by name.
    """

    seed: int
    built_in: Played
    beside: Played
    why: str
    explanations: dict[str, Played] = field(default_factory=dict)


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
    spec: str, seeds: range, built_in: Policy, beside: Policy,
    explanations: Mapping[str, Policy], follow: Callable[[str], None],
) -> Task:  # fmt: skip
    """Play a task's episodes with both.

    Args:
        spec: The task.
        seeds: One episode each.
        built_in: The built-in model as it is used.
        beside: The other way to the same weights.
        explanations: The built-in network, asked as the other one is, in one respect more each.
        follow: Receives a line for an episode with other actions.
    """
    task = Task(spec)
    with suppress(EnvironmentFault), make(spec) as environment:
        for seed in seeds:
            first, second = _play(built_in, environment, seed), _play(beside, environment, seed)
            found = Compared(seed, first, second, SAME)
            if first.actions != second.actions:
                found.why = NETWORK
                for name, policy in explanations.items():
                    found.explanations[name] = _play(policy, environment, seed)
                    if explains(found, name):
                        found.why = name
                        break
                follow(f"{spec} seed {seed}: {found.why}, from step {_first(found) + 1} on")
            task.episodes.append(found)
    return task


def _play(policy: Policy, environment: Environment, seed: int) -> Played:
    episode = played(policy, environment, seed, MOST_STEPS)
    return Played(
        episode.outcome.value, [step.raw_text for step in episode.steps],
        [step.action.model_dump_json() if step.action else "" for step in episode.steps],
    )  # fmt: skip


def explains(found: Compared, name: str) -> bool:
    """Return whether an explanation writes what the other one wrote where actions first differ.

    What comes after that step has another history.
    """
    at = _first(found)
    return _answer(found.explanations[name], at) == _answer(found.beside, at)


def _answer(way: Played, step: int) -> str:
    return way.answers[step].strip() if step < len(way.answers) else ""


def _first(found: Compared) -> int:
    """Return the first step, from 0, whose actions differ."""
    ways = (found.built_in.actions, found.beside.actions)
    return next((n for n, (a, b) in enumerate(zip(*ways, strict=False)) if a != b),
                min(map(len, ways)))  # fmt: skip
