"""Rates, means and their 95% intervals: pure functions of numbers, seeded where they draw."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959963984540054
"""The 97.5% quantile of the normal distribution: two-sided 95%."""

NO_VERDICT = "no verdict"
"""Stands for the success rate of a task whose episodes nobody judges."""

TAILS_95 = (0.025, 0.975)
RESAMPLES = 10_000
RESAMPLING_SEED = 20_240_918
"""Every interval that draws is drawn from this seed: the same rows give the same interval."""

CELLS_AT_ONCE = 2_000_000
"""Numbers that a bootstrap holds at a time, so that memory stays flat over many episodes."""

FEW_VALUES = 5
"""A draw of a count costs about so many draws of a value."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rate:
    """A success rate with its Wilson 95% interval.

    Attributes:
        successes: Number of successes.
        trials: Number of trials.
        unjudged: Episodes of a task that has no verdict: they are no trials.
    """

    successes: int
    trials: int
    unjudged: int = 0

    @property
    def episodes(self) -> int:
        """How many episodes there were, judged or not."""
        return self.trials + self.unjudged

    @property
    def value(self) -> float | None:
        """The share of successes; None without a trial."""
        return self.successes / self.trials if self.trials else None

    @property
    def interval(self) -> tuple[float, float]:
        """The Wilson 95% interval, within 0 to 1."""
        return wilson_interval(self.successes, self.trials)

    def beats(self, other: "Rate") -> bool:
        """Return whether this rate lies above the other beyond both intervals."""
        return self.interval[0] > other.interval[1]

    def __str__(self) -> str:
        """Return such as "87% [79, 92]", or "no verdict"."""
        if self.value is None:
            return NO_VERDICT if self.unjudged else "no episode"
        low, high = self.interval
        return f"{100 * self.value:.0f}% [{100 * low:.0f}, {100 * high:.0f}]"


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval.

    Attributes:
        value: The number; None where nothing was measured.
        low: Lower end; None where there is no interval.
        high: Upper end.
        method: How the interval was found: "bca", "stratified bootstrap", "wilson", ...; or why
            there is no number: "no verdict".
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    method: str = ""

    def to_json(self) -> dict[str, object]:
        """Return the estimate, JSON-ready, rounded to 6 decimals."""
        interval = None if self.low is None else [_rounded(self.low), _rounded(self.high)]
        return {"value": _rounded(self.value), "interval": interval, "method": self.method}


def wilson_interval(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Return the Wilson score interval of a binomial proportion.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927). Unlike the normal approximation it stays within 0 to 1 and is honest at 0 and
    at all successes.

    Args:
        successes: Number of successes, 0 to `trials`.
        trials: Number of trials; 0 gives (0, 1): nothing is known.
        z: Normal quantile of the confidence level.

    Raises:
        ValueError: `successes` is not between 0 and `trials`.

    Example:
        >>> low, high = wilson_interval(8, 10)
        >>> round(low, 4), round(high, 4)
        (0.4902, 0.9433)
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"expected 0 <= successes <= trials, got {successes} of {trials}")
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    denominator = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / denominator
    spread = math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    half = z * spread / denominator
    return max(0.0, centre - half), min(1.0, centre + half)


