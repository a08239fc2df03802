"""The experts of the card games play as well as can be, and the ceilings are what they reach."""

from collections import Counter
from itertools import product

import pytest

from eyehand.agent.episode import run_episode
from eyehand.agent.experts import expert_for
from eyehand.agent.experts.cards.blackjack import best_win_probability
from eyehand.agent.experts.cards.points24 import solve
from eyehand.agent.results.statistics import Rate
from eyehand.envs import make
from eyehand.envs.cards import CARD_FACTS
from eyehand.envs.cards.formula import formula_value
from eyehand.errors import UsageError


def test_the_best_play_of_blackjack_wins_as_often_as_is_known() -> None:
    assert best_win_probability() == pytest.approx(0.432, abs=0.0005)
    assert best_win_probability() == pytest.approx(CARD_FACTS["blackjack"].ceiling, abs=5e-5)


def test_the_share_of_deals_that_make_24_is_as_is_known() -> None:
    deals = Counter(
        tuple(sorted(min(rank, 10) for rank in deal)) for deal in product(range(1, 14), repeat=4)
    )
    formulas = {values: solve(values, 24) for values in deals}
    solvable = sum(count for values, count in deals.items() if formulas[values]) / 13**4
    assert solvable == pytest.approx(0.731, abs=0.0005)
    assert solvable == pytest.approx(CARD_FACTS["points24"].ceiling, abs=5e-5)
    for values, formula in formulas.items():
        if formula is not None:
            assert formula_value(formula) == 24
            assert sorted(int(t) for t in formula if t.isdecimal()) == list(values)


@pytest.mark.parametrize("game", ["number-line", "ez-points"])
def test_games_that_can_always_be_won_are(game: str) -> None:
    environment, expert = make(f"cards:{game}"), expert_for(f"cards:{game}")
    episodes = [run_episode(expert, environment, seed=seed) for seed in range(20)]
    assert all(episode.verdict for episode in episodes)


@pytest.mark.parametrize("game", ["blackjack", "points24"])
def test_the_others_are_won_within_the_interval_of_their_ceiling(game: str) -> None:
    environment, expert = make(f"cards:{game}"), expert_for(f"cards:{game}")
    episodes = [run_episode(expert, environment, seed=seed) for seed in range(60)]
    rate = Rate(sum(bool(episode.verdict) for episode in episodes), len(episodes))
    assert rate.interval[0] <= CARD_FACTS[game].ceiling <= rate.interval[1]


def test_a_deal_that_cannot_be_won_is_lost_legally() -> None:
    environment, expert = make("cards:points24"), expert_for("cards:points24")
    seeds = range(20)
    played = [run_episode(expert, environment, seed=seed) for seed in seeds]
    unsolvable = [episode for episode in played if not episode.verdict]
    assert unsolvable
    assert {episode.reward for episode in unsolvable} == {-1.0}


def test_a_game_without_an_expert_says_so() -> None:
    with pytest.raises(UsageError, match="no expert"):
        expert_for("cards:poker")
