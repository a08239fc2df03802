"""An evaluation, alone or beside others, as a Markdown table to paste and as CSV to compute on."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence

from eyehand.agent.printable import spreadsheet_cell
from eyehand.agent.report.episode_text import plain
from eyehand.agent.results.ceiling import Ceiling
from eyehand.agent.results.compare import Comparison, Difference
from eyehand.agent.results.episodes_csv import MOST_COLUMNS
from eyehand.agent.results.evaluation_result import EvaluationResult
from eyehand.agent.results.statistics import NO_VERDICT, Estimate, Rate
from eyehand.agent.results.summary import Summary, is_simulated, shown_name

CSV_COLUMNS = (
    "policy",
    "task",
    "simulated",
    "episodes",
    "successes",
    "success_rate",
    "success_low",
    "success_high",
    "ceiling",
    "ceiling_source",
    "mean_reward",
    "reward_low",
    "reward_high",
    "mean_steps",
    "median_steps",
    "mean_seconds",
    "decisions",
    "answer_errors",
    "environment_faults",
    "lost",
)
"""The first columns; answer errors, tokens and seconds a step follow, one column a kind."""


MOST_NAMED = 3
"""Tasks that are named where several have a ceiling from the same source."""


def markdown(runs: Sequence[EvaluationResult]) -> str:
    """Return a table: a row a task, a column a run, and the suite's rate below.

    Args:
        runs: The first one is what the table is about; the others stand beside it.
    """
    first, beside = runs[0], runs[1:]
    names = [plain(name) for name in column_names(runs)]
    rates = [{task.name: task.rate for task in run.tasks} for run in beside]
    above = [f"above {' and '.join(names[1:])}"] if beside else []
    ceiling = ["ceiling"] if first.ceilings else []
    reward = ["mean reward"] if _some_unjudged(first) else []
    head = ["task", "episodes", *names, *above, *ceiling, *reward, "bad answers", "faults"]
    rows = [_cells(first, task, [found.get(task.name) for found in rates]) for task in first.tasks]
    if len(first.tasks) > 1:
        rows.append(_suite_cells(first, beside))
    note = "Success rates with 95% intervals; only the environment's own verdict counts."
    if reward:
        note += " A task without a verdict counts in the mean reward only."
    if first.ceilings:
        note += f" Beside a ceiling stands where it lies to the interval of {names[0]}."
        note += "".join(f" {plain(line)}." for line in ceiling_lines(first.ceilings))
    if not all(run.finished for run in runs):
        stopped = [n for n, run in zip(names, runs, strict=True) if not run.finished]
        note += f" Stopped before its end: {', '.join(stopped)}."
    return f"{_table(head, rows)}\n\n{note}\n"


def ceiling_lines(ceilings: Mapping[str, Ceiling]) -> list[str]:
    """Return where the ceilings are from, a line a source: "43.2% (blackjack): by search"."""
    tasks: dict[Ceiling, list[str]] = {}
    for spec, ceiling in ceilings.items():
        tasks.setdefault(ceiling, []).append(shown_name(spec))
    return [
        f"{ceiling} ({', '.join(names[:MOST_NAMED])}"
        f"{f' and {len(names) - MOST_NAMED} more' if len(names) > MOST_NAMED else ''}): "
        f"{ceiling.source or 'the source is not named'}"
        for ceiling, names in tasks.items()
    ]


def comparison_markdown(comparison: Comparison, first: str, second: str) -> str:
    """Return a comparison as a Markdown table.

    Args:
        comparison: What was found.
        first: Name of the first run.
        second: Name of the second.
    """
    head = ["task", "pairs", first, second, "difference", "McNemar p", "Holm p", "reward p"]
    rows = [comparison_cells(task) for task in (*comparison.tasks, comparison.overall)]
    head[2:4] = [plain(first), plain(second)]
    rows = [[plain(name), *cells] for name, *cells in rows]
    return _table(head, rows) + "\n"


def comparison_cells(difference: Difference) -> list[str]:
    """Return a difference as the cells of a table."""
    return [
        shown_name(difference.name),
        str(difference.first.episodes),
        str(difference.first),
        str(difference.second),
        points(difference.success),
        p_value(difference.p_value),
        p_value(difference.p_adjusted),
        p_value(difference.reward_p_value),
    ]


def csv_text(runs: Sequence[EvaluationResult]) -> str:
    """Return a row a task and run, every number in full."""
    rows = [
        {"policy": name, **_flat(summary), **_ceiling_columns(run, summary)}
        for name, run in zip(column_names(runs), runs, strict=True)
        for summary in run.tasks
    ]
    extra = sorted({column for row in rows for column in row} - set(CSV_COLUMNS))
    out = io.StringIO()
    columns = [*CSV_COLUMNS, *extra][:MOST_COLUMNS]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(spreadsheet_cell(name) for name in columns)
    for row in rows:
        writer.writerow(spreadsheet_cell(row.get(name, "")) for name in columns)
    return out.getvalue()


def column_names(runs: Sequence[EvaluationResult]) -> list[str]:
    """Return a name a run: its policy's, with its folder's where two have the same."""
    names = [run.policy_name for run in runs]
    return [
        f"{name} {run.folder.resolve().name}" if run.folder and names.count(name) > 1 else name
        for name, run in zip(names, runs, strict=True)
    ]


def percent(estimate: Estimate) -> str:
    """Return such as "87% [79, 92]"."""
    if estimate.value is None:
        return NO_VERDICT if estimate.method == NO_VERDICT else "no episode"
    return f"{100 * estimate.value:.0f}%{_interval(estimate, _hundredths)}"


def points(estimate: Estimate) -> str:
    """Return a difference of rates in percentage points: "+12 [-3, 27]"."""
    if estimate.value is None:
        return "-"
    return f"{100 * estimate.value:+.0f}{_interval(estimate, _hundredths)}"


def number(estimate: Estimate) -> str:
    """Return such as "0.42 [0.31, 0.55]"."""
    if estimate.value is None:
        return "-"
    return f"{_short(estimate.value)}{_interval(estimate, _short)}"


def p_value(p: float | None) -> str:
    """Return a p-value with as many digits as it deserves."""
    if p is None:
        return "-"
    return f"{p:.1e}" if p < 0.001 else f"{p:.3f}"


def _interval(estimate: Estimate, shown: Callable[[float], str]) -> str:
    """Return " [low, high]"; nothing where there is no interval."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f" [{shown(estimate.low)}, {shown(estimate.high)}]"


