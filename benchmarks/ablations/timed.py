"""Equal compute: a run ends when one thread has worked so long, whatever it got done.

How much a thread gets done in a second depends on what else the machine does. Rows that are to be
compared therefore take turns, so that whatever comes between hits all of them.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from eyehand.model.training.optimizer import rate_share
from eyehand.model.training.trainer import POOL_BATCHES, TrainingRun

_RISING, _FALLING = 0.05, 0.5
UNBOUNDED_TOKENS = 2**62

Row = Generator[float, None, dict[str, Any]]
"""A row under way: yields its core-seconds so far after each turn, and returns its figures."""


@dataclass(frozen=True)
class Budget:
    """What a row may take.

    Attributes:
        core_s: Seconds of one thread; drawing and encoding documents count, measuring does not.
    """

    core_s: float

    def share(self, spent_s: float) -> float:
        """Return the share of the learning rate: up, level, and to zero in the second half."""
        total = round(1000 * self.core_s)
        rising, falling = round(_RISING * total), round(_FALLING * total)
        return rate_share(round(1000 * spent_s), total, rising, falling)


def take_turns(rows: dict[str, Row]) -> Iterator[tuple[str, float | dict[str, Any]]]:
    """Let rows train in turns, the one that has spent least first, until each is measured.

    Yields:
        After each turn a row's name and its core-seconds; at its end its name and its figures.
    """
    spent = dict.fromkeys(rows, 0.0)
    while spent:
        name = min(spent, key=lambda name: spent[name])
        try:
            spent[name] = next(rows[name])
            yield name, spent[name]
        except StopIteration as end:
            del spent[name]
            yield name, end.value


class TimedRun(TrainingRun):
    """The product's trainer, bounded by a budget in the place of tokens, in turns.

    Attributes:
        budget: Set it before the first turn.
    """

    budget = Budget(0.0)
    _stop = 0.0

    @property
    def spent_s(self) -> float:
        """Core-seconds so far."""
        return self._counts["cpu_s"]

    def turn(self) -> None:
        """Take the steps whose documents are drawn together, or those that the budget has left."""
        self._stop = self._counts["steps"] + POOL_BATCHES
        self.train()

    def work(self) -> dict[str, Any]:
        """Return what was done in the budget: core-seconds, steps, documents, the number format."""
        dtype = str(self._dtype).removeprefix("torch.")
        counts = {name: self._counts[name] for name in ("steps", "documents", "answer_tokens")}
        return {"core_s": round(self.spent_s, 1), **counts, "dtype": dtype}

    def _has_ended(self) -> bool:
        return self.spent_s >= self.budget.core_s or self._counts["steps"] >= self._stop

    def _rate_share(self) -> float:
        return self.budget.share(self.spent_s)

    def _save(self) -> None:
        """Keep no state: a row is run as a whole."""
