"""The table of `eyehand eval`, printed where no JSON was asked for."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eyehand.agent.results.evaluation_result import EvaluationResult
    from eyehand.agent.results.statistics import Rate


def print_evaluation(result: "EvaluationResult") -> None:
    """Print a row a task, and one for all of them where there are several.

    Ceilings, with where they lie to the intervals, stand where one is known, mean rewards where a
    task has no verdict, costs where the model has a price.
    """
    from eyehand.agent.cli import tables
    from eyehand.agent.report.evaluation_tables import number, percent
    from eyehand.agent.results.summary import shown_name

    ceiling = ["ceiling"] if result.ceilings else []
    reward = ["mean reward"] if result.summary.rate.unjudged else []
    cost = ["$ an episode"] if result.summary.mean_cost_usd is not None else []
    table = tables.table("task", "rate", *ceiling, "solved", *reward, *cost, "faults")
    lines = [(shown_name(task.name), task, result.ceilings.get(task.name)) for task in result.tasks]
    if len(lines) > 1:
        lines.append((f"all {len(lines)} tasks", result.summary, result.ceiling))
    for name, summary, best in lines:
        cells = [name, percent(summary.success)]
        cells += [best.beside(summary.success) if best else ""] * len(ceiling)
        cells += [_solved(summary.rate), *[number(summary.reward)] * len(reward)]
        cells += [f"{summary.mean_cost_usd or 0:.4f}"] * len(cost)
        table.add_row(*cells, str(summary.faults))
    tables.console().print(table)


def _solved(rate: "Rate") -> str:
    judged = [f"{rate.successes} of {rate.trials}"] if rate.trials or not rate.unjudged else []
    return ", ".join([*judged, *([f"{rate.unjudged} not judged"] if rate.unjudged else [])])
