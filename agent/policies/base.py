"""Policy and Conversation: who decides, and what a decision is."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eyehand.actions import Action, ActionSpace
from eyehand.envs.env import Observation
from eyehand.errors import ModelFeedback

TokenCallback = Callable[[str], None]
"""Receives each piece of text as it is generated."""


@dataclass(frozen=True)
class Decision:
    """What a policy decided at one observation.

    Attributes:
        thought: The text before the call; empty where there is none.
        action: The parsed and validated action, or None where the answer held none.
        error: Why there is no action: the typed parse failure; None with an action.
        raw_text: The answer exactly as it was generated.
        not_performed: Further calls of the same answer, as text; they are reported, not performed.
        timings_s: Seconds by part, such as "preprocess", "vision", "prefill", "decode", "parse".
        tokens: Token counts, such as "prompt", "generated", "image".
    """

    thought: str = ""
    action: Action | None = None
    error: ModelFeedback | None = None
    raw_text: str = ""
    not_performed: tuple[str, ...] = ()
    timings_s: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)


class Conversation(ABC):
    """One episode's history, append-only. `decide` is called once a step."""

    @abstractmethod
    def decide(self, observation: Observation) -> Decision:
        """Look at the observation and decide.

        Args:
            observation: The screen now; `observation.feedback` says what became of the previous
                decision, also where that one held no valid action.
        """


Request = tuple[Conversation, Observation]
"""A conversation of this policy, and what it has to decide on."""


class Policy(ABC):
    """Starts conversations. One policy serves many episodes, one after the other or interleaved.

    Attributes:
        name: Short name for records and tables ("model", "random", "expert").
        portable: Whether workers get a copy each and decide for themselves. One that is not
            (a model) decides in one place for all of them. Privileged policies always go along.
    """

    name: str = "policy"
    portable: bool = False

    @abstractmethod
    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode.

        Args:
            task: What to do, in words.
            action_space: The actions that this episode permits.
            seed: Fixes the policy's own randomness, where it has any.
        """

    def set_batch_size(self, batch: int) -> None:  # noqa: B027 - most policies need not know
        """Hear how many conversations are decided in one call at most, before the first one.

        A policy whose arithmetic depends on how much it computes at once rounds every decision as
        in a full call, so that none depends on who else was ready.

        Args:
            batch: 1 or more.
        """

    def decide_many(self, requests: Sequence[Request]) -> list[Decision]:
        """Decide for several conversations, each at its own observation.

        One after the other by default; a policy that can share work between them overrides this.

        Args:
            requests: Conversations that this policy started, each at most once.

        Returns:
            A decision a request, in their order.
        """
        return [conversation.decide(observation) for conversation, observation in requests]

    def describe(self) -> dict[str, Any]:
        """Return what the record should keep about the policy (model folder, sampling, codec)."""
        return {"name": self.name}
