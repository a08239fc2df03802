import numpy as np
import pytest

from eyehand.envs.cards.blackjack import BlackjackEnvironment, Hit, Stand, hand_points
from eyehand.envs.check import check_environment
from eyehand.errors import UsageError


def test_it_keeps_the_contract() -> None:
    assert check_environment(BlackjackEnvironment()).warnings == []


@pytest.mark.parametrize(
    ("ranks", "points"),
    [
        ([1, 13], (21, True)),
        ([1, 1], (12, True)),
        ([1, 6, 10], (17, False)),
        ([11, 12, 13], (30, False)),
        ([1, 1, 9], (21, True)),
    ],
)
def test_an_ace_counts_eleven_while_that_is_not_over(
    ranks: list[int], points: tuple[int, bool]
) -> None:
    assert hand_points(ranks) == points


def test_going_over_ends_with_minus_one() -> None:
    environment = BlackjackEnvironment()
    environment.reset(seed=0, options={"player": [10, 13], "dealer": [5, 5]})
    reward, terminated, info = 0.0, False, {}
    while not terminated:
        _, reward, terminated, _, step_info = environment.step(Hit())
        info = dict(step_info)
    assert (reward, info["verdict"]) == (-1.0, False)
    assert sum(min(rank, 10) for rank in environment.player) > 21


@pytest.mark.parametrize(
    ("player", "dealer", "reward", "verdict"),
    [
        ([10, 9], [10, 8], 1.0, True),
        ([10, 8], [10, 8], 0.0, False),
        ([10, 7], [10, 8], -1.0, False),
        ([10, 8], [1, 6], 1.0, True),  # the dealer stands on a soft 17
        ([1, 13], [1, 13], 0.0, False),  # two naturals draw
    ],
)
def test_standing_compares_and_a_draw_is_no_success(
    player: list[int], dealer: list[int], reward: float, verdict: bool
) -> None:
    environment = BlackjackEnvironment()
    environment.reset(seed=0, options={"player": player, "dealer": dealer})
    _, got, terminated, truncated, info = environment.step(Stand())
    assert (got, terminated, truncated, info["verdict"]) == (reward, True, False, verdict)


def test_the_hidden_card_is_not_in_the_picture() -> None:
    pictures = []
    for hidden in (2, 9):
        environment = BlackjackEnvironment()
        environment.reset(seed=0, options={"player": [5, 5], "dealer": [7, hidden]})
        pictures.append(environment.render())
        environment.step(Stand())
        pictures.append(environment.render())
    assert np.array_equal(pictures[0], pictures[2])
    assert not np.array_equal(pictures[1], pictures[3])


@pytest.mark.parametrize("hand", [[1], [1, 14], "ace", [0, 3], [1, 2, 3]])
def test_a_hand_that_is_none_is_refused(hand: object) -> None:
    with pytest.raises(UsageError, match="player"):
        BlackjackEnvironment().reset(options={"player": hand})
