"""Renders the pages. Everything that a page or a model wrote is escaped; no script comes in."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from eyehand.agent.outcome import Outcome
from eyehand.agent.records import StepRecord
from eyehand.agent.report.screens import Film, Shown, show
from eyehand.agent.summary import shown_name
from eyehand.agent.trajectory import Trajectory, read_trajectory
from eyehand.errors import RecordingFailed

TEMPLATES = Path(__file__).parent / "templates"

TONES = {
    Outcome.SUCCEEDED: "good",
    Outcome.CLAIMED: "plain",
    Outcome.ENVIRONMENT_FAULT: "fault",
    Outcome.STOPPED: "fault",
}
"""How an outcome is coloured; those that are not named are "bad"."""


@dataclass(frozen=True)
class StepView:
    """A step with its picture, for the template."""

    record: StepRecord
    shown: Shown

    @property
    def tone(self) -> str:
        """How the step is coloured: "bad" where its answer or action was refused."""
        if self.record.error is not None:
            return "bad"
        return "good" if self.record.verdict else "plain"


def write_episode_page(folder: Path, out: Path) -> Path:
    """Write an episode's page.

    Raises:
        UsageError: the folder holds no readable episode.
        RecordingFailed: the page cannot be written.
    """
    return write_page(out, episode_page(read_trajectory(folder)))


def episode_page(trajectory: Trajectory) -> str:
    """Return an episode as one HTML page that needs no other file."""
    outcome, film = trajectory.outcome, Film(trajectory)
    steps = [
        StepView(step, show(trajectory, step.screen, step.action, film))
        for step in trajectory.steps
    ]
    last = show(trajectory, outcome.screen, None, film) if outcome and outcome.screen else None
    return (
        templates()
        .get_template("episode.html.j2")
        .render(
            episode=trajectory.episode,
            steps=steps,
            outcome=outcome,
            tone=TONES.get(outcome.outcome, "bad") if outcome else "fault",
            label=outcome.outcome.label if outcome else "no outcome was recorded",
            last=last,
            downloads=downloads_of(trajectory),
            partial_line=trajectory.partial_line,
        )
    )


@dataclass(frozen=True)
class DownloadView:
    """A download, for the template.

    Attributes:
        file: Its path in the episode's folder, or its name where it failed.
        size: Bytes; None where it failed.
        problem: Why it failed.
        step: Index of the step that asked for it; None where no record says so.
    """

    file: str
    size: int | None
    problem: str
    step: int | None


def downloads_of(trajectory: Trajectory) -> list[DownloadView]:
    """Return an episode's downloads: those of the record, then files that came after its end."""
    acting = [step.index for step in trajectory.steps if step.action is not None]
    views = []
    for download in _recorded_downloads(trajectory):
        number = download.get("action")
        known = isinstance(number, int) and 1 <= number <= len(acting)
        views.append(
            DownloadView(
                file=str(download.get("file", "")),
                size=download.get("bytes"),
                problem=str(download.get("problem", "")),
                step=acting[int(number) - 1] if known and number is not None else None,
            )
        )
    listed = {view.file for view in views}
    for path in sorted(trajectory.folder.glob("downloads/[!.]*")):
        name = f"downloads/{path.name}"
        if path.is_file() and name not in listed:
            views.append(DownloadView(name, path.stat().st_size, "", None))
    return views


def _recorded_downloads(trajectory: Trajectory) -> list[dict[str, Any]]:
    lists = [step.details.get("downloads") for step in trajectory.steps]
    return [one for listed in lists if isinstance(listed, list) for one in listed]


def templates() -> Environment:
    """Return what renders the templates: everything is escaped, nothing may be missing."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["ms"] = _milliseconds
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False)
    environment.filters["percent"] = lambda value: "-" if value is None else f"{100 * value:.0f}%"
    environment.filters["shown"] = shown_name
    return environment


def _milliseconds(seconds: float) -> str:
    """Return such as "36 ms" or "1.24 s"."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def write_page(out: Path, page: str) -> Path:
    """Write a page whole: a disk that is full leaves none rather than half of one.

    Raises:
        RecordingFailed: the disk does not take it.
    """
    partial = out.with_name(out.name + ".partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # A page's text may hold lone surrogates, which UTF-8 cannot: they become "?".
        partial.write_bytes(page.encode("utf-8", errors="replace"))
        partial.replace(out)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise RecordingFailed(f"cannot write the report {out}: {error.strerror}") from error
    return out
