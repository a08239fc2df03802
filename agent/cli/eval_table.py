"""The table of `eyehand eval`, printed where no JSON was asked for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eyehand.agent.evaluation.plan import Evaluation
    from eyehand.agent.results.ceiling import Ceiling
    from eyehand.agent.results.statistics import Estimate, Rate


@dataclass(frozen=True)
class _Line:
    """What a row shows: of one task, or of all."""

    name: str
    measured: "Rate | Estimate"
    total: "Rate"
    ceiling: "Ceiling | None"
    rewards: list[float]
    faults: int


def print_evaluation(evaluation: "Evaluation") -> None:
    """Print a row a task, and one for all of them where there are several.

    Ceilings, with where they lie to the intervals, stand where one is known, mean rewards where a
    task has no verdict.
    """
    from eyehand.agent.cli import tables

    lines = _lines(evaluation)
    with_ceiling = any(line.ceiling for line in lines)
    with_reward = any(line.total.unjudged for line in lines)
    ceiling, reward = ["ceiling"] * with_ceiling, ["mean reward"] * with_reward
    table = tables.table("task", "rate", *ceiling, "solved", *reward, "faults")
    for line in lines:
        cells = [line.name, _rate(line.measured)]
        if with_ceiling:
            cells.append(line.ceiling.beside(line.measured) if line.ceiling else "")
        cells.append(_solved(line.total))
        if with_reward:
            cells.append(_reward(line.rewards))
        table.add_row(*cells, str(line.faults))
    tables.console().print(table)


def _lines(evaluation: "Evaluation") -> list[_Line]:
    from eyehand.agent.results.ceiling import mean_ceiling
    from eyehand.agent.results.statistics import mean_rate
    from eyehand.agent.results.summary import shown_name, total_rate

    tasks = evaluation.tasks
    lines = [
        _Line(shown_name(t.task), t.rate, t.rate, t.ceiling, t.rewards, t.environment_faults)
        for t in tasks
    ]
    if len(tasks) < 2:
        return lines
    rates, ceilings = [task.rate for task in tasks], {t.task: t.ceiling for t in tasks if t.ceiling}
    overall = _Line(
        f"all {len(tasks)} tasks",
        mean_rate(rates),
        total_rate(rates),
        mean_ceiling(ceilings, [task.task for task in tasks]),
        [reward for task in tasks for reward in task.rewards],
        sum(task.environment_faults for task in tasks),
    )
    return [*lines, overall]


def _rate(measured: "Rate | Estimate") -> str:
    from eyehand.agent.report.evaluation_tables import percent
    from eyehand.agent.results.statistics import Rate

    return str(measured) if isinstance(measured, Rate) else percent(measured)


def _reward(rewards: list[float]) -> str:
    from eyehand.agent.report.evaluation_tables import number
    from eyehand.agent.results.statistics import mean_with_interval

    return number(mean_with_interval(rewards))


def _solved(rate: "Rate") -> str:
    judged = [f"{rate.successes} of {rate.trials}"] if rate.trials or not rate.unjudged else []
    return ", ".join([*judged, *([f"{rate.unjudged} not judged"] if rate.unjudged else [])])
