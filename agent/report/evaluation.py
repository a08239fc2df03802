"""The page of an evaluation: what it came to, and every episode to open, failures first."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from markupsafe import Markup

from eyehand.agent.outcome import Outcome
from eyehand.agent.report.evaluation_charts import (
    Bar,
    ChartMark,
    Dot,
    DotRow,
    dots,
    histogram,
    stacked,
)
from eyehand.agent.report.evaluation_scales import three_digits
from eyehand.agent.report.evaluation_tables import ceiling_lines, column_names, number, percent
from eyehand.agent.report.pages import (
    EVALUATION_STYLES,
    TONES,
    href,
    templates,
    write_episode_page,
    write_page,
    written_by_us,
)
from eyehand.agent.results.ceiling import Ceiling
from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.agent.results.evaluation_result import EvaluationResult, read_runs
from eyehand.agent.results.statistics import NO_VERDICT, Rate
from eyehand.agent.results.summary import LATENCY_PARTS, Summary, by_spec, is_simulated, shown_name
from eyehand.agent.trajectory.run_folder import RunFolder
from eyehand.agent.trajectory.writer import LINES_FILE
from eyehand.errors import UsageError

MOST_PAGES = 200
"""Pages of episodes that are written unless more are asked for: each holds all its screens."""

MOST_FAILURES = 20
"""Failures in the table at the top; all of them are among the episodes below it."""

PAGE = "report.html"
SLOWEST = 12
"""Tasks in the plot of the time a step."""


@dataclass(frozen=True)
class EpisodeLink:
    """An episode on the page; `href` is empty where it has no page of its own."""

    row: EpisodeResult
    href: str

    @property
    def name(self) -> str:
        """The spec; a phone's says that it is simulated."""
        return shown_name(self.row.spec)

    @property
    def label(self) -> str:
        """The outcome in words."""
        return Outcome(self.row.outcome).label

    @property
    def tone(self) -> str:
        """How it is coloured."""
        return TONES.get(Outcome(self.row.outcome), "bad")

    @property
    def title(self) -> str:
        """What is said of it where the pointer rests."""
        return f"{self.label}, {self.row.steps} steps, reward {self.row.reward:g}"


@dataclass(frozen=True)
class TaskView:
    """A task's row in the table."""

    summary: Summary
    beside: list[Rate | None]
    episodes: list[EpisodeLink]
    ceiling: Ceiling | None

    @property
    def name(self) -> str:
        """The spec; a phone's says that it is simulated."""
        return shown_name(self.summary.name)

    @property
    def solved(self) -> str:
        """How many episodes succeeded: "3 of 5 solved", or how many there are without a verdict."""
        rate = self.summary.rate
        if rate.unjudged:
            return f"{rate.unjudged} episodes, {NO_VERDICT}"
        return f"{rate.successes} of {rate.trials} solved"


def write_evaluation_page(
    folder: Path,
    place: RunFolder,
    name: str,
    beside: Sequence[Path] = (),
    pages: int = MOST_PAGES,
) -> Path:
    """Write an evaluation's page, and pages of its episodes, failures first.

    A page that is younger than its episode is left as it is.

    Args:
        folder: The evaluation.
        place: The folder of the page.
        name: The page's name in it.
        beside: Evaluations of other policies, to stand beside it in tables and plots.
        pages: Most pages of episodes to write.

    Raises:
        UsageError: a folder holds no readable evaluation.
        RecordingFailed: a page cannot be written.
    """
    run, *others = read_runs([folder, *beside])
    links = _links(run, place.path / name, pages)
    page = templates().get_template("evaluation.html.j2")
    view = evaluation_view(run, others, links)
    return write_page(place, name, page.render(styles=EVALUATION_STYLES, **view))


def evaluation_view(
    run: EvaluationResult, others: Sequence[EvaluationResult], links: Sequence[EpisodeLink]
) -> dict[str, Any]:
    """Return what the template shows.

    Args:
        run: The evaluation.
        others: Those beside it.
        links: Its episodes, failures first.
    """
    runs = [run, *others]
    tasks = _task_views(run, others, links)
    unjudged = {task.name for task in run.tasks if task.rate.unjudged}
    failures = [
        link
        for link in links
        if link.row.scored and not link.row.succeeded and link.row.spec not in unjudged
    ]
    return {
        "run": run,
        "names": column_names(runs),
        "runs": runs,
        "tasks": tasks,
        "simulated": any(is_simulated(row.spec) for row in run.rows),
        "judged": sum(not task.rate.unjudged for task in run.tasks),
        "failures": _spread(failures)[:MOST_FAILURES],
        "failure_count": len(failures),
        "solved_count": sum(link.row.succeeded for link in links),
        "left_out": len(run.rows) - len(run.counted),
        "fault_kinds": _fault_kinds(run.rows),
        "faulty": [link for link in links if link.row.faults],
        "rates": _rates_plot(tasks) if tasks else "",
        "ceiling_lines": ceiling_lines(run.ceilings),
        "steps": histogram([(row.steps, row.succeeded) for row in run.counted if row.scored]),
        "latency": _latency_plot(run, others),
        "latency_parts": LATENCY_PARTS,
        "percent": percent,
        "number": number,
    }


