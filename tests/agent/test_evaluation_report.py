"""The page of an evaluation: self-contained, escaped, failures first, links that lead somewhere."""

import csv
import io
import json
import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from eyehand.agent.cli.main import main
from eyehand.agent.evaluation.evaluate import run_evaluation
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.policies.random import RandomPolicy
from eyehand.agent.report import write_report
from eyehand.agent.report.evaluation_charts import Bar, Dot, DotRow, dots, histogram, stacked
from eyehand.agent.report.evaluation_scales import bins, round_ticks
from eyehand.agent.results.episode_result import EPISODES_FILE, EpisodeResult
from eyehand.agent.results.evaluation_result import read_run
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.errors import UsageError

ReadPage = Callable[[str], Any]
"""The fixture `read_page`."""

HOSTILE = "</script><script>alert('x')</script><img src=https://example.org/x onerror=y>|\n\ud83d"


def row(index: int, solved: bool, spec: str = "miniwob:click-tab", **more: Any) -> EpisodeResult:
    values = {
        "seed": index,
        "task": "Click it",
        "outcome": "succeeded" if solved else "failed",
        "steps": 2,
        "reward": float(solved),
        "timings_s": {"decide": 0.2, "perform": 0.1, "policy.prefill": 0.15},
        **more,
    }
    return EpisodeResult(index=index, spec=spec, **values)


def evaluation(folder: Path, rows: list[EpisodeResult], **about: Any) -> Path:
    folder.mkdir(parents=True)
    lines = "".join(json.dumps(one.to_json()) + "\n" for one in rows)
    (folder / EPISODES_FILE).write_text(lines)
    seeds = {"suite": "tabs", "first_seed": 0, "episodes": len({one.seed for one in rows})}
    (folder / "plan.json").write_text(json.dumps({**seeds, **about}))
    return folder


