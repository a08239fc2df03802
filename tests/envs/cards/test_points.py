from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyehand.envs.cards.formula import formula_value
from eyehand.envs.cards.points import EzPointsEnvironment, Points24Environment, PointsGame
from eyehand.envs.check import check_environment
from eyehand.envs.env import StepInfo
from eyehand.errors import UsageError


def write(environment: PointsGame, text: str) -> tuple[list[float], bool, bool, StepInfo]:
    rewards: list[float] = []
    for token in text.split():
        call = environment.action_space.build("write", {"token": token})
        _, reward, terminated, truncated, info = environment.step(call)
        rewards.append(reward)
    return rewards, terminated, truncated, info


def dealt(cards: list[int]) -> PointsGame:
    environment = EzPointsEnvironment() if len(cards) == 2 else Points24Environment()
    environment.reset(seed=0, options={"cards": cards})
    return environment


@pytest.mark.parametrize("game", [EzPointsEnvironment, Points24Environment])
def test_they_keep_the_contract(game: type[PointsGame]) -> None:
    assert check_environment(game()).warnings == []


def test_a_right_formula_gets_ten() -> None:
    rewards, terminated, truncated, info = write(dealt([3, 4]), "3 * 4 =")
    assert rewards == [0, 0, 0, 10]
    assert (terminated, truncated, info["verdict"]) == (True, False, True)


def test_faces_count_ten() -> None:
    assert write(dealt([13, 2]), "10 + 2 =")[3]["verdict"] is True
    assert write(dealt([1, 11, 12, 4]), "( 10 + 10 + 4 ) * 1 =")[3]["verdict"] is True


@pytest.mark.parametrize(
    ("cards", "formula"),
    [
        ([3, 4], "3 + 4 ="),  # another number
        ([6, 6], "6 ="),  # a card is left
        ([6, 6], "="),
        ([1, 2, 3, 4], "( 1 + 2 + 3 ) * 4 + ="),  # no formula
        ([1, 2, 2, 10], "1 2 * 2 * 10 ="),  # digits never join
        ([2, 2, 4, 4], "4 / ( 2 - 2 ) * 4 ="),  # by zero
        ([4, 4, 8, 8], "- 4 - 4 + 8 * 8 ="),  # a minus before a term
    ],
)
def test_a_wrong_end_costs_one_and_fails(cards: list[int], formula: str) -> None:
    rewards, terminated, _, info = write(dealt(cards), formula)
    assert rewards[-1] == -1
    assert (terminated, info["verdict"]) == (True, False)


def test_a_number_on_no_unused_card_costs_one_and_changes_nothing() -> None:
    environment = dealt([6, 6])
    before = environment.render()
    assert write(environment, "5")[0] == [-1]
    assert np.array_equal(environment.render(), before)
    rewards, _, _, info = write(environment, "6 + 6 6 =")
    assert rewards == [0, 0, 0, -1, 10]
    assert info["verdict"] is True  # 8 in all


@pytest.mark.parametrize(("cards", "limit"), [([6, 6], 5), ([1, 2, 3, 4], 20)])
def test_a_formula_that_grows_too_long_is_truncated(cards: list[int], limit: int) -> None:
    environment = dealt(cards)
    assert write(environment, "+ " * limit)[2] is False
    _, terminated, truncated, info = write(environment, "+")
    assert (terminated, truncated, info["verdict"]) == (False, True, False)


def test_ez_points_deals_only_hands_that_make_twelve() -> None:
    environment = EzPointsEnvironment()
    environment.reset(seed=0)
    for _ in range(200):
        environment.reset()
        one, other = (card.value for card in environment.cards)
        assert 12 in (one + other, one * other)
    with pytest.raises(UsageError, match="cannot make 12"):
        environment.reset(options={"cards": [1, 1]})


def test_points24_deals_each_of_thirteen_ranks_about_equally_often() -> None:
    environment = Points24Environment()
    environment.reset(seed=0)
    counts: Counter[int] = Counter()
    for _ in range(800):
        environment.reset()
        counts.update(card.rank for card in environment.cards)
    assert set(counts) == set(range(1, 14))
    assert 190 < min(counts.values())
    assert max(counts.values()) < 305  # 246 expected, four standard deviations


def test_seeds_fix_the_pixels() -> None:
    first, second, other = (Points24Environment().reset(seed=s)[0] for s in (5, 5, 6))
    assert first == second
    assert not np.array_equal(first.pixels, other.pixels)


@given(st.lists(st.sampled_from([*"0123456789+-*/()", "10"]), max_size=12))
def test_any_tokens_make_a_fraction_or_none(tokens: list[str]) -> None:
    value = formula_value(tokens)
    assert value is None or isinstance(value, Fraction)


def test_products_bind_stronger_and_signs_of_one_kind_go_left() -> None:
    assert formula_value("2 + 3 * 4 - 6 / 2 / 3 - 1".split()) == 12
    assert formula_value("1 / 3 * 3".split()) == 1