def _hundredths(value: float) -> str:
    return f"{100 * value:.0f}"


def _short(value: float) -> str:
    """Return two decimals, or none where there are enough digits before the point."""
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def _cells(run: EvaluationResult, task: Summary, beside: list[Rate | None]) -> list[str]:
    cells = [plain(shown_name(task.name)), str(task.rate.episodes), str(task.rate)]
    cells += [str(rate) if rate else "not run" for rate in beside]
    if beside:
        above = all(rate is not None and task.rate.beats(rate) for rate in beside)
        cells.append("yes" if above else "no")
    cells += _ceiling_cell(run, run.ceilings.get(task.name), task.rate)
    cells += _reward_cell(run, task)
    return [*cells, str(sum(task.answer_errors.values())), _faults(task)]


def _suite_cells(first: EvaluationResult, beside: Sequence[EvaluationResult]) -> list[str]:
    suite = first.summary
    rates = [percent(run.summary.success) for run in (first, *beside)]
    cells = [f"**{plain(suite.name)}** (mean over tasks)", str(suite.rate.episodes), *rates]
    if beside:
        cells.append("")
    cells += _ceiling_cell(first, first.ceiling, suite.success)
    cells += _reward_cell(first, suite)
    return [*cells, str(sum(suite.answer_errors.values())), _faults(suite)]


def _ceiling_cell(
    run: EvaluationResult, ceiling: Ceiling | None, measured: Rate | Estimate
) -> list[str]:
    """Return the cell of the ceiling: none where the run has no ceiling at all."""
    if not run.ceilings:
        return []
    return [ceiling.beside(measured) if ceiling else ""]


def _some_unjudged(run: EvaluationResult) -> bool:
    return run.summary.rate.unjudged > 0


def _reward_cell(run: EvaluationResult, summary: Summary) -> list[str]:
    """Return the cell of the reward: none where every task has a verdict."""
    return [number(summary.reward)] if _some_unjudged(run) else []


def _ceiling_columns(run: EvaluationResult, task: Summary) -> dict[str, object]:
    ceiling = run.ceilings.get(task.name)
    return {"ceiling": ceiling.value, "ceiling_source": ceiling.source} if ceiling else {}


def _faults(summary: Summary) -> str:
    lost = f" ({summary.lost} lost)" if summary.lost else ""
    return f"{summary.faults}{lost}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in cells)} |" for cells in lines)


def _cell(text: str) -> str:
    return " ".join(text.split())


def _flat(summary: Summary) -> dict[str, object]:
    success, reward = summary.success, summary.reward
    row: dict[str, object] = {
        "task": summary.name,
        "simulated": is_simulated(summary.name),
        "episodes": summary.rate.episodes,
        "successes": summary.rate.successes,
        "success_rate": success.value,
        "success_low": success.low,
        "success_high": success.high,
        "mean_reward": reward.value,
        "reward_low": reward.low,
        "reward_high": reward.high,
        "mean_steps": _rounded(summary.mean_steps),
        "median_steps": summary.median_steps,
        "mean_seconds": _rounded(summary.mean_seconds),
        "decisions": summary.decisions,
        "answer_errors": sum(summary.answer_errors.values()),
        "environment_faults": summary.faults,
        "lost": summary.lost,
    }
    row |= {f"answer_errors.{kind}": n for kind, n in summary.answer_errors.items()}
    row |= {f"tokens.{kind}": n for kind, n in summary.tokens.items()}
    return row | {f"seconds_per_step.{part}": s for part, s in summary.latency_s.items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