def mean_with_interval(values: Sequence[float], seed: int = RESAMPLING_SEED) -> Estimate:
    """Return a mean with its bias-corrected, accelerated bootstrap interval (BCa), 95%.

    Source: B. Efron, "Better bootstrap confidence intervals", JASA 82 (1987); the acceleration is
    the jackknife's. Rewards are skewed, for which the plain percentiles are too narrow on one side.

    Args:
        values: One number an episode. Equal ones have no interval: resamples of them do not
            vary, which says nothing of what was not seen.
        seed: Fixes the resamples.

    Example:
        >>> estimate = mean_with_interval([1.0, 0.0, 1.0, 1.0])
        >>> estimate.value, estimate.method
        (0.75, 'bca')
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.size < 2:
        return Estimate(float(sample[0]) if sample.size else None)
    mean = float(sample.mean())
    if np.ptp(sample) == 0:
        return Estimate(mean, method="all values are equal")
    means = resampled_means(sample, np.random.default_rng(seed))
    low, high = np.quantile(means, _bca_tails(sample, means))
    # Rounding could put an end on the wrong side of the mean by one unit in the last place.
    return Estimate(mean, min(float(low), mean), max(float(high), mean), "bca")


def resampled_means(sample: Floats, generator: np.random.Generator) -> Floats:
    """Return the means of `RESAMPLES` resamples drawn with replacement.

    Where values repeat, equal ones are drawn together, as one multinomial count: the same
    distribution, and for rewards of a few values a hundred times less work.
    """
    values, repeats = np.unique(sample, return_counts=True)
    means = np.empty(RESAMPLES)
    counted = values.size * FEW_VALUES < sample.size
    at_once = max(1, CELLS_AT_ONCE // (values.size if counted else sample.size))
    for begun in range(0, RESAMPLES, at_once):
        size = min(at_once, RESAMPLES - begun)
        if counted:
            drawn = generator.multinomial(sample.size, repeats / sample.size, size=size)
            means[begun : begun + size] = drawn @ values / sample.size
        else:
            # From the sorted values: the order in which episodes came must not matter.
            chosen = generator.integers(0, sample.size, size=(size, sample.size))
            means[begun : begun + size] = np.repeat(values, repeats)[chosen].mean(axis=1)
    return means


def mean_rate(rates: Sequence[Rate], seed: int = RESAMPLING_SEED) -> Estimate:
    """Return the mean of tasks' success rates, each task weighing the same, with its interval.

    One task keeps its Wilson interval. For several it is a stratified percentile bootstrap (each
    task's episodes are resampled within the task), at each end at least as wide as the tasks'
    Wilson intervals combined by square-and-add (G. Y. Zou and A. Donner, Statistics in Medicine
    27 (2008)). A bootstrap alone takes a task that was solved 5 times of 5 for one that cannot
    fail: with ten tasks of a 2% rate and 5 episodes each it covers the truth in 66% of the runs,
    the two together in more than 91%.

    Args:
        rates: One a task; those without an episode, or without a verdict, are left out.
        seed: Fixes the resamples.
    """
    counted = [rate for rate in rates if rate.trials]
    if not counted:
        return Estimate(None, method=NO_VERDICT if any(rate.unjudged for rate in rates) else "")
    trials = np.array([rate.trials for rate in counted])
    shares = np.array([rate.successes / rate.trials for rate in counted])
    mean = float(shares.mean())
    if len(counted) == 1:
        return Estimate(mean, *counted[0].interval, "wilson")
    ends = np.array([rate.interval for rate in counted])
    below, above = (float(np.sqrt(((ends[:, i] - shares) ** 2).sum())) for i in (0, 1))
    drawn = np.random.default_rng(seed).binomial(trials, shares, size=(RESAMPLES, len(counted)))
    low, high = np.quantile((drawn / trials).mean(axis=1), TAILS_95)
    return Estimate(
        value=mean,
        low=max(0.0, min(float(low), mean - below / len(counted))),
        high=min(1.0, max(float(high), mean + above / len(counted))),
        method="stratified bootstrap, at least Wilson",
    )


def _bca_tails(sample: Floats, means: Floats) -> tuple[float, float]:
    """Return the two quantiles of the resampled means that bound the interval."""
    normal = NormalDist()
    deviation = sample - sample.mean()
    same = np.isclose(means, sample.mean(), rtol=1e-12, atol=1e-12 * float(np.ptp(sample)))
    below = np.count_nonzero(~same & (means < sample.mean())) + np.count_nonzero(same) / 2
    bias = normal.inv_cdf(min(max(below / means.size, 1 / means.size), 1 - 1 / means.size))
    # The jackknife's means differ from the mean by the deviations over n - 1, which cancels here.
    acceleration = float((deviation**3).sum() / (6 * (deviation**2).sum() ** 1.5))
    low, high = (
        normal.cdf(bias + (bias + z) / (1 - acceleration * (bias + z))) for z in (-Z_95, Z_95)
    )
    return low, high


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
