"""The expert of number-line: it reads the two numbers from the environment."""

from eyehand.actions import Action, ActionSpace
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.envs.cards.number_line import Minus, NumberLineEnvironment, Plus
from eyehand.envs.env import Environment, Observation
from eyehand.errors import UsageError


def best_action(environment: NumberLineEnvironment) -> Action:
    """Return the move that comes closer to the target."""
    return Plus() if environment.current < environment.target else Minus()


class NumberLineExpert(Policy):
    """Moves towards the target, which it reads from the environment."""

    name = "expert"

    def __init__(self) -> None:
        self._environment: NumberLineEnvironment | None = None

    def bind(self, environment: Environment, seed: int | None = None) -> None:
        """Take the environment whose numbers are read."""
        if not isinstance(environment, NumberLineEnvironment):
            raise UsageError(f"this expert solves number-line, not {environment.spec_uri}")
        self._environment = environment

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode."""
        if self._environment is None:
            raise UsageError("an expert needs its environment: call bind() first")
        return _NumberLineMoves(self._environment)


class _NumberLineMoves(Conversation):
    def __init__(self, environment: NumberLineEnvironment) -> None:
        self._environment = environment

    def decide(self, observation: Observation) -> Decision:
        """Move towards the target."""
        return Decision(action=best_action(self._environment))
