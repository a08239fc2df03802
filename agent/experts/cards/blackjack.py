"""The best play of Blackjack, by dynamic programming over the whole game.

What is maximised is the probability of a win, because a draw fails here. That is another aim than
the money of a casino, and so another strategy: a hand that would stand to draw may hit.
"""

from collections.abc import Sequence
from functools import cache

from eyehand.agent.policies.base import Decision
from eyehand.envs.cards.blackjack import (
    DEALER_STANDS_AT,
    MOST_POINTS,
    BlackjackEnvironment,
    Hit,
    Stand,
    hand_points,
)
from eyehand.envs.cards.card import RANKS as RANK_SIGNS

RANKS = range(1, 14)


def best_move(environment: BlackjackEnvironment) -> Decision:
    """Return the call that wins more often; the thought is the hands and the points."""
    points, soft = hand_points(environment.player)
    dealer = min(environment.dealer_open, 10)
    hit, stand = win_by_hitting(points, soft, dealer), win_by_standing(points, dealer)
    open_card = RANK_SIGNS[environment.dealer_open - 1]
    return Decision(
        thought=f"Mine {_counted(environment.player)} Dealer {open_card}.",
        action=Hit() if hit > stand else Stand(),
    )


def _counted(hand: Sequence[int]) -> str:
    """Return the cards, each with the points so far, as in "K: 10. 2: 12."."""
    return " ".join(
        f"{RANK_SIGNS[rank - 1]}: {hand_words(*hand_points(hand[:count]))}."
        for count, rank in enumerate(hand, 1)
    )


def hand_words(points: int, soft: bool) -> str:
    """Return a hand's points in words, such as "soft 17"."""
    return f"soft {points}" if soft else str(points)


def best_win_probability() -> float:
    """Return the probability of a win under the best play, over all deals."""
    deals = [
        _best(*hand_points([first, second]), min(dealer, 10))
        for first in RANKS
        for second in RANKS
        for dealer in RANKS
    ]
    return sum(deals) / len(deals)


@cache
def win_by_hitting(points: int, soft: bool, dealer: int) -> float:
    """Return the probability of a win after one more card and the best play from there.

    Args:
        points: The hand's points, at most 21.
        soft: Whether an ace counts 11 in them.
        dealer: Value of the dealer's open card, 1 (ace) to 10.
    """
    after = [_added(points, soft, min(rank, 10)) for rank in RANKS]
    return sum(_best(*hand, dealer) for hand in after if hand[0] <= MOST_POINTS) / len(RANKS)


@cache
def win_by_standing(points: int, dealer: int) -> float:
    """Return the probability that the dealer goes over 21 or stays below `points`."""
    ends = _dealer_ends(*_added(0, False, dealer))
    return sum(chance for end, chance in ends.items() if end > MOST_POINTS or end < points)


def _best(points: int, soft: bool, dealer: int) -> float:
    return max(win_by_hitting(points, soft, dealer), win_by_standing(points, dealer))


@cache
def _dealer_ends(points: int, soft: bool) -> dict[int, float]:
    """Return the probability of each number of points at which the dealer ends."""
    if points >= DEALER_STANDS_AT:
        return {points: 1.0}
    ends: dict[int, float] = {}
    for rank in RANKS:
        for end, chance in _dealer_ends(*_added(points, soft, min(rank, 10))).items():
            ends[end] = ends.get(end, 0.0) + chance / len(RANKS)
    return ends


def _added(points: int, soft: bool, value: int) -> tuple[int, bool]:
    """Return points and softness of a hand with one more card; a card of value 1 is an ace."""
    low = points - 10 * soft + value
    has_ace = soft or value == 1
    # A hard hand that holds an ace counts it as 1 for good: it is 11 or more without it.
    if has_ace and low + 10 <= MOST_POINTS:
        return low + 10, True
    return low, False
