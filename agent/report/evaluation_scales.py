"""The scales of the plots: round ticks, and bins of whole numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

MOST_BINS = 40
MOST_LABELS = 20
TICKS = 4


def three_digits(value: float) -> str:
    """Return a number of at least three significant digits, such as "0.753" or "3,540".

    Args:
        value: 0 or more, such as milliseconds; from 1,000 on it is rounded to the whole number.
    """
    return f"{value:,.0f}" if value >= 999.5 else f"{value:.3g}"


@dataclass(frozen=True)
class Bins:
    """Whole numbers from `first`, counted in bins of `width`.

    Attributes:
        first: Lowest number of the first bin.
        width: Numbers a bin.
        solved: Episodes that succeeded, a bin.
        others: Those that did not.
    """

    first: int
    width: int
    solved: list[int]
    others: list[int]

    @property
    def count(self) -> int:
        """Number of bins."""
        return len(self.solved)

    @property
    def totals(self) -> list[int]:
        """Episodes a bin."""
        return [solved + others for solved, others in zip(self.solved, self.others, strict=True)]

    @property
    def label_every(self) -> int:
        """Every which bin has its label: there is no room for all of many."""
        return math.ceil(self.count / (MOST_LABELS if self.width == 1 else MOST_LABELS // 2))

    def label(self, index: int) -> str:
        """Return the numbers of a bin: "7", "5-9"."""
        low = self.first + index * self.width
        return str(low) if self.width == 1 else f"{low}-{low + self.width - 1}"


def bins(counts: Sequence[tuple[int, bool]]) -> Bins:
    """Count whole numbers in at most `MOST_BINS` bins of the same width.

    Args:
        counts: A number, and whether its episode succeeded.

    Example:
        >>> bins([(2, True), (4, False), (4, True)])
        Bins(first=2, width=1, solved=[1, 0, 1], others=[0, 0, 1])
    """
    numbers = [number for number, _ in counts] or [0]
    first, last = min(numbers), max(numbers)
    width = math.ceil((last - first + 1) / MOST_BINS)
    count = (last - first) // width + 1
    found = Bins(first, width, [0] * count, [0] * count)
    for number, succeeded in counts:
        (found.solved if succeeded else found.others)[(number - first) // width] += 1
    return found


def round_ticks(most: float) -> list[float]:
    """Return round numbers from 0 to at least `most`, about `TICKS` of them.

    Example:
        >>> round_ticks(87)
        [0.0, 25.0, 50.0, 75.0, 100.0]
    """
    if most <= 0 or not math.isfinite(most):
        return [0.0, 1.0]
    raw = most / TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= raw * (1 - 1e-9))
    return [step * index for index in range(math.ceil(most / step - 1e-9) + 1)]
