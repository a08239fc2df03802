"""Suites that judge nothing: "no verdict" and the mean reward, and never a rate of 0%."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eyehand.agent.cli.main import main
from eyehand.agent.results.compare import compare
from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.agent.results.evaluation_result import read_run
from eyehand.agent.results.summary import rate_of

SUITE = """suite: both
tasks:
  - {name: swing, environment: Pendulum-v1, instruction: Swing., limits: {steps: 3}}
  - {name: lake, environment: FrozenLake-v1, instruction: Walk., limits: {steps: 40}}
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an evaluation of a task without a success rule, and of one with a verdict."""
    folder = tmp_path_factory.mktemp("both")
    (folder / "both.yaml").write_text(SUITE)
    for name, suite in (("both", "both.yaml"), ("swing", "swing.yaml")):
        text = SUITE if name == "both" else "\n".join(SUITE.splitlines()[:3])
        (folder / suite).write_text(text)
        words = ["--policy", "random", "--episodes", "4", "--out", str(folder / name)]
        assert main(["eval", str(folder / suite), *words]) == 0
    return folder


def test_the_document_says_null_and_counts_the_episodes(both: Path) -> None:
    swing, lake = json.loads((both / "both" / "evaluation.json").read_text())["tasks"]
    assert (swing["judged"], swing["success_rate"], swing["interval"]) == (False, None, None)
    assert swing["episodes"] == 4
    assert swing["mean_reward"]["value"] < 0
    assert (lake["judged"], lake["episodes"]) == (True, 4)
    assert lake["success_rate"] is not None
    alone = json.loads((both / "swing" / "evaluation.json").read_text())
    assert alone["success_rate"] is None


def test_the_table_has_the_mean_reward_and_an_overall_row(
    both: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["eval", str(both / "both.yaml"), "--resume", str(both / "both")]) == 0
    head, swing, lake, overall = capsys.readouterr().out.splitlines()
    assert head.split() == ["task", "rate", "solved", "mean", "reward", "faults"]
    assert "no verdict" in swing
    assert "%" not in swing
    assert "4 not judged" in swing
    assert "%" in lake
    assert overall.startswith("all 2 tasks")
    assert "4, 4 not judged" in overall


def test_one_task_needs_no_overall_row(
    both: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["eval", str(both / "swing.yaml"), "--resume", str(both / "swing")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_markdown_and_csv_say_the_same(both: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", str(both / "both"), "--markdown"]) == 0
    table = capsys.readouterr().out
    swing = next(line for line in table.splitlines() if "#swing" in line)
    assert "| 4 | no verdict | -" in swing
    assert "A task without a verdict counts in the mean reward only." in table
    assert main(["view", str(both / "swing"), "--csv"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    cells = dict(zip(head.split(","), row.split(","), strict=False))
    assert (cells["episodes"], cells["success_rate"], cells["success_low"]) == ("4", "", "")


def test_the_page_lists_no_failures(both: Path, read_page: Callable[[str], Any]) -> None:
    words = read_page((both / "swing" / "report.html").read_text(encoding="utf-8")).words
    assert "no verdict" in words
    assert "4 episodes, no verdict" in words
    assert "Failures" not in words
    assert "0% [" not in words
    mixed = read_page((both / "both" / "report.html").read_text(encoding="utf-8")).words
    assert "4 episodes of 1 task without a verdict" in mixed


def test_two_runs_are_compared_by_their_rewards(both: Path) -> None:
    rows = read_run(both / "both").rows
    comparison = compare(rows, rows)
    swing, lake = comparison.tasks
    assert (swing.p_value, swing.p_adjusted, swing.success.value) == (None, None, None)
    assert swing.reward.value == 0
    assert (swing.first.episodes, str(swing.first)) == (4, "no verdict")
    assert lake.p_value is not None
    assert (comparison.overall.first.trials, comparison.overall.first.episodes) == (4, 8)


def row(outcome: str, **parts: Any) -> EpisodeResult:
    return EpisodeResult(0, "gym:a", 0, "t", outcome, **parts)


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([row("ended")] * 2, "no verdict"),
        ([row("claimed"), row("step_limit")], "no verdict"),
        ([row("step_limit", gives_verdict=False)], "no verdict"),
        ([row("step_limit", gives_verdict=True)], "0% [0, 79]"),
        ([row("step_limit")], "0% [0, 79]"),  # nobody knows what a verdict would have been
        ([row("claimed"), row("failed", verdict=False)], "0% [0, 66]"),
        ([row("ended"), row("succeeded", verdict=True)], "50% [9, 91]"),
        ([row("environment_fault", gives_verdict=False)], "no episode"),
    ],
)
def test_a_task_has_no_verdict_where_episodes_show_that_and_none_shows_one(
    rows: list[EpisodeResult], shown: str
) -> None:
    assert str(rate_of(rows)) == shown
