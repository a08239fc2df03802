"""Intervals for success rates."""

import math
from dataclasses import dataclass

Z_95 = 1.959963984540054
"""The 97.5% quantile of the normal distribution: two-sided 95%."""


@dataclass(frozen=True)
class Rate:
    """A success rate with its Wilson 95% interval.

    Attributes:
        successes: Number of successes.
        trials: Number of trials.
    """

    successes: int
    trials: int

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
        """Return such as "87% [79, 92]"."""
        if self.value is None:
            return "no episode"
        low, high = self.interval
        return f"{100 * self.value:.0f}% [{100 * low:.0f}, {100 * high:.0f}]"


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
