"""The table of `eyehand eval`, printed where no JSON was asked for."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eyehand.agent.results import Evaluation


def print_evaluation(evaluation: "Evaluation") -> None:
    """Print a row a task; ceilings, with where they lie to the intervals, where one is known."""
    from eyehand.agent.commands import tables
    from eyehand.agent.summary import shown_name

    ceilings = [task.ceiling for task in evaluation.tasks]
    shown = any(ceilings)
    table = tables.table("task", "rate", *(["ceiling"] if shown else []), "solved", "faults")
    for task, ceiling in zip(evaluation.tasks, ceilings, strict=True):
        rate = task.rate
        cells = [shown_name(task.task), str(rate)]
        if shown:
            cells.append(ceiling.beside(rate) if ceiling else "")
        solved = f"{rate.successes} of {rate.trials}"
        table.add_row(*cells, solved, str(task.environment_faults))
    tables.console().print(table)