def page_of(folder: Path, *beside: Path) -> str:
    return write_report(folder, beside=beside).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real evaluation, with its trajectories."""
    out = tmp_path_factory.mktemp("played") / "e"
    plan = Plan("number-line", ["cards:number-line"], 6, 0, out=out)
    run_evaluation(plan, lambda spec: NumberLineEnvironment(), lambda spec: RandomPolicy())
    return out


def test_a_real_evaluations_page_links_to_its_episodes_failures_first(
    played: Path, tmp_path: Path
) -> None:
    page = write_report(played, tmp_path / "index.html")
    run = read_run(played)
    chips = re.findall(r'<div class="chips">(.*?)</div>', page.read_text(encoding="utf-8"))[-1]
    links = re.findall(r'href="([^"]+)" title="([a-z ]+),', chips)
    assert len(links) == 6
    assert all((page.parent / link).is_file() for link, _ in links)
    solved = [label == "succeeded" for _, label in links]
    assert solved == sorted(solved)
    assert sum(solved) == sum(one.succeeded for one in run.rows)
    assert f"{run.summary.rate.successes} of 6 episodes" in page.read_text(encoding="utf-8")


def test_an_episodes_page_is_written_once_and_only_as_many_as_asked(
    played: Path, tmp_path: Path
) -> None:
    for page in played.rglob("report.html"):
        page.unlink()
    write_report(played, tmp_path / "index.html", pages=2)
    pages = sorted(played.rglob("report.html"))
    assert len(pages) == 2
    later_s = 4_000_000_000.0  # a page that is older than its record is written anew
    for page in pages:
        os.utime(page, (later_s, later_s))
    write_report(played, tmp_path / "index.html", pages=2)
    assert [page.stat().st_mtime for page in pages] == [later_s, later_s]


def test_the_page_needs_no_other_file_and_lets_no_script_in(
    tmp_path: Path, read_page: ReadPage
) -> None:
    rows = [
        row(0, False, task=HOSTILE, message=HOSTILE, faults=[f"BrowserCrashed: {HOSTILE}"]),
        row(1, True, spec=f"web:{HOSTILE}"),
    ]
    folder = evaluation(tmp_path / "e", rows, suite=HOSTILE, policy_details={"name": HOSTILE})
    tags = read_page(page_of(folder, folder))
    assert tags.names.count("script") == 1
    assert tags.names.count("img") == 0
    assert tags.addresses == []
    assert tags.handlers == []
    assert "alert('x')" in tags.words


def test_other_policies_stand_beside_it(tmp_path: Path, read_page: ReadPage) -> None:
    model = evaluation(tmp_path / "m", [row(0, True), row(1, True)], policy={"name": "model"})
    other = evaluation(tmp_path / "r", [row(0, False)], policy={"name": "random"})
    words = read_page(page_of(model, other)).words
    assert "Policies" in words
    assert "random" in words
    assert "0% [0, 79]" in words


def test_simulated_faults_and_stops_are_told_apart(tmp_path: Path, read_page: ReadPage) -> None:
    rows = [
        row(0, True, spec="phone:add-contact"),
        row(1, False, spec="phone:add-contact", outcome="environment_fault", faults=["X: y"] * 3),
        row(4, True, spec="phone:add-contact"),
    ]
    folder = evaluation(tmp_path / "e", rows, episodes=5, specs=["phone:add-contact"])
    words = read_page(page_of(folder)).words
    assert "simulated phone" in words
    assert "phone:add-contact (simulated)" in words
    assert "3, 1 episodes lost" in words
    assert "3 of 5 episodes so far" in words
    assert "1 episode behind a missing one is left out" in words
    assert "1 of 1 episodes" in words


def test_parse_failures_are_shown_by_kind(tmp_path: Path, read_page: ReadPage) -> None:
    rows = [row(0, False, steps=8, answer_errors={"unparsable": 1, "out_of_range": 1})]
    words = read_page(page_of(evaluation(tmp_path / "e", rows))).words
    assert "out of range" in words
    assert "12.5% of decisions" in words


def test_an_evaluation_without_an_episode_is_shown(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "e", [], episodes=3, specs=["a:x"])
    assert "0 of 3 episodes so far" in page_of(folder)


def test_plots_are_well_formed_and_hold_their_marks() -> None:
    plot = dots([DotRow("a<b", [Dot(0.5, 0.25, 0.75, "x"), Dot(None, 0, 1, "")])])
    tree = ElementTree.fromstring(plot)
    (circle,) = tree.iter("circle")
    (whisker,) = (line for line in tree.iter("line") if line.get("class") == "whisker")
    low, high = float(whisker.get("x1", "")), float(whisker.get("x2", ""))
    assert float(circle.get("cx", "")) == pytest.approx((low + high) / 2, abs=0.1)
    grid = [float(line.get("x1", "")) for line in tree.iter("line") if line.get("y1") == "0"]
    assert (low, high) == pytest.approx((grid[1], grid[3]), abs=0.1)


def test_a_histograms_columns_are_as_high_as_their_counts() -> None:
    tree = ElementTree.fromstring(histogram([(1, True), (1, True), (3, False), (1, False)]))
    heights = {box.get("class"): float(box.get("height", "")) for box in tree.iter("rect")}
    assert heights["solved"] == pytest.approx(2 * heights["unsolved"], abs=0.2)
    assert "1 steps: 2 succeeded, 1 did not" in "".join(tree.itertext())


def test_bars_are_as_long_as_their_parts() -> None:
    bars = [Bar("one", {"decide": 30.0, "perform": 10.0}, "x"), Bar("two", {"decide": 20.0}, "x")]
    tree = ElementTree.fromstring(stacked(bars, "ms"))
    widths = [float(box.get("width", "")) for box in tree.iter("rect")]
    assert widths == pytest.approx([3 * widths[1], widths[1], 2 * widths[1]], abs=0.1)


def test_seconds_a_step_are_written_without_exponents(tmp_path: Path) -> None:
    timings = {"decide": 7.08, "perform": 0.0006, "policy.prefill": 24_690.0}
    page = page_of(evaluation(tmp_path / "slow", [row(0, True, timings_s=timings)]))
    assert ">3,540</text>" in page
    assert "decide 3,540 ms, perform 0.3 ms" in page
    assert ">12,345,000 ms</td>" in page
    assert "e+0" not in page


@pytest.mark.parametrize("most", [0.0, 0.003, 1.0, 7, 99, 100, 12_345])
def test_ticks_are_round_and_reach_the_largest_value(most: float) -> None:
    ticks = round_ticks(most)
    assert ticks[0] == 0
    assert ticks[-1] >= most
    assert 2 <= len(ticks) <= 6


def test_many_different_lengths_share_bins() -> None:
    found = bins([(n, n % 2 == 0) for n in range(1, 501)])
    assert found.count <= 40
    assert sum(found.totals) == 500


def test_tables_to_paste_and_to_compute_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = evaluation(
        tmp_path / "m",
        [row(0, True, answer_errors={"illegal": 2}), row(1, True, spec="phone:a|b", seed=0)],
        policy={"name": "model"},
    )
    random = evaluation(tmp_path / "r", [row(0, False)], policy={"name": "random"})
    assert main(["view", str(model), "--beside", str(random), "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| task | episodes | model | random | above random |")
    assert lines[2] == ("| miniwob:click-tab | 1 | 100% [21, 100] | 0% [0, 79] | no | 2 | 0 |")
    assert "phone:a\\|b (simulated)" in lines[3]
    assert main(["view", str(model), "--csv"]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [line["task"] for line in table] == ["miniwob:click-tab", "phone:a|b"]
    assert table[0]["answer_errors.illegal"] == "2"
    assert float(table[0]["seconds_per_step.decide"]) == pytest.approx(0.1)


def test_what_is_no_evaluation_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no episode"):
        write_report(tmp_path)
    (tmp_path / EPISODES_FILE).write_text("[]\n")
    with pytest.raises(UsageError, match="line 1"):
        write_report(tmp_path)
    assert main(["view", str(tmp_path), "--markdown", "--open"]) == 2


LONG = "suite:/home/someone/experiments/2026/flows.yaml#add-a-gift-card-and-pay-with-two-cards"


def drawn_names(plot: str) -> list[str]:
    """Every name beside a plot's bars, its lines put together."""
    tree = ElementTree.fromstring(plot)
    texts = [e for e in tree.iter() if e.get("class") == "name"]
    return ["".join(line.text or "" for line in text if line.tag == "tspan") for text in texts]


