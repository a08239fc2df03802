"""Equal compute: a run ends when one thread has worked so long, whatever it got done."""

from dataclasses import dataclass
from typing import Any

from eyehand.model.training.optimizer import rate_share
from eyehand.model.training.trainer import TrainingRun

_RISING, _FALLING = 0.05, 0.5
UNBOUNDED_TOKENS = 2**62


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


class TimedRun(TrainingRun):
    """The product's trainer, bounded by a budget in the place of tokens.

    Attributes:
        budget: Set it before `train`.
    """

    budget = Budget(0.0)

    def work(self) -> dict[str, Any]:
        """Return what was done in the budget: core-seconds, steps, documents, the number format."""
        dtype = str(self._dtype).removeprefix("torch.")
        counts = {name: self._counts[name] for name in ("steps", "documents", "answer_tokens")}
        return {"core_s": round(self._counts["cpu_s"], 1), **counts, "dtype": dtype}

    def _has_ended(self) -> bool:
        return self._counts["cpu_s"] >= self.budget.core_s

    def _rate_share(self) -> float:
        return self.budget.share(self._counts["cpu_s"])
