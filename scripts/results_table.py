"""Render evaluations as one Markdown table: the model beside the random policy and a blind control.

Usage: python scripts/results_table.py model.json random.json blind.json > table.md
Each file is what `eyehand eval SUITE --json` printed for the same tasks and seeds.
"""

import json
import sys
from pathlib import Path
from typing import Any


def rows_of(path: str) -> dict[str, dict[str, Any]]:
    """Return the rows of an evaluation by task."""
    evaluation = json.loads(Path(path).read_text(encoding="utf-8"))
    return {row["task"]: row for row in evaluation["tasks"]}


def rate(row: dict[str, Any]) -> str:
    """Return a rate with its interval, in percent."""
    low, high = row["interval"]
    return f"{100 * row['success_rate']:.0f}% [{100 * low:.0f}, {100 * high:.0f}]"


def counts(model: dict[str, Any], controls: list[dict[str, Any]]) -> bool:
    """Return whether the model's interval lies above both controls' intervals."""
    return all(model["interval"][0] > control["interval"][1] for control in controls)


def table(model_file: str, random_file: str, blind_file: str) -> str:
    """Return the table, best task first."""
    model, random, blind = rows_of(model_file), rows_of(random_file), rows_of(blind_file)
    lines = [
        "| task | episodes | model | random | blind | beats both | bad answers | faults |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for task, row in sorted(model.items(), key=lambda item: -item[1]["success_rate"]):
        controls = [random[task], blind[task]]
        above = "yes" if counts(row, controls) else "no"
        bad = sum(row["answer_errors"].values())
        lines.append(
            f"| {task} | {row['episodes']} | {rate(row)} | {rate(random[task])} "
            f"| {rate(blind[task])} | {above} | {bad} | {row['environment_faults']} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(*sys.argv[1:4]))
