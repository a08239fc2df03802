"""Intervals against published values, hand-computed ones, and their limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyehand.agent.results.statistics import (
    TAILS_95,
    Estimate,
    Rate,
    mean_rate,
    mean_with_interval,
    resampled_means,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_intervals_equal_newcombes_table(
    successes: int, trials: int, low: float, high: float
) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_intervals_hold_the_rate_and_stay_within_0_and_1(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= high <= 1
    if trials:
        assert low <= successes / trials + 1e-12
        assert successes / trials - 1e-12 <= high


def test_no_trial_means_that_nothing_is_known() -> None:
    assert Rate(0, 0).value is None
    assert Rate(0, 0).interval == (0.0, 1.0)
    assert str(Rate(0, 0)) == "no episode"


def test_a_rate_beats_another_only_beyond_both_intervals() -> None:
    assert Rate(90, 100).beats(Rate(50, 100))
    assert not Rate(60, 100).beats(Rate(50, 100))


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="5 of 4"):
        wilson_interval(5, 4)


def ends(estimate: Estimate) -> tuple[float, float]:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


rewards = st.lists(st.integers(-20, 20).map(float), min_size=2, max_size=12)


@settings(max_examples=25, deadline=None)
@given(rewards, st.sampled_from([0.5, 2.0, 8.0]), st.integers(-8, 8))
def test_a_means_interval_moves_and_stretches_with_the_values(
    values: list[float], scale: float, shift: int
) -> None:
    plain = mean_with_interval(values)
    moved = mean_with_interval([scale * value + shift for value in values])
    if plain.low is None:
        assert len(set(values)) == 1
        assert moved.low is None
        return
    low, high = ends(plain)
    assert plain.value is not None
    assert min(values) <= low <= plain.value <= high <= max(values)
    assert ends(moved) == pytest.approx((scale * low + shift, scale * high + shift), abs=1e-9)


def test_a_means_interval_does_not_depend_on_the_order_of_episodes() -> None:
    values = [1.0, 0.0, 0.0, 0.5, -1.0, 0.25]
    assert mean_with_interval(values) == mean_with_interval(values[::-1])


def test_a_skewed_samples_interval_leans_to_its_long_tail() -> None:
    sample = np.array([0.0] * 18 + [1.0, 5.0])
    plain = np.quantile(resampled_means(sample, np.random.default_rng(0)), TAILS_95)
    low, high = ends(mean_with_interval(sample.tolist()))
    assert low >= plain[0]
    assert high > plain[1]


def test_a_large_samples_interval_equals_the_normal_one() -> None:
    sample = np.random.default_rng(3).normal(2.0, 1.0, 1_000)
    half = 1.96 * float(sample.std()) / math.sqrt(1_000)
    expected = (float(sample.mean()) - half, float(sample.mean()) + half)
    assert ends(mean_with_interval(sample.tolist())) == pytest.approx(expected, abs=0.005)


def test_values_that_do_not_vary_have_no_interval() -> None:
    assert mean_with_interval([]).value is None
    assert mean_with_interval([3.0]) == Estimate(3.0)
    assert mean_with_interval([1.0] * 50).low is None


def test_a_suite_weighs_its_tasks_alike_whatever_their_episodes() -> None:
    assert mean_rate([Rate(1, 1), Rate(0, 100)]).value == 0.5
    assert mean_rate([Rate(1, 2), Rate(0, 0)]).value == 0.5
    assert mean_rate([Rate(0, 0)]).value is None


def test_a_suite_of_one_task_keeps_its_wilson_interval() -> None:
    assert ends(mean_rate([Rate(7, 20)])) == wilson_interval(7, 20)


def test_tasks_that_are_all_or_nothing_still_leave_doubt() -> None:
    # By hand: each task's Wilson half-width at 5 of 5 is 0.4345, and sqrt(2 * 0.4345^2) / 2.
    low, high = ends(mean_rate([Rate(5, 5), Rate(5, 5)]))
    assert low == pytest.approx(1 - 0.4345 / math.sqrt(2), abs=1e-4)
    assert high == 1.0


def test_a_suites_interval_is_that_of_independent_tasks() -> None:
    # Variance of a mean of k rates: p (1 - p) / (n k).
    low, high = ends(mean_rate([Rate(50, 100)] * 16))
    half = 1.96 * math.sqrt(0.25 / (100 * 16))
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half), abs=0.002)
