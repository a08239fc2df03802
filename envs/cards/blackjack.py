"""Blackjack: come closer to 21 than the dealer without going over."""

from collections.abc import Sequence
from typing import Any

from eyehand.actions import Action
from eyehand.envs.cards.card import Card
from eyehand.envs.cards.game import CardGame, hand_option
from eyehand.envs.cards.table import blackjack_table
from eyehand.envs.env import Pixels

MOST_POINTS = 21
DEALER_STANDS_AT = 17


class Stand(Action):
    """Take no more cards: the dealer plays, and the hands are compared."""


class Hit(Action):
    """Take one more card."""


def hand_points(ranks: Sequence[int]) -> tuple[int, bool]:
    """Return a hand's points, and whether they count an ace as 11 (the hand is soft).

    Args:
        ranks: 1 (ace) to 13 (king); jack, queen and king count 10.

    Example:
        >>> hand_points([1, 6]), hand_points([1, 6, 13])
        ((17, True), (17, False))
    """
    low = sum(min(rank, 10) for rank in ranks)
    soft = 1 in ranks and low + 10 <= MOST_POINTS
    return (low + 10 if soft else low), soft


class BlackjackEnvironment(CardGame):
    """Beat the dealer; a draw is no success.

    The rules are those of gym_cards (arXiv:2405.10292, appendix on Blackjack), which are those of
    Gymnasium's Blackjack: an infinite deck; two cards each, one of the dealer's face down; the
    dealer draws to 17 and stands on any 17, a soft one too; a two-card 21 counts like any other
    21. The reward comes at the end: +1 for a win, 0 for a draw, -1 for a loss. Standing or going
    over 21 terminates the episode.

    Reset options:
        player: Ranks of the player's first two cards, 1 (ace) to 13 (king).
        dealer: Ranks of the dealer's two cards, or of the open one only.
    """

    spec_uri = "cards:blackjack"

    def __init__(self) -> None:
        super().__init__((Stand, Hit))
        self._player: list[Card] = []
        self._dealer: list[Card] = []
        self._shown = False

    @property
    def instruction(self) -> str:
        """The task, in words."""
        return "Beat the dealer: come closer to 21, not over it. The dealer draws to 17."

    @property
    def player(self) -> tuple[int, ...]:
        """Ranks of the player's cards, for experts and tests; the agent has to read them."""
        return tuple(card.rank for card in self._player)

    @property
    def dealer_open(self) -> int:
        """Rank of the dealer's open card, for experts and tests."""
        return self._dealer[0].rank

    def render(self) -> Pixels:
        """Return the picture, RGB uint8 (300, 300, 3)."""
        dealer = self._dealer if self._shown else [self._dealer[0], None]
        return blackjack_table(dealer, self._player)

    def _deal(self, options: dict[str, Any]) -> str:
        player = hand_option(options, "player", range(2, 3)) or ()
        dealer = hand_option(options, "dealer", range(1, 3)) or ()
        self._player = [self._draw_card(rank) for rank in (*player, None, None)[:2]]
        self._dealer = [self._draw_card(rank) for rank in (*dealer, None, None)[:2]]
        self._shown = False
        return f"dealt {self._player[0]} {self._player[1]} against {self._dealer[0]}"

    def _play(self, action: Action) -> tuple[str, float, bool, bool]:
        if isinstance(action, Hit):
            card = self._draw_card()
            self._player.append(card)
            points, _ = hand_points(self.player)
            if points > MOST_POINTS:
                self._shown = True
                return f"drew {card}: {points} is over {MOST_POINTS}", -1.0, True, False
            return f"drew {card}: {points}", 0.0, False, False
        return self._compared()

    def _compared(self) -> tuple[str, float, bool, bool]:
        """Let the dealer play, and compare."""
        self._shown = True
        while self._dealer_points() < DEALER_STANDS_AT:
            self._dealer.append(self._draw_card())
        mine, theirs = hand_points(self.player)[0], self._dealer_points()
        said = f"stood at {mine}, the dealer has {theirs}"
        if theirs > MOST_POINTS or mine > theirs:
            return f"{said}: won", 1.0, True, False
        if mine == theirs:
            return f"{said}: a draw", 0.0, True, False
        return f"{said}: lost", -1.0, True, False

    def _dealer_points(self) -> int:
        return hand_points([card.rank for card in self._dealer])[0]
