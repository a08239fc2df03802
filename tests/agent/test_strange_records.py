"""Plans, rows and records that somebody else has written: one line each, or shown all the same."""

from pathlib import Path
from typing import Any

import pytest
from tests.agent.strange import (
    LINE,
    begun,
    episode,
    evaluation,
    first,
    one_line,
    outcome,
    row,
    screen,
    step,
)

from eyehand.agent.cli.main import main
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.agent.trajectory.writer import TrajectoryWriter

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"episodes": 10**12}, "asks for more than 500,000 episodes"),
        ({"episodes": "many"}, "episodes: input should be a valid integer, got 'many'"),
        ({"specs": "cards"}, "specs: input should be a valid list"),
        ({"specs": [["x"]]}, "specs.0: input should be a valid string"),
        ({"first_seed": -1}, "first_seed: "),
        ({"declared": [None, None]}, "declared: "),
        ({"options": {"policy": "random", "trust": True}}, "options that are not known: trust"),
        ({"options": {"policy": "os:system"}}, "names the policy os:system"),
        ({"options": {"policy": "model", "model": "a/b"}}, "names the model a/b"),
        ({"options": {"policy": "model", "model": "http://x/v1"}}, "names the model http://x/v1"),
        ({"options": {"policy": "model", "key_env": "HOME"}}, "names the variable HOME"),
        ({"options": {"policy": "model", "grounder_key_env": "HOME"}}, "--grounder-key-env"),
        ({"options": {"policy": "model", "temperature": "hot"}}, "options.temperature: "),
        ({"policies": [1]}, "policies: "),
        ({"keep": "everything"}, "keep: "),
        ({"max_steps": 0}, "max_steps: "),
    ],
)
def test_a_plan_that_is_none_is_one_line_about_its_field(
    tmp_path: Path, capsys: Capture, changed: dict[str, Any], said: str
) -> None:
    folder = begun(tmp_path / "e", **changed)
    capsys.readouterr()
    assert main(["eval", "--resume", str(folder)]) == 2
    assert said in one_line(capsys)


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "not JSON"),
        (DEEP, "nested deeper than 40"),
        (b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}", "nested deeper than 40"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[1]", "expected a mapping"),
        (b'{"episodes": ' + b"9" * 5000 + b"}", "cannot be read"),
        (b'{"a": 1e999}', "a number that is none"),
        (b" " * 7_000_000, "is larger than"),
    ],
)
def test_a_document_that_is_none_is_one_line(
    tmp_path: Path, capsys: Capture, data: bytes, said: str
) -> None:
    folder = evaluation(tmp_path / "e", row())
    (folder / "plan.json").write_bytes(data)
    for words in (["view", str(folder)], ["eval", "--resume", str(folder)]):
        assert main(words) == 2
        line = one_line(capsys)
        assert said in line
        assert "plan.json" in line


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"index": -1}, "index: "),
        ({"steps": 10**30}, "steps: "),
        ({"tokens": {"a": 10**400}}, "tokens.a: "),
        ({"tokens": {str(n): "x" for n in range(2000)}}, "tokens: expected at most 200 entries"),
        ({"timings_s": {"decide": 1e300}}, "timings_s.decide: "),
        ({"faults": "none"}, "faults: "),
        ({"outcome": "won"}, "'won' is not a valid"),
        ({"spec": 3}, "spec: "),
        ({"folder": ["x"]}, "folder: "),
    ],
)
def test_a_row_that_is_none_is_named_with_its_line(
    tmp_path: Path, capsys: Capture, changed: dict[str, Any], said: str
) -> None:
    folder = evaluation(tmp_path / "e", row(0), {**row(1), **changed})
    for words in (["view"], ["view", "--csv"], ["compare", str(folder)]):
        assert main([*words, str(folder)]) == 2
        line = one_line(capsys)
        assert "episodes.jsonl, line 2: " in line
        assert said in line


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (step(index=-1), "step.index"),
        (step(screen=screen(width_px=0)), "step.screen.width_px"),
        (step(screen=screen(height_px=0)), "step.screen.height_px"),
        (step(screen=screen(device_width=1e999)), "a number that is none"),
        (step(tokens={"a": 10**400}), "step.tokens.a"),
        (step(**{str(n): n for n in range(100_000)}), "at most 200"),
        (step(timings_s={"decide": "x"}), "step.timings_s.decide"),
        ({"type": "verdict"}, "'verdict'"),
        ([], "is not a record"),
        (outcome(outcome="won"), "outcome.outcome"),
    ],
)
def test_a_record_that_is_none_is_named_with_its_line(
    tmp_path: Path, capsys: Capture, line: Any, said: str
) -> None:
    folder = episode(tmp_path / "e", first(), line)
    for words in (["view"], ["view", "--markdown"]):
        assert main([*words, str(folder)]) == 2
        message = one_line(capsys)
        assert "episode.jsonl, line 2, is not a record of eyehand" in message
        assert said in message


@pytest.mark.parametrize(
    "odd",
    [
        step(details={"downloads": ["x", 3, None, {"action": "x", "bytes": {}, "file": []}]}),
        step(action={"name": "click", "arguments": {"point": {"x": "a", "y": []}}}),
        step(action={"name": "click", "arguments": {"point": {"x": 10**400, "y": 1}}}),
        step(action={"name": "drag", "arguments": {"start": {"x": 1, "y": 2}, "end": 3}}),
        step(screen=screen(video=["screens/000.png", "../x.png", "screens/none.png"])),
        step(tokens={"x": 2**53}, timings_s={"decide": -1.0}),
        step(text="\ud83d", reward=-1e308),
    ],
)
def test_an_odd_record_is_shown_all_the_same(tmp_path: Path, odd: dict[str, Any]) -> None:
    folder = episode(tmp_path / "e", first(policy={"name": [1]}), odd, outcome())
    assert main(["view", str(folder)]) == 0
    assert main(["view", str(folder), "--markdown"]) == 0


def test_a_torn_line_of_a_stranger_is_still_bounded(tmp_path: Path, capsys: Capture) -> None:
    folder = episode(tmp_path / "e")
    with (folder / "episode.jsonl").open("ab") as file:
        file.write(b"x" * 7_000_000)
    assert main(["view", str(folder)]) == 2
    assert "line 4: it is longer than" in one_line(capsys)


def test_lines_are_written_no_longer_than_they_are_read(tmp_path: Path) -> None:
    words = ["run", "--env", LINE, "--seed", "1", "--policy", "random", "--max-steps", "1"]
    assert main([*words, "--out", str(tmp_path / "e")]) == 0
    kept = read_trajectory(tmp_path / "e")
    with TrajectoryWriter(tmp_path / "again") as writer:
        writer.write(kept.episode)
        large = {"of": ["x" * 100] * 100_000}
        writer.write(kept.steps[0].model_copy(update={"details": large}))
    assert read_trajectory(tmp_path / "again").steps[0].details.keys() == {"left_out"}