def _links(run: EvaluationResult, out: Path, pages: int) -> list[EpisodeLink]:
    """Return all episodes, those that failed first, and write the pages of the first ones."""
    worst_first = sorted(run.rows, key=lambda row: (row.succeeded, row.index))
    with_page = {row.index for row in _spread_rows(worst_first)[:pages]}
    links = []
    for row in worst_first:
        page = _episode_page(run.folder, row, write=row.index in with_page)
        links.append(EpisodeLink(row, href(page, out) if page else ""))
    return links


def _episode_page(folder: Path | None, row: EpisodeResult, write: bool) -> Path | None:
    """Return the page of an episode where it has one, or gets one now."""
    if folder is None or row.folder is None:
        return None
    try:
        place = RunFolder(folder, row.folder)
        lines, page = place.status(LINES_FILE), place.status(PAGE)
        if lines is None:
            return None  # not kept
        if page and page.st_mtime_ns >= lines.st_mtime_ns and written_by_us(place, PAGE):
            return place.path / PAGE
        return write_episode_page(place, place, PAGE) if write else None
    except (UsageError, OSError):
        return None  # not readable, or not in the folder: it is listed without a page


def _task_views(
    run: EvaluationResult, others: Sequence[EvaluationResult], links: Sequence[EpisodeLink]
) -> list[TaskView]:
    rates = [{task.name: task.rate for task in other.tasks} for other in others]
    episodes: dict[str, list[EpisodeLink]] = {}
    for link in links:
        episodes.setdefault(link.row.spec, []).append(link)
    views = [
        TaskView(
            summary=task,
            beside=[found.get(task.name) for found in rates],
            episodes=episodes.get(task.name, []),
            ceiling=run.ceilings.get(task.name),
        )
        for task in run.tasks
    ]
    return sorted(views, key=lambda view: (view.summary.rate.value is None, _rate_key(view)))


def _rate_key(view: TaskView) -> float:
    return view.summary.rate.value or 0.0


def _rates_plot(tasks: Sequence[TaskView]) -> Markup:
    rows = []
    for view in tasks:
        series = [_dot(rate or Rate(0, 0)) for rate in (view.summary.rate, *view.beside)]
        top = view.ceiling
        said = f"ceiling {top}, {top.source}" if top else ""
        rows.append(DotRow(view.name, series, ChartMark(top.value, said) if top else None))
    return dots(rows)


def _dot(rate: Rate) -> Dot:
    said = f"{rate.episodes} episodes" if rate.unjudged else f"{rate.successes} of {rate.trials}"
    return Dot(rate.value, *rate.interval, said=f"{rate}, {said}")


def _latency_plot(run: EvaluationResult, others: Sequence[EvaluationResult]) -> Markup:
    """Draw the time a step: of every run, then of the run's slowest tasks."""
    runs = [run, *others]
    summaries = [(name, one.summary) for name, one in zip(column_names(runs), runs, strict=True)]
    if len(run.tasks) > 1:
        slowest = sorted(run.tasks, key=lambda task: -sum(_parts_ms(task).values()))
        summaries += [(shown_name(task.name), task) for task in slowest[:SLOWEST]]
    bars = [
        Bar(name, parts, ", ".join(f"{part} {three_digits(ms)} ms" for part, ms in parts.items()))
        for name, summary in summaries
        if (parts := _parts_ms(summary))
    ]
    return stacked(bars, "ms") if bars else Markup("")


def _parts_ms(summary: Summary) -> dict[str, float]:
    found = summary.latency_s
    return {part: 1000 * found[part] for part in LATENCY_PARTS if part in found}


def _fault_kinds(rows: Sequence[EpisodeResult]) -> list[tuple[str, int, str]]:
    """Return each kind of fault, how often it was met and an example's message."""
    met = [fault.partition(": ") for row in rows for fault in row.faults]
    examples = {kind: message for kind, _, message in reversed(met)}
    counts = Counter(kind for kind, _, _ in met)
    return [(kind, count, examples[kind]) for kind, count in counts.most_common()]


def _spread(links: Sequence[EpisodeLink]) -> list[EpisodeLink]:
    """Return links in turn from each task, so that one task does not fill the table."""
    order = {row.index: n for n, row in enumerate(_spread_rows([link.row for link in links]))}
    return sorted(links, key=lambda link: order[link.row.index])


def _spread_rows(rows: Sequence[EpisodeResult]) -> list[EpisodeResult]:
    failed = by_spec(row for row in rows if not row.succeeded).values()
    solved = by_spec(row for row in rows if row.succeeded).values()
    turns = chain(chain(*zip_longest(*failed)), chain(*zip_longest(*solved)))
    return [row for row in turns if row is not None]
