"""The expert of number-line: it reads the two numbers from the environment."""

from eyehand.actions import Action
from eyehand.envs.cards.number_line import Minus, NumberLineEnvironment, Plus


def best_action(environment: NumberLineEnvironment) -> Action:
    """Return the move that comes closer to the target."""
    return Plus() if environment.current < environment.target else Minus()
