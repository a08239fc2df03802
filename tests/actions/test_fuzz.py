"""The fuzzer: a small run of it, and that it notices what does not hold."""

import json

import pytest
from benchmarks.fuzz import codecs as fuzz
from benchmarks.fuzz.codec_inputs import AnswerGenerator

from eyehand.actions import ActionSpace, Coordinates
from eyehand.actions.codecs import Parsed
from eyehand.actions.codecs.keyword import KeywordCodec
from eyehand.actions.web import Back, Click
from eyehand.errors import Unparsable

OUTCOMES = ("action", "Unparsable", "UnknownAction", "InvalidArgument", "OutOfRange")


def test_the_fuzzer_finds_nothing() -> None:
    report = fuzz.fuzz(20_000, seed=7)
    assert report.violations == []
    assert sum(report.outcomes.values()) == 20_000
    for outcome in OUTCOMES:
        assert report.outcomes[outcome] > 20, outcome
    assert report.with_further_calls > 100


def test_a_seed_fixes_every_input() -> None:
    first, again, other = (fuzz.fuzz(500, seed=seed) for seed in (1, 1, 2))
    assert first.by_codec == again.by_codec != other.by_codec


def test_the_command_prints_its_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz.main(["--inputs", "50", "--seed", "3"]) == 0
    assert json.loads(capsys.readouterr().out)["inputs"] == 50


def test_a_codec_that_raises_is_a_violation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def parse(
        self: KeywordCodec, text: str, space: ActionSpace, coordinates: Coordinates | None = None
    ) -> Parsed:
        raise RecursionError("too deep")

    monkeypatch.setattr(KeywordCodec, "parse", parse)
    monkeypatch.setattr(AnswerGenerator, "draw", lambda self, codec: "the input")
    assert fuzz.main(["--inputs", "20", "--seed", "0"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert "raised RecursionError: too deep; input 'the input'" in report["violations"][0]


@pytest.mark.parametrize(
    ("parsed", "says"),
    [
        (Parsed(), "not exactly one"),
        (Parsed(action=Back(), error=Unparsable("both")), "not exactly one"),
        (Parsed(action=Back()), "not in the space"),
        (Parsed(error=Unparsable("")), "no message"),
        (Parsed("\ud800", error=Unparsable("x")), "encoded"),
    ],
)
def test_broken_promises_are_named(parsed: Parsed, says: str) -> None:
    assert says in fuzz.broken_promises(parsed, ActionSpace([Click]))[0]
