"""The experts of the card games."""

from eyehand.agent.experts.cards import blackjack, number_line, points24
from eyehand.agent.experts.state import StateExpert, from_state
from eyehand.agent.policies.base import Policy
from eyehand.envs.cards.blackjack import BlackjackEnvironment
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.envs.cards.points import EzPointsEnvironment, Points24Environment


def card_expert(game: str) -> Policy | None:
    """Return the expert of a card game; None where there is none.

    All four play as well as can be: the share of their successes is the game's ceiling.

    Args:
        game: The game's name, such as "points24".
    """
    match game:
        case "number-line":
            return StateExpert(NumberLineEnvironment, from_state(number_line.best_action))
        case "blackjack":
            return StateExpert(BlackjackEnvironment, from_state(blackjack.best_move))
        case "ez-points":
            return StateExpert(EzPointsEnvironment, from_state(points24.next_move))
        case "points24":
            return StateExpert(Points24Environment, from_state(points24.next_move))
        case _:
            return None
