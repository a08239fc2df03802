"""The engine's benchmark: all sides play one conversation, and the exact ones write the same."""

import json

import pytest
from benchmarks.__main__ import make_parser

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


def test_at_once_and_in_turn_write_the_same_and_the_parts_add_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["engine", "--together", "2", "--screen", "56x56", "--steps", "1"]
    assert main([*asked, "--json"], make_parser) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["unequal_answers"] == 0
    assert list(document["cpu_s"]) == ["one after the other", "at once"]
    for (lap,) in document["cpu_s"].values():
        assert all(lap[part] > 0 for part in ("preprocess", "vision", "prefill", "decode"))
        assert sum(lap.values()) == pytest.approx(2 * lap["total"])
    assert main(asked, make_parser) == 0
    assert "2 conversations, 30 tokens" in capsys.readouterr().out
