"""The step benchmark on our side, in real Chromium, and what it says of an unusable peer."""

import ast
import json
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
from benchmarks.__main__ import make_parser
from benchmarks.browsergym import interpreter as peer
from benchmarks.step.measure import PARTS, Row, play_rounds, ratios
from benchmarks.step.runners import Side, Times

from eyehand.agent.cli.main import main

pytestmark = pytest.mark.usefixtures("browser_ends")


@pytest.fixture
def bare_python(tmp_path: Path) -> str:
    """An interpreter with nothing installed."""
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    return str(tmp_path / "venv" / "bin" / "python")


class Logged(Side):
    """A side whose every step takes the same time; it logs whose turn it was."""

    extracts = "nothing"

    def __init__(self, name: str, ours: bool, step_s: float, log: list[tuple[str, int]]) -> None:
        self.name, self.ours, self.step_s, self.log = name, ours, step_s, log

    def play(self, seed: int, steps: int) -> Times:
        self.log.append((self.name, seed))
        return Times(1.0, [self.step_s] * steps, [{"act": self.step_s}] * steps, (10, 20))


def test_our_side_is_measured_in_chromium(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["step", "--episodes", "1", "--steps", "2", "--json"], make_parser) == 0
    said = capsys.readouterr()
    document: dict[str, Any] = json.loads(said.out)
    assert document["task"] == "click-test-2"
    assert document["peer"] is None
    assert document["ratios"] == []
    assert [row["screen"] for row in document["rows"]] == [[224, 280], [332, 214]]
    for row in document["rows"]:
        assert row["ours"]
        assert 0 < row["step_s"]["low"] <= row["step_s"]["median"] <= row["step_s"]["high"] < 60
        assert 0 < row["reset_s"]["median"] < 60
        assert set(row["parts_s"]) == set(PARTS)
        assert all(row["parts_s"][part] > 0 for part in ("act", "settle", "record"))
        assert row["parts_s"]["capture"] >= 0  # 0 where the early picture was there and held
        assert row["parts_s"]["text"] == 0
        assert sum(row["parts_s"].values()) <= 2 * row["step_s"]["high"]
    assert "--peer-python" in said.err


def test_the_page_can_be_measured_without_its_canvas(capsys: pytest.CaptureFixture[str]) -> None:
    told = ["step", "--episodes", "1", "--steps", "2", "--without-canvas", "--scale", "2"]
    assert main([*told, "--json"], make_parser) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (document["canvas"], document["scale"]) == (False, 2.0)
    assert document["rows"][1]["screen"] == [664, 428]


def test_preprocessing_is_measured_beside_transformers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preprocess", "--screen", "112x84", "--rounds", "1", "--json"], make_parser) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    rows = {(row["side"], row["from"]) for row in document["rows"]}
    assert {("eyehand", "PNG"), ("transformers, Pillow", "PNG")} <= rows
    assert document["largest_difference"]["transformers, Pillow"] == 0


def test_a_table_is_printed_without_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["step", "--task", "click-tab", "--episodes", "1", "--steps", "1"], make_parser) == 0
    )
    printed = capsys.readouterr().out
    assert "miniwob:click-tab" in printed
    for word in ("MiniWobEnvironment", "WebEnvironment", "pixels", *PARTS):
        assert word in printed


def test_a_peer_without_browsergym_is_one_line_and_status_2(
    bare_python: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["step", "--peer-python", bare_python], make_parser) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "no BrowserGym" in said.err
    assert "pip install browsergym-miniwob" in said.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, "no program to run"), ("#!/bin/sh\nexit 3\n", "cannot be used"), ("x", "not start")],
    ids=["missing", "ends at once", "no executable format"],
)
def test_a_peer_that_is_no_interpreter_is_status_2(
    text: str | None, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "python"
    if text is not None:
        program.write_text(text)
        program.chmod(0o755)
    assert main(["step", "--peer-python", str(program)], make_parser) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert expected in said


def test_an_unknown_task_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["step", "--task", "click-tset-2"], make_parser) == 2
    assert "click-test-2" in capsys.readouterr().err


def test_every_second_round_runs_backwards_and_all_sides_share_its_seed() -> None:
    log: list[tuple[str, int]] = []
    sides = [Logged(name, True, 1.0, log) for name in "abc"]
    rows = play_rounds(sides, 2, 3, lambda line: None)
    assert [name for name, _ in log] == [*"abc", *"abc", *"cba"]
    assert len({seed for _, seed in log[3:6]}) == len({seed for _, seed in log[6:]}) == 1
    assert [len(row.episodes) for row in rows] == [2, 2, 2]
    assert all(len(times.step_s) == 3 for row in rows for times in row.episodes)


def test_a_ratio_is_taken_round_by_round() -> None:
    def row(name: str, ours: bool, step_s: list[float]) -> Row:
        episodes = [Times(1.0, [s, s], [{"text": s / 2}] * 2, (1, 1)) for s in step_s]
        return Row(Logged(name, ours, 0.0, []), 1.0, episodes)

    (ratio,) = ratios([row("mine", True, [0.1, 0.2, 0.4]), row("peer", False, [0.3, 0.8, 0.8])])
    assert (ratio["ours"], ratio["peer"]) == ("mine", "peer")
    assert (ratio["median"], ratio["low"], ratio["high"]) == (3.0, 2.0, 4.0)
    assert ratio["without_text"] == {"median": 1.5, "low": 1.0, "high": 2.0}


def test_the_peers_script_needs_nothing_but_the_standard_library() -> None:
    tree = ast.parse(peer.SCRIPT.read_text())
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.partition(".")[0])
    assert imported <= sys.stdlib_module_names