@pytest.mark.parametrize("runs", [1, 3])
def test_long_names_stand_whole_beside_their_dots(runs: int) -> None:
    names = [LONG, "short", "x" * 200, "phone:set-alarm (simulated)"]
    found = [Dot(0.5, 0.25, 0.75, "x")] * runs
    plot = dots([DotRow(name, found) for name in names])
    assert [n.replace(" ", "") for n in drawn_names(plot)] == [n.replace(" ", "") for n in names]
    _assert_rows_keep_apart(plot)


def test_long_names_stand_whole_beside_their_bars() -> None:
    names = [LONG, "short", "x" * 200]
    plot = stacked([Bar(name, {"decide": 30.0}, "x") for name in names], "ms")
    assert drawn_names(plot) == names
    _assert_rows_keep_apart(plot)


def _assert_rows_keep_apart(plot: str) -> None:
    """No line of a name overlaps another, and all lie inside the plot."""
    tree = ElementTree.fromstring(plot)
    heights = sorted(
        float(line.get("y", "nan"))
        for text in tree.iter()
        if text.get("class") == "name"
        for line in text
        if line.tag == "tspan"
    )
    assert all(after - before >= 12 for before, after in pairwise(heights))
    assert heights[0] >= 10
    assert heights[-1] <= float(tree.get("viewBox", "").split()[3])
