"""The card and number games of reinforcement learning for vision-language models.

The games are those of gym_cards (Zhai et al. 2024, "Fine-Tuning Large Vision-Language Models as
Decision-Making Agents via Reinforcement Learning", arXiv:2405.10292): the same rules, rewards and
picture size (300 x 300 RGB), drawn and seeded by code of our own.
"""

import inspect
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from eyehand.envs.env import Environment
from eyehand.envs.suggestions import unknown_name
from eyehand.errors import UsageError

if TYPE_CHECKING:
    from eyehand.envs.suites import Suite

CARD_GAMES: dict[str, str] = {
    "number-line": "eyehand.envs.cards.number_line:NumberLineEnvironment",
    "blackjack": "eyehand.envs.cards.blackjack:BlackjackEnvironment",
    "ez-points": "eyehand.envs.cards.points:EzPointsEnvironment",
    "points24": "eyehand.envs.cards.points:Points24Environment",
}
"""Game name to the class that plays it, as "module:class", imported when it is first made."""


@dataclass(frozen=True)
class CardFacts:
    """What is known of a game.

    Attributes:
        success: When an episode succeeded.
        max_steps: Most steps that an episode without a mistake can take.
        ceiling: The success rate of the best play.
        ceiling_source: How that number was computed.
    """

    success: str
    max_steps: int
    ceiling: float
    ceiling_source: str


_SUMMED = "the summed reward is above 0"

CARD_FACTS: dict[str, CardFacts] = {
    "number-line": CardFacts(_SUMMED, 10, 1.0, "every episode can be solved"),
    "blackjack": CardFacts(
        "the hand beats the dealer's; a draw fails",
        21,
        0.4316,
        "the win probability of the best play, by dynamic programming over all hands",
    ),
    "ez-points": CardFacts(_SUMMED, 6, 1.0, "only hands that can make 12 are dealt"),
    "points24": CardFacts(
        _SUMMED, 21, 0.7309, "the share of the deals that can make 24, by complete search"
    ),
}
"""Facts by game. The ceilings are for these rules; a test computes them."""


def make_card_game(name: str, **options: Any) -> Environment:
    """Make a game by name.

    Args:
        name: A key of `CARD_GAMES`, such as "number-line".
        **options: Arguments of the game's class.

    Raises:
        UsageError: no game has that name, or it does not take such an option.
    """
    if name not in CARD_GAMES:
        raise unknown_name("card game", name, CARD_GAMES)
    module, _, class_name = CARD_GAMES[name].partition(":")
    game = getattr(import_module(module), class_name)
    try:
        inspect.signature(game).bind(**options)
    except TypeError as error:
        raise UsageError(f"options {sorted(options)} do not fit {name!r}: {error}") from None
    environment: Environment = game(**options)
    return environment


def suite() -> "Suite":
    """Return the suite of all games."""
    from eyehand.envs.suites import DRAWN, Suite, SuiteTask

    tasks = tuple(
        SuiteTask(
            f"cards:{name}",
            make_card_game(name).instruction or DRAWN,
            facts.success,
            facts.max_steps,
            facts.ceiling,
            facts.ceiling_source,
        )
        for name, facts in CARD_FACTS.items()
    )
    about = "The card and number games of gym_cards' rules (arXiv:2405.10292), our own pictures."
    return Suite("cards", about, tasks)


__all__ = ["CARD_FACTS", "CARD_GAMES", "CardFacts", "make_card_game", "suite"]
