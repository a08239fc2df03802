"""The card and number games of reinforcement learning for vision-language models.

The games are those of gym_cards (Zhai et al. 2024, "Fine-Tuning Large Vision-Language Models as
Decision-Making Agents via Reinforcement Learning", arXiv:2405.10292): the same rules, rewards and
picture size (300 x 300 RGB), drawn and seeded by code of our own.
"""

import inspect
from importlib import import_module
from typing import Any

from eyehand.envs.env import Environment
from eyehand.envs.names import unknown_name
from eyehand.errors import UsageError

CARD_GAMES: dict[str, str] = {
    "number-line": "eyehand.envs.cards.number_line:NumberLineEnvironment",
}
"""Game name to the class that plays it, as "module:class", imported when it is first made."""


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


__all__ = ["CARD_GAMES", "make_card_game"]
