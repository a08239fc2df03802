"""The benchmarks of the engine: sides that play one conversation, and that load one folder."""

import json
from pathlib import Path

import pytest
import torch
from benchmarks.__main__ import make_parser
from benchmarks.engine import fitting, measure, on_device, one_side, players, together
from benchmarks.engine.floors import PEAKS, floors
from benchmarks.engine.sides import shape
from benchmarks.tables import print_fitting, print_on_device

from eyehand.agent.cli.main import main


def test_all_sides_are_measured_and_the_exact_ones_agree(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["engine", "--screen", "56x56", "--steps", "3", "--json"]
    assert main(asked, make_parser) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["unequal_answers"] == 0
    assert {name: len(times) for name, times in document["cpu_s"].items()} == {
        "eyehand, full": 3,
        "eyehand, evict": 3,
        "eyehand, window:2": 3,
        "transformers, cache kept": 3,
        "transformers, from scratch": 3,
    }
    assert all(seconds > 0 for times in document["cpu_s"].values() for seconds in times)
    # What was measured once is printed as a table.
    monkeypatch.setattr(measure, "bench_engine", lambda *asked: document)
    assert main(asked[:-1], make_parser) == 0
    assert "12M parameters, 56x56" in capsys.readouterr().out


def test_late_steps_are_computed_from_scratch_with_the_answers_before_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "MOST_SCRATCH_S", 0.0)
    assert main(["engine", "--side", "mlx", "--json"], make_parser) == 2
    assert "expected a word of eyehand, full; " in capsys.readouterr().err
    asked = ["engine", "--screen", "56x56", "--steps", "4", "--side", "transformers"]
    assert main([*asked, "--scratch-at", "4", "--json"], make_parser) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document["cpu_s"]) == ["transformers, cache kept", "transformers, from scratch"]
    took_s = document["cpu_s"]["transformers, from scratch"]
    assert [second is None for second in took_s] == [False, True, True, False]
    assert document["unequal_answers"] == 0  # the fourth answer follows from all four screens
    monkeypatch.setattr(measure, "bench_engine", lambda *asked: document)
    assert main([*asked, "--scratch-at", "4"], make_parser) == 0
    assert "–" in capsys.readouterr().out


def test_a_folder_is_written_loaded_and_removed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = ["fitting", "--screen", "56x56", "--at", str(tmp_path), "--json", "--side"]
    assert main([*asked, "mlx"], make_parser) == 2
    assert "expected a word of eyehand, int4; eyehand, bfloat16; " in capsys.readouterr().err
    assert main([*asked, "int4"], make_parser) == 0  # one process is enough
    assert not list(tmp_path.iterdir())
    document = json.loads(capsys.readouterr().out)
    (row,) = document["rows"]
    assert row["weight_bytes"] < 0.45 * 2 * document["parameters"]
    assert row["peak_bytes"] >= row["loaded_peak_bytes"] > 0
    assert len(row["answer"]) == fitting.ANSWER
    print_fitting(document)
    assert "0.01 billion parameters, one screen of 56x56" in capsys.readouterr().out


def test_both_plain_sides_load_the_same_weights_and_write_the_same(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    parameters = fitting.write_checkpoint("embedded", tmp_path)
    rows = []
    for side in ("eyehand, bfloat16", "transformers, bfloat16"):
        one_side.main(side, str(tmp_path), "56x56", "2", "3")
        rows.append(json.loads(capsys.readouterr().out))
    assert rows[0]["answer"] == rows[1]["answer"]
    assert [row["weight_bytes"] for row in rows] == [2 * parameters] * 2
    assert all(len(row["steps"]) == 2 for row in rows)


def test_at_once_and_in_turn_write_the_same_and_the_parts_add_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["engine", "--together", "2", "--screen", "56x56", "--steps", "1"]
    assert main([*asked, "--json"], make_parser) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["unequal_answers"] == 0
    assert list(document["cpu_s"]) == ["one after the other", "at once"]
    for (lap,) in document["cpu_s"].values():
        assert all(lap[part] > 0 for part in ("preprocess", "vision", "prefill", "decode"))
        assert sum(lap.values()) == pytest.approx(2 * lap["total"])
    monkeypatch.setattr(together, "bench_together", lambda *asked: document)
    assert main(asked, make_parser) == 0
    assert "2 conversations, 30 tokens" in capsys.readouterr().out


def test_batches_on_a_device_beside_both_forms_of_transformers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(players.Player):
        name = "broken"

        def begin(self, batch: int) -> None:
            raise ImportError("no module\nthat one could find")

        def step(self, screens: object) -> players.Lap:
            raise NotImplementedError

    monkeypatch.setattr(torch, "compile", lambda function, **_: function)  # it takes 20 seconds
    monkeypatch.setattr(on_device, "PLAYERS", (*players.PLAYERS, Broken))
    asked = ["engine", "--device", "cpu", "--screen", "56x56", "--steps", "2", "--batches", "1,2"]
    assert main([*asked, "--tokens", "6", "--json"], make_parser) == 0
    document = json.loads(capsys.readouterr().out)
    rows = document["rows"]
    assert [row["batch"] for row in rows] == [1, 2] * 4
    assert [row.get("error") for row in rows[6:]] == ["no module"] * 2
    for batch in range(2):
        answers = [row["answers"] for row in rows[batch:6:2]]
        assert answers[0] == answers[1] == answers[2]
        assert len(answers[0]) == batch + 1
    assert all(row["ms_step"] > row["ms_token"] > 0 for row in rows[:6])
    print_on_device(document)
    assert "12M parameters, 56x56, 6 tokens an answer" in capsys.readouterr().out


def test_floors_are_those_that_were_reckoned_by_hand() -> None:
    given = {"batch": 1, "patches": 4784, "new": 1196, "held": 3200, "tokens": 60}
    small = floors(shape("2B"), PEAKS["H200"], **given)
    large = floors(shape("7B"), PEAKS["H200"], **given)
    assert [1000 * x["token"] for x in (small, large)] == pytest.approx([0.67, 3.0], rel=0.05)
    assert [1000 * x["step"] for x in (small, large)] == pytest.approx([63, 237], rel=0.12)
