"""Ceilings: the best success rate that there can be on a task, and where a measured rate lies."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eyehand.agent.results.statistics import Estimate, Rate
from eyehand.envs.suites import is_declared, suite_task
from eyehand.errors import UsageError

ROUNDING = 1e-9
"""The interval of 30 successes in 30 ends at 1 but for the rounding of its numbers."""


@dataclass(frozen=True)
class Ceiling:
    """The best success rate that there can be.

    Attributes:
        value: The rate, 0 to 1.
        source: Where the number is from.
    """

    value: float
    source: str = ""

    def standing(self, measured: Rate | Estimate | None) -> str:
        """Return where the ceiling lies to a measured 95% interval; empty without one.

        Example:
            >>> Ceiling(0.432).standing(Rate(40, 100)), Ceiling(1.0).standing(Rate(29, 30))
            ('in the interval', 'not reached')
        """
        low, high = _interval(measured)
        if low is None or high is None:
            return ""
        if high < self.value - ROUNDING:
            return "not reached"
        return "in the interval" if low <= self.value + ROUNDING else "exceeded"

    def beside(self, measured: Rate | Estimate | None) -> str:
        """Return the ceiling with its standing: "43.2%, in the interval"."""
        return ", ".join(text for text in (str(self), self.standing(measured)) if text)

    def __str__(self) -> str:
        """Return such as "43.2%", or "100%"."""
        return f"{100 * self.value:.1f}%".replace(".0%", "%")


def ceiling_of(spec: str) -> Ceiling | None:
    """Return the ceiling of a task; None where none is known.

    A spec with options is another task than its suite's, and a declaration file that has gone
    since says nothing.
    """
    if "?" in spec:
        return None
    try:
        task = suite_task(spec)
    except UsageError:
        return None
    if task is None or task.ceiling is None:
        return None
    return Ceiling(task.ceiling, task.ceiling_source)


def ceilings_of(
    specs: Iterable[str], written: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Ceiling]:
    """Return the ceilings that are known.

    Args:
        specs: The tasks, as a record names them. A declaration file that one names is not read:
            it may be code.
        written: The tasks of an `evaluation.json`, whose ceilings held when it was run; those
            without the key are looked up.
    """
    kept = {task.get("task"): _read(task) for task in written if "ceiling" in task}
    found = {
        spec: kept.get(spec) if spec in kept or is_declared(spec) else ceiling_of(spec)
        for spec in specs
    }
    return {spec: ceiling for spec, ceiling in found.items() if ceiling}


def written_ceiling(ceiling: Ceiling | None) -> dict[str, Any]:
    """Return a ceiling as the task of an `evaluation.json` holds it."""
    return {
        "ceiling": ceiling.value if ceiling else None,
        "ceiling_source": ceiling.source if ceiling else "",
    }


def mean_ceiling(ceilings: Mapping[str, Ceiling], specs: Sequence[str]) -> Ceiling | None:
    """Return the ceiling of the mean over tasks; None where that of one of them is not known."""
    if not specs or any(spec not in ceilings for spec in specs):
        return None
    values = [ceilings[spec].value for spec in specs]
    return Ceiling(sum(values) / len(values), "the mean of the tasks' ceilings")


def _read(task: Mapping[str, Any]) -> Ceiling | None:
    value, source = task["ceiling"], task.get("ceiling_source")
    return Ceiling(float(value), str(source or "")) if isinstance(value, int | float) else None


def _interval(measured: Rate | Estimate | None) -> tuple[float | None, float | None]:
    if isinstance(measured, Rate):
        return measured.interval if measured.trials else (None, None)
    return (measured.low, measured.high) if measured else (None, None)
