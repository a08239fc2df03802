"""The pages: self-contained, escaped, with what was touched drawn where it was."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyehand.actions import Action, Point
from eyehand.actions.web import Click, Drag, Reload
from eyehand.agent.outcome import Outcome
from eyehand.agent.report import write_report
from eyehand.agent.trajectory.records import (
    ActionRecord,
    EpisodeRecord,
    ErrorRecord,
    OutcomeRecord,
    StepRecord,
)
from eyehand.agent.trajectory.writer import TrajectoryWriter
from eyehand.envs.env import Observation, ScreenGeometry
from eyehand.errors import UsageError

ReadPage = Callable[[str], Any]
"""The fixture `read_page`."""

HOSTILE = "</script><script>alert('x')</script><img src=https://example.org/x onerror=y> \ud83d"


def write_episode(
    folder: Path,
    action: Action | None,
    size: tuple[int, int] = (210, 160),
    spec: str = "web:https://example.org",
) -> None:
    height, width = size
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 12, size=(height, width, 3), dtype=np.uint8) * 20
    seen = Observation(pixels, ScreenGeometry("s", width, height, width, height))
    with TrajectoryWriter(folder) as writer:
        writer.write(
            EpisodeRecord(
                eyehand="0.1.0",
                started_at="2026-01-01T00:00:00+00:00",
                task=HOSTILE,
                spec=spec,
                seed=None,
                policy={"name": "model", "model": HOSTILE},
                max_steps=3,
            )
        )
        screen = writer.screen(0, seen)
        writer.write(
            StepRecord(
                index=0,
                screen=screen,
                text=HOSTILE,
                feedback=HOSTILE,
                thought=HOSTILE,
                raw_text=HOSTILE,
                action=ActionRecord.of(action) if action else None,
                error=ErrorRecord(type="Unparsable", message=HOSTILE),
                not_performed=[HOSTILE],
                effect=HOSTILE,
                timings_s={"record": 0.001, "decide": 1.25, "perform": 0.03},
                tokens={"generated": 17},
                details={"reason": HOSTILE},
            )
        )
        writer.write(
            OutcomeRecord(
                outcome=Outcome.CLAIMED, message=HOSTILE, steps=1, seconds=1.3, screen=screen
            )
        )


def test_a_page_needs_no_other_file_and_lets_no_script_in(
    tmp_path: Path, read_page: ReadPage
) -> None:
    write_episode(tmp_path / "e", Reload())
    page = write_report(tmp_path / "e")
    assert page == tmp_path / "e" / "report.html"
    text = page.read_text(encoding="utf-8")
    tags = read_page(text)
    assert tags.names.count("script") == 1
    assert tags.names.count("img") == 2
    assert all(address.startswith(("data:image/", "#")) for address in tags.addresses)
    assert tags.handlers == []
    assert "alert('x')" in tags.words
    assert "default-src 'none'" in text


def test_the_point_that_was_touched_is_drawn_where_it_was(tmp_path: Path) -> None:
    write_episode(tmp_path / "e", Click(point=Point(x=0.25, y=0.5)))
    text = write_report(tmp_path / "e").read_text(encoding="utf-8")
    assert 'viewBox="0 0 160 210"' in text
    assert re.search(r'<circle class="mark" cx="40.0" cy="105.0"', text)


def test_a_drag_is_drawn_as_an_arrow(tmp_path: Path) -> None:
    write_episode(tmp_path / "e", Drag(start=Point(x=0, y=0), end=Point(x=0.5, y=1)))
    text = write_report(tmp_path / "e").read_text(encoding="utf-8")
    assert '<line class="mark" x1="0.0" y1="0.0" x2="80.0" y2="210.0"' in text
    assert "marker-end" in text
    assert '<circle class="mark"' not in text


def test_everything_that_was_recorded_is_there(tmp_path: Path) -> None:
    write_episode(tmp_path / "e", Click(point=Point(x=0.25, y=0.5)))
    text = write_report(tmp_path / "e").read_text(encoding="utf-8")
    for shown in ("claimed", "click(point=(0.250, 0.500))", "Unparsable", "1.25 s", "30 ms", "17"):
        assert shown in text


def test_an_episode_on_the_simulated_phone_says_so(tmp_path: Path, read_page: ReadPage) -> None:
    write_episode(tmp_path / "phone", None, spec="phone:set-alarm")
    write_episode(tmp_path / "page", None)
    assert "simulated" in read_page(write_report(tmp_path / "phone").read_text("utf-8")).words
    assert "simulated" not in read_page(write_report(tmp_path / "page").read_text("utf-8")).words


def test_large_screens_are_embedded_small(tmp_path: Path) -> None:
    write_episode(tmp_path / "e", Reload(), size=(728, 1288))
    text = write_report(tmp_path / "e").read_text(encoding="utf-8")
    assert "data:image/webp" in text
    assert len(text) < 2 * (tmp_path / "e" / "screens" / "000.png").stat().st_size


def test_a_missing_picture_does_not_stop_the_page(tmp_path: Path) -> None:
    write_episode(tmp_path / "e", Reload())
    (tmp_path / "e" / "screens" / "000.png").unlink()
    assert "No picture" in write_report(tmp_path / "e").read_text(encoding="utf-8")


def test_an_episode_without_an_end_is_shown_as_far_as_it_went(tmp_path: Path) -> None:
    write_episode(tmp_path / "e", Reload())
    path = tmp_path / "e" / "episode.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    text = write_report(tmp_path / "e").read_text(encoding="utf-8")
    assert "no outcome was recorded" in text
    assert "a partial last line was ignored" in text


def test_a_folder_without_an_episode_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no episode"):
        write_report(tmp_path)
