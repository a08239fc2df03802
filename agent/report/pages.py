"""Renders the pages. Everything that a page or a model wrote is escaped; no script comes in."""

import base64
import hashlib
import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from eyehand.agent.ending import word_label
from eyehand.agent.outcome import Outcome
from eyehand.agent.report.evaluation_scales import three_digits
from eyehand.agent.report.screens import Film, ShownScreen, show
from eyehand.agent.results.summary import shown_name
from eyehand.agent.trajectory.reader import Trajectory, read_trajectory
from eyehand.agent.trajectory.records import StepRecord, cut
from eyehand.agent.trajectory.run_folder import RunFolder
from eyehand.agent.trajectory.writer import DOWNLOADS_FOLDER
from eyehand.errors import RecordingFailed

TEMPLATES = Path(__file__).parent / "templates"

SCRIPT = "keys.js"
EPISODE_STYLES = ("style.css",)
EVALUATION_STYLES = ("style.css", "evaluation.css")

MOST_DOWNLOADS = 1_000
"""Downloads that a page lists."""

LONGEST_DETAILS = 100_000

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
    shown: ShownScreen

    @property
    def tone(self) -> str:
        """How the step is coloured: "bad" where its answer or action was refused."""
        if self.record.error is not None:
            return "bad"
        return "good" if self.record.verdict else "plain"


def write_episode_page(folder: Path | RunFolder, place: RunFolder, name: str) -> Path:
    """Write an episode's page.

    Args:
        folder: The episode's.
        place: The folder of the page.
        name: The page's name in it.

    Raises:
        UsageError: the folder holds no readable episode, or the page's place is a link.
        RecordingFailed: the page cannot be written.
    """
    return write_page(place, name, episode_page(read_trajectory(folder)))


def written_by_us(place: RunFolder, name: str) -> bool:
    """Return whether a page begins as an episode's page does, up to the policy for its scripts.

    Behind that nothing but our own script runs, whoever wrote the rest.
    """
    head = episode_head().encode()
    with place.reading(name) as file:
        return file.read(len(head)) == head


@lru_cache(maxsize=1)
def episode_head() -> str:
    """Return the first lines of every episode's page."""
    return str(templates().get_template("head.html.j2").render(styles=EPISODE_STYLES))


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
            styles=EPISODE_STYLES,
            label=outcome.outcome.label if outcome else "no outcome was recorded",
            explanation=outcome.outcome.explanation if outcome else "",
            word_label=word_label(outcome.outcome, trajectory.last_action) if outcome else "",
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
                size=size if isinstance(size := download.get("bytes"), int) else None,
                problem=str(download.get("problem", "")),
                step=acting[int(number) - 1] if known and number is not None else None,
            )
        )
    listed = {view.file for view in views}
    for found, status in trajectory.files.entries(DOWNLOADS_FOLDER):
        name = f"{DOWNLOADS_FOLDER}/{found}"
        if stat.S_ISREG(status.st_mode) and not found.startswith(".") and name not in listed:
            views.append(DownloadView(name, status.st_size, "", None))
    return views[:MOST_DOWNLOADS]


def _recorded_downloads(trajectory: Trajectory) -> list[dict[str, Any]]:
    lists = [step.details.get("downloads") for step in trajectory.steps]
    found = (one for listed in lists if isinstance(listed, list) for one in listed)
    return [one for one in found if isinstance(one, dict)][:MOST_DOWNLOADS]


@lru_cache(maxsize=1)
def templates() -> Environment:
    """Return what renders the templates: everything is escaped, nothing may be missing.

    One for the process: it keeps the templates compiled, which takes longer than a page.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["ms"] = _milliseconds
    environment.filters["pretty"] = _pretty
    environment.filters["percent"] = lambda value: "-" if value is None else f"{100 * value:.0f}%"
    environment.filters["shown"] = shown_name
    environment.filters["three_digits"] = three_digits
    environment.globals |= {"inline": _inline, "content_policy": _content_policy, "script": SCRIPT}
    return environment


def _pretty(value: Any) -> str:
    """Return a record's details as JSON to read; what is very long in one line, and cut."""
    short = json.dumps(value, ensure_ascii=False)
    if len(short) > LONGEST_DETAILS:
        return cut(short, LONGEST_DETAILS)
    return json.dumps(value, indent=2, ensure_ascii=False)


def href(page: Path, from_page: Path) -> str:
    """Return a page's address as a link of another page: relative, and never another scheme."""
    relative = os.path.relpath(page.absolute(), from_page.absolute().parent)
    return "./" + quote(os.fsencode(relative))


def _inline(name: str) -> Markup:
    """Return a style sheet or the script, as it stands in the page."""
    return Markup("\n" + (TEMPLATES / name).read_text(encoding="utf-8"))


def _content_policy(styles: Sequence[str]) -> Markup:
    """Return what a page may do: show pictures that are in it, and run the one script of ours."""
    sheets = " ".join(_hash(name) for name in styles)
    policy = "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            f"style-src {sheets}",
            f"style-src-elem {sheets}",
            "style-src-attr 'unsafe-inline'",  # widths of bars, which are numbers of ours
            f"script-src {_hash(SCRIPT)}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return Markup(policy)


def _hash(name: str) -> str:
    digest = hashlib.sha256(str(_inline(name)).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _milliseconds(seconds: float) -> str:
    """Return such as "36 ms" or "1.24 s"."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def write_page(place: RunFolder, name: str, page: str) -> Path:
    """Write a page whole: a disk that is full leaves none rather than half of one.

    Raises:
        UsageError: the folder's place is a link.
        RecordingFailed: the disk does not take it.
    """
    try:
        place.make()
        # A page's text may hold lone surrogates, which UTF-8 cannot: they become "?".
        place.write(name, page.encode("utf-8", errors="replace"))
    except OSError as error:
        path = place.path / name
        raise RecordingFailed(f"cannot write the report {path}: {error.strerror}") from error
    return place.path / name
