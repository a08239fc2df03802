"""Live progress in the terminal, on standard error; standard output stays for results."""

import time
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.status import Status
from rich.text import Text

from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.outcome import Outcome
from eyehand.agent.printable import printable
from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.agent.results.statistics import Rate
from eyehand.agent.results.summary import rate_of, total_rate
from eyehand.agent.trajectory.records import AnyRecord, EpisodeRecord, StepRecord

LONGEST_SHOWN = 400

OUTCOME_STYLES = {
    Outcome.SUCCEEDED: "bold green",
    Outcome.CLAIMED: "green",
    Outcome.ENVIRONMENT_FAULT: "bold yellow",
    Outcome.STOPPED: "yellow",
}


def console() -> Console:
    """Return the console on standard error."""
    return Console(stderr=True, highlight=False)


class EpisodeProgress:
    """Prints each step of an episode as it happens; a `Watch`.

    Args:
        out: Where; standard error by default.
    """

    def __init__(self, out: Console | None = None) -> None:
        self._console = out or console()
        self._status: Status | None = None

    def __call__(self, record: AnyRecord) -> None:
        """Show a record."""
        if isinstance(record, EpisodeRecord):
            self._begin(record)
        elif isinstance(record, StepRecord):
            self._step(record)
        else:
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the spinner away."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _begin(self, record: EpisodeRecord) -> None:
        self._console.print(
            Text(printable(record.task or record.spec, LONGEST_SHOWN), style="bold")
        )
        if record.unused_task:
            note = (
                f"{record.spec} sets its own task; the one that was given is not used: "
                f"{record.unused_task}"
            )
            self._console.print(Text(printable(note, LONGEST_SHOWN), style="yellow"))
        if self._console.is_terminal:
            self._status = self._console.status("looking at the screen")
            self._status.start()

    def _step(self, record: StepRecord) -> None:
        lead = f"{record.index:>3}  "
        if record.thought:
            thought = printable(record.thought, LONGEST_SHOWN)
            self._console.print(Text.assemble(lead, (thought, "italic dim")))
            lead = "     "
        seconds = sum(record.timings_s.values())
        action = record.action
        shown = printable(action.shown, LONGEST_SHOWN) if action else "no valid action"
        style = "bold" if action else "red"
        self._console.print(Text.assemble(lead, (shown, style), (f"  {seconds:.2f} s", "dim")))
        for text, colour in (
            (record.effect if record.effect != shown else "", "green"),
            (record.error.message if record.error else "", "red"),
        ):
            if text:
                said = printable(text, LONGEST_SHOWN)
                self._console.print(Text.assemble("     ", (said, colour)))


class EvaluationProgress:
    """One bar: episodes, the success rate so far with its interval, episodes a minute, time left.

    A task that is complete leaves a line; so a log that is no terminal tells how far it got.
    """

    def __init__(self, out: Console | None = None) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[pace]}"),
            TimeElapsedColumn(),
            console=out or console(),
        )
        self._bar: TaskID | None = None
        self._pace = Pace(0)
        self._plan: Plan | None = None
        self._sum = Rate(0, 0)
        self._rows: dict[str, list[EpisodeResult]] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begins(self, plan: Plan, rows: list[EpisodeResult]) -> None:
        """Show the bar, with what an interrupted run has left."""
        total = len(plan.specs) * plan.episodes
        self._plan, self._pace = plan, Pace(total - len(rows))
        for row in rows:
            self._add(row)
        self._bar = self._progress.add_task(
            printable(plan.suite, 40), total=total, completed=len(rows), rate=self._rate(), pace=""
        )

    def episode_ended(self, row: EpisodeResult) -> None:
        """Move the bar on; say what kept an episode from being counted, and what a task came to."""
        if self._bar is None or self._plan is None:
            return
        self._add(row)
        self._pace.add()
        self._progress.update(self._bar, advance=1, rate=self._rate(), pace=str(self._pace))
        say = self._progress.console.print
        if not row.scored:
            note = f"{row.spec}, seed {row.seed}, is not counted: {row.message}"
            say(Text(printable(note, LONGEST_SHOWN), style="yellow"))
        if len(self._rows[row.spec]) == self._plan.episodes:
            rate = rate_of(self._rows[row.spec])
            say(Text(f"{printable(row.spec, LONGEST_SHOWN)}  {rate}  of {rate.episodes}"))

    def _add(self, row: EpisodeResult) -> None:
        self._rows.setdefault(row.spec, []).append(row)
        self._sum = total_rate([self._sum, rate_of([row])])

    def _rate(self) -> str:
        return str(self._sum) if self._sum.trials else ""


class Pace:
    """How quickly episodes end, and how long the rest will take.

    Args:
        total: Episodes that are to come.
        clock: Seconds that only grow.

    Example:
        >>> pace = Pace(10, clock=iter([0.0, 30.0]).__next__)
        >>> pace.add()
        >>> str(pace)
        '2.0 a minute, 4 min 30 s left'
    """

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._left = total
        self._ended = 0
        self._clock = clock
        self._began_s = clock()

    def add(self) -> None:
        """Count an episode that ended."""
        self._ended += 1
        self._left -= 1

    def __str__(self) -> str:
        """Return such as "41.2 a minute, 3 min 20 s left"; empty before the first episode."""
        seconds = self._clock() - self._began_s
        if not self._ended or seconds <= 0:
            return ""
        left = duration(self._left * seconds / self._ended)
        return f"{60 * self._ended / seconds:.1f} a minute, {left} left"


def duration(seconds: float) -> str:
    """Return seconds in words: "45 s", "3 min 20 s", "2 h 5 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_rest = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_rest} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
