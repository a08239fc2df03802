"""Live progress in the terminal, on standard error; standard output stays for results."""

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

from eyehand.agent.episode import Episode
from eyehand.agent.outcome import Outcome
from eyehand.agent.records import AnyRecord, EpisodeRecord, StepRecord
from eyehand.agent.results import TaskResult

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


def printable(text: str, limit: int = LONGEST_SHOWN) -> str:
    """Return a page's or a model's text without control characters, cut to a bound.

    Terminals act on control sequences, and a page may hold some.
    """
    shown = "".join(c if c.isprintable() else " " for c in text[: limit + 1])
    return shown if len(text) <= limit else shown[:limit] + "..."


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
        self._console.print(Text(printable(record.task or record.spec), style="bold"))
        if record.unused_task:
            note = (
                f"{record.spec} sets its own task; the one that was given is not used: "
                f"{record.unused_task}"
            )
            self._console.print(Text(printable(note), style="yellow"))
        if self._console.is_terminal:
            self._status = self._console.status("looking at the screen")
            self._status.start()

    def _step(self, record: StepRecord) -> None:
        lead = f"{record.index:>3}  "
        if record.thought:
            thought = printable(record.thought)
            self._console.print(Text.assemble(lead, (thought, "italic dim")))
            lead = "     "
        seconds = sum(record.timings_s.values())
        shown = printable(record.action.shown) if record.action else "no valid action"
        style = "bold" if record.action else "red"
        self._console.print(Text.assemble(lead, (shown, style), (f"  {seconds:.2f} s", "dim")))
        for text, colour in (
            (record.effect if record.effect != shown else "", "green"),
            (record.error.message if record.error else "", "red"),
        ):
            if text:
                self._console.print(Text.assemble("     ", (printable(text), colour)))


class EvaluationProgress:
    """A bar a task, with its running success rate."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            console=console(),
        )
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def task_begins(self, spec: str, episodes: int) -> None:
        """Add a bar."""
        self._bars[spec] = self._progress.add_task(printable(spec), total=episodes, rate="")

    def episode_ended(self, spec: str, episode: Episode, result: TaskResult) -> None:
        """Move the bar on; say what kept an episode from being counted."""
        self._progress.update(self._bars[spec], advance=1, rate=str(result.rate))
        if episode.outcome is Outcome.ENVIRONMENT_FAULT:
            note = f"{spec}, seed {episode.seed}, is not counted: {episode.message}"
            self._progress.console.print(Text(printable(note), style="yellow"))
