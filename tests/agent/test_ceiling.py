"""Ceilings stand where success rates are read: terminal, tables, page and files."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import pytest

from eyehand.agent.cli.main import main
from eyehand.agent.report import write_report
from eyehand.agent.report.evaluation_charts import ChartMark, Dot, DotRow, dots
from eyehand.agent.results.ceiling import Ceiling, ceiling_of, mean_ceiling
from eyehand.agent.results.evaluation_result import read_run
from eyehand.agent.results.statistics import Estimate, Rate
from eyehand.envs.cards import CARD_FACTS

BLACKJACK = "cards:blackjack"

DECLARED = """\
suite: lakes
description: One lake.
tasks:
  - name: lake
    environment: FrozenLake-v1
    instruction: Cross the ice.
    actions: {names: [left, down, right, up]}
    limits: {steps: 5}
    ceiling: 0.25
    ceiling_source: counted
"""


@pytest.fixture(scope="module")
def expert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real evaluation of the expert in two of the card games."""
    return _evaluated(tmp_path_factory.mktemp("ceilings") / "expert", "expert")


@pytest.fixture(scope="module")
def random(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The control's evaluation of the same episodes."""
    return _evaluated(tmp_path_factory.mktemp("ceilings") / "random", "random")


def _evaluated(out: Path, policy: str) -> Path:
    suite = f"{BLACKJACK},cards:points24"
    command = ["eval", suite, "--policy", policy, "--episodes", "30", "--keep", "none"]
    assert main([*command, "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize(
    ("ceiling", "measured", "standing"),
    [
        (1.0, Rate(30, 30), "in the interval"),
        (1.0, Rate(29, 30), "not reached"),
        (0.4316, Rate(13, 30), "in the interval"),
        (0.4316, Rate(0, 30), "not reached"),
        (0.4316, Rate(30, 30), "exceeded"),
        (0.0, Rate(0, 30), "in the interval"),
        (0.5, Rate(0, 0), ""),
        (0.5, Estimate(0.4, 0.3, 0.45), "not reached"),
        (0.5, Estimate(0.4), ""),
        (0.5, None, ""),
    ],
)
def test_where_a_ceiling_lies_to_an_interval(
    ceiling: float, measured: Rate | Estimate | None, standing: str
) -> None:
    assert Ceiling(ceiling).standing(measured) == standing


def test_a_ceiling_is_written_with_as_many_digits_as_it_has() -> None:
    shown = [str(Ceiling(value)) for value in (1.0, 0.4316, 0.7, 0.0)]
    assert shown == ["100%", "43.2%", "70%", "0%"]


def test_a_task_with_options_has_no_known_ceiling() -> None:
    assert ceiling_of(BLACKJACK) is not None
    assert ceiling_of(f"{BLACKJACK}?deck=2") is None
    assert ceiling_of("miniwob:click-tab") is None
    assert ceiling_of("web:https://example.org") is None


def test_the_mean_of_ceilings_needs_them_all() -> None:
    known = {"a": Ceiling(1.0), "b": Ceiling(0.5)}
    mean = mean_ceiling(known, ["a", "b"])
    assert mean is not None
    assert mean.value == 0.75
    assert mean_ceiling(known, ["a", "b", "c"]) is None
    assert mean_ceiling({}, []) is None


def test_the_terminal_and_the_summary_name_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["eval", "cards:ez-points", "--episodes", "3", "--keep", "none", "--policy"]
    assert main([*command, "expert", "--out", str(tmp_path / "e")]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["task", "rate", "ceiling", "solved", "faults"]
    assert "100%, in the interval" in table[1]
    assert "3 of 3" in table[1]
    (task,) = json.loads((tmp_path / "e" / "evaluation.json").read_text())["tasks"]
    assert task["ceiling"] == CARD_FACTS["ez-points"].ceiling
    assert task["ceiling_source"] == CARD_FACTS["ez-points"].ceiling_source


def test_where_none_is_known_there_is_no_column_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lakes.yaml").write_text(DECLARED.partition("    ceiling:")[0])
    command = ["eval", str(tmp_path / "lakes.yaml"), "--policy", "random", "--episodes", "2"]
    assert main([*command, "--keep", "none", "--out", str(tmp_path / "e")]) == 0
    assert "ceiling" not in capsys.readouterr().out
    (task,) = json.loads((tmp_path / "e" / "evaluation.json").read_text())["tasks"]
    assert (task["ceiling"], task["ceiling_source"]) == (None, "")
    assert main(["view", str(tmp_path / "e"), "--markdown"]) == 0
    assert "ceiling" not in capsys.readouterr().out
    page = write_report(tmp_path / "e").read_text(encoding="utf-8")
    assert "ceiling</span>" not in page
    assert "<th>ceiling</th>" not in page


def test_the_ceiling_that_held_stays_when_the_declaration_has_gone(tmp_path: Path) -> None:
    suite = tmp_path / "lakes.yaml"
    suite.write_text(DECLARED)
    command = ["eval", str(suite), "--policy", "random", "--episodes", "2", "--keep", "none"]
    assert main([*command, "--out", str(tmp_path / "e")]) == 0
    suite.unlink()
    assert list(read_run(tmp_path / "e").ceilings.values()) == [Ceiling(0.25, "counted")]
    (tmp_path / "e" / "evaluation.json").unlink()
    assert read_run(tmp_path / "e").ceilings == {}


def test_the_tables_to_paste_and_to_compute_on_name_them(
    expert: Path, random: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["view", str(expert), "--beside", str(random), "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("| above random | ceiling | bad answers | faults |")
    assert "| 43.2%, in the interval |" in lines[2]
    assert "| 58.1%, in the interval |" in lines[4]
    assert CARD_FACTS["blackjack"].ceiling_source in lines[-1]
    assert main(["view", str(random), "--markdown"]) == 0
    assert "73.1%, not reached" in capsys.readouterr().out
    assert main(["view", str(expert), "--csv"]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(line["ceiling"]) for line in table] == [0.4316, 0.7309]
    assert table[1]["ceiling_source"] == CARD_FACTS["points24"].ceiling_source


def test_the_page_marks_them_in_its_plot_and_says_where_they_are_from(
    expert: Path, random: Path, tmp_path: Path
) -> None:
    page = write_report(expert, tmp_path / "two.html", [random]).read_text(encoding="utf-8")
    marks = re.findall(r'<g class="ceiling"><title>([^<]+)</title>', page)
    assert len(marks) == 2
    assert any(mark.startswith("cards:blackjack: ceiling 43.2%, the win prob") for mark in marks)
    assert page.count("ceiling not reached</div>") == 1
    assert page.count("ceiling in the interval</div>") == 3
    assert "<br>73.1% (cards:points24): the share of the deals" in page


def test_a_plots_ceiling_stands_at_its_rate() -> None:
    plot = dots([DotRow("a", [Dot(0.5, 0.25, 0.75, "x")], ChartMark(0.75, "c"))])
    (x,) = re.findall(r'<g class="ceiling">.*?x1="([\d.]+)"', plot)
    (end,) = re.findall(r'x2="([\d.]+)" y1="[\d.]+" y2="[\d.]+" class="whisker"', plot)
    assert x == end


def test_a_page_of_an_older_evaluation_looks_them_up(expert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "older"
    shutil.copytree(expert, folder)
    document = json.loads((folder / "evaluation.json").read_text())
    for task in document["tasks"]:
        del task["ceiling"], task["ceiling_source"]
    (folder / "evaluation.json").write_text(json.dumps(document))
    assert read_run(folder).ceilings == read_run(expert).ceilings != {}
