"""StateExpert: an expert that is a function from an environment's state to the next action."""

from collections.abc import Callable
from typing import Generic, TypeVar

from eyehand.actions import Action, ActionSpace
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.envs.env import Environment, Observation
from eyehand.errors import ActionHadNoEffect, UsageError

E = TypeVar("E", bound=Environment)

Moves = Callable[[], Decision | Action | None]
"""Returns the next action of an episode, or one with a thought; None where there is no way on."""


class StateExpert(Policy, Generic[E]):
    """Reads the environment's state, which the agent never sees, and acts on it.

    Args:
        environment_type: The environments that it can read.
        begin: Called with the environment, just reset, when an episode starts; returns what gives
            the episode's actions one after the other.
    """

    name = "expert"

    def __init__(self, environment_type: type[E], begin: Callable[[E], Moves]) -> None:
        self._type = environment_type
        self._begin = begin
        self._environment: E | None = None

    def bind(self, environment: Environment, seed: int | None = None) -> None:
        """Take the environment whose state is read.

        Raises:
            UsageError: it is of another kind.
        """
        if not isinstance(environment, self._type):
            raise UsageError(f"this expert reads {self._type.__name__}, not {environment.spec_uri}")
        self._environment = environment

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode.

        Raises:
            UsageError: `bind` was not called before.
        """
        if self._environment is None:
            raise UsageError("an expert needs its environment: call bind() first")
        return _StateMoves(self._begin(self._environment))


class _StateMoves(Conversation):
    def __init__(self, moves: Moves) -> None:
        self._moves = moves

    def decide(self, observation: Observation) -> Decision:
        """Return the expert's next action; none where it sees no way on."""
        move = self._moves()
        if move is None:
            return Decision(error=ActionHadNoEffect("the expert sees no way on"))
        return move if isinstance(move, Decision) else Decision(action=move)


def from_state(choose: Callable[[E], Decision | Action | None]) -> Callable[[E], Moves]:
    """Return the `begin` of an expert that looks at nothing but the present state."""

    def begin(environment: E) -> Moves:
        return lambda: choose(environment)

    return begin
