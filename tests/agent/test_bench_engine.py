"""The benchmarks of the engine: sides that play one conversation, and that load one folder."""

import json
from pathlib import Path

import pytest
from benchmarks.__main__ import make_parser
from benchmarks.tables import print_fitting

from eyehand.agent.cli.main import main


def test_all_sides_are_measured_and_the_exact_ones_agree(
    capsys: pytest.CaptureFixture[str],
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
    assert main(asked[:-1], make_parser) == 0
    assert "12M parameters, 56x56" in capsys.readouterr().out


def test_a_folder_is_written_loaded_on_every_side_and_removed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = ["fitting", "--screen", "56x56", "--at", str(tmp_path), "--json"]
    assert main(asked, make_parser) == 0
    assert not list(tmp_path.iterdir())
    document = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in document["rows"]}
    assert list(rows) == ["eyehand, int4", "eyehand, bfloat16", "transformers, bfloat16"]
    plain, theirs = rows["eyehand, bfloat16"], rows["transformers, bfloat16"]
    assert plain["answer"] == theirs["answer"]
    assert plain["weight_bytes"] == theirs["weight_bytes"] == 2 * document["parameters"]
    assert rows["eyehand, int4"]["weight_bytes"] < 0.45 * plain["weight_bytes"]
    assert all(row["peak_bytes"] >= row["loaded_peak_bytes"] > 0 for row in rows.values())
    print_fitting(document)
    assert "0.01 billion parameters, one screen of 56x56" in capsys.readouterr().out
