"""Offline scoring: hand-computed cases of both rules, symmetry and bounds, the command."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyehand.agent.cli.main import main
from eyehand.agent.scoring import aitz, calls
from eyehand.agent.scoring.aitz import Clicks
from eyehand.agent.scoring.card import ScoringRule, score
from eyehand.agent.scoring.gestures import gesture_of
from eyehand.agent.scoring.recorded import call_of, steps_of_folders
from eyehand.agent.scoring.similarity import similarity
from eyehand.agent.scoring.steps import Box, Call, ScoredStep, read_steps, write_steps
from eyehand.agent.trajectory.records import ActionRecord, EpisodeRecord, StepRecord
from eyehand.agent.trajectory.writer import TrajectoryWriter
from eyehand.envs.env import Observation, ScreenGeometry
from eyehand.errors import UsageError


def call(name: str, **arguments: Any) -> Call:
    return Call(name=name, arguments=arguments)


def exact(prediction: Call, reference: Call, *boxes: Box, clicks: str = "distance") -> bool:
    return aitz.exact_match(gesture_of(prediction), gesture_of(reference), boxes, Clicks(clicks))


share = st.floats(0, 1)
points = st.tuples(share, share)
names = st.sampled_from(["click", "tap", "scroll", "type", "press", "stop", "drag", "press_home"])
arguments = st.dictionaries(
    st.sampled_from(["point", "direction", "text", "key", "box", "start", "end", "n"]),
    st.one_of(
        points.map(list),
        st.sampled_from(["up", "down", "home", "abc", "ab", ""]),
        st.none(),
        st.integers(-3, 3),
        st.dictionaries(st.sampled_from(["x", "y"]), share),
        st.lists(st.floats(), max_size=4),
    ),
    max_size=4,
)
any_call = st.builds(Call, name=names, arguments=arguments)
boxes = st.lists(
    st.tuples(share, share, share, share).map(
        lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
    ),
    max_size=3,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_call, any_call, boxes, st.sampled_from(Clicks))
def test_any_two_calls_can_be_scored_and_exact_implies_type(
    prediction: Call, reference: Call, found: list[Box], clicks: Clicks
) -> None:
    ours, theirs = gesture_of(prediction), gesture_of(reference)
    if aitz.exact_match(ours, theirs, found, clicks):
        assert aitz.type_match(ours, theirs)
    if calls.exact_match(prediction, reference):
        assert calls.type_match(prediction, reference)
    assert not aitz.type_match(None, theirs)
    assert not calls.exact_match(None, reference)


@settings(deadline=None)
@given(points, points, boxes, st.sampled_from(Clicks))
def test_a_click_matches_whichever_of_the_two_is_the_reference(
    first: tuple[float, float], second: tuple[float, float], found: list[Box], clicks: Clicks
) -> None:
    there = aitz.same_place(first, second, found, clicks)
    assert there == aitz.same_place(second, first, found, clicks)
    assert aitz.same_place(first, first, found, clicks)


@pytest.mark.parametrize(
    ("point", "matches"),
    [
        ([0.5, 0.639], True),
        ([0.5, 0.641], False),
        # 0.098 * sqrt(2) = 0.1386 and 0.1 * sqrt(2) = 0.1414
        ([0.598, 0.598], True),
        ([0.6, 0.6], False),
    ],
)
def test_a_click_within_14_percent_of_the_screen_is_right(
    point: list[float], matches: bool
) -> None:
    assert exact(call("tap", point=point), call("click", point=[0.5, 0.5])) is matches


def test_a_far_click_in_the_same_elements_enlarged_box_is_right() -> None:
    wide: Box = (0.3, 0.50, 0.7, 0.55)  # enlarged 2.4 times: x from 0.02, y 0.465 to 0.585
    reference = call("click", point=[0.65, 0.52])
    assert not exact(call("click", point=[0.1, 0.52]), reference)
    assert exact(call("click", point=[0.1, 0.47]), reference, wide)
    assert not exact(call("click", point=[0.1, 0.46]), reference, wide)
    # Strict: 1.2 times about the centre is x from 0.26, y 0.495 to 0.555.
    assert exact(call("click", point=[0.27, 0.554]), reference, wide, clicks="box")
    assert not exact(call("click", point=[0.25, 0.52]), reference, wide, clicks="box")
    assert not exact(call("click", point=[0.64, 0.52]), reference, clicks="box")


def test_a_predicted_box_is_compared_as_a_box() -> None:
    reference = call("click", point=[0.5, 0.5])
    assert exact(call("click", box=[0.4, 0.4, 0.49, 0.6]), call("click", point=[0.498, 0.5]))
    assert not exact(call("click", box=[0.1, 0.4, 0.3, 0.6]), reference)
    element: Box = (0.2, 0.4, 0.51, 0.6)
    # Enlarged they are 0.18-0.432 and 0.169-0.541 wide and equally high: 0.252 of 0.372 is shared.
    assert exact(call("click", box=[0.201, 0.4, 0.411, 0.6]), reference, element)


@pytest.mark.parametrize(
    ("prediction", "reference", "matches"),
    [
        (call("scroll", direction="up"), call("swipe", start=[0.5, 0.8], end=[0.4, 0.2]), True),
        (call("scroll", direction="down"), call("scroll", direction="up"), False),
        (call("swipe", start=[0.9, 0.5], end=[0.1, 0.4]), call("scroll", direction="left"), True),
        (call("press", key="Home"), call("press_home"), True),
        (call("press", key="back"), call("press_home"), False),
        (call("finish", status="failure"), call("stop"), True),
        (call("type_text", text="wifi"), call("type", text="wifi settings"), True),
        (call("type", text="wify"), call("type", text="wifi"), False),  # 6 of 8: 0.75
        (call("type", text="settinge"), call("type", text="settings"), True),  # 14 of 16: 0.875
        (call("type", text=""), call("type", text="wifi"), False),
        (call("type", text=""), call("type", text=""), True),
        (call("open_app", app="Clock"), call("open_app", app="Clock"), True),
        (call("open_app", app="Clock"), call("open_app", app="Notes"), False),
        (call("long_press", point=[0.5, 0.6]), call("long_press", point=[0.5, 0.5]), True),
        (call("long_press", point=[0.5, 0.5]), call("click", point=[0.5, 0.5]), False),
    ],
)
def test_the_rule_of_aitz(prediction: Call, reference: Call, matches: bool) -> None:
    assert exact(prediction, reference) is matches
    assert exact(reference, prediction) is matches


@pytest.mark.parametrize(
    ("prediction", "reference", "matches"),
    [
        (call("f", n=1, unit=None), call("f", n=1.0), True),
        (call("f", n=True), call("f", n=1), False),
        (call("f", s="Caf\u00e9"), call("f", s="Cafe\u0301"), True),
        (call("f", s="a"), call("f", s="A"), False),
        (call("f", v=[1, 2]), call("f", v=[2, 1]), False),
        (call("f", v={"a": [1]}), call("f", v={"a": [1]}), True),
        (call("f", n=1), call("f", n=1, m=2), False),
        (call("g", n=1), call("f", n=1), False),
    ],
)
def test_the_function_calling_rule(prediction: Call, reference: Call, matches: bool) -> None:
    assert calls.exact_match(prediction, reference) is matches
    assert calls.exact_match(reference, prediction) is matches


@settings(max_examples=60, deadline=None)
@given(st.text("abcd", max_size=12), st.text("abcd", max_size=12))
def test_similarity_is_symmetric_bounded_and_1_for_equal_texts(first: str, second: str) -> None:
    assert similarity(first, second) == similarity(second, first)
    assert 0 <= similarity(first, second) <= 1
    assert (similarity(first, second) == 1) is (first == second)


def step(episode: str, number: int, prediction: Call | None, reference: Call) -> ScoredStep:
    return ScoredStep(episode=episode, step=number, reference=reference, prediction=prediction)


def test_a_card_adds_up_by_kind_and_by_episode() -> None:
    home, stop, click = call("press_home"), call("stop"), call("click", point=[0.5, 0.5])
    card = score(
        [
            step("a", 0, home, home),
            step("a", 1, call("click", point=[0.9, 0.9]), click),
            step("a", 2, stop, stop),
            step("a", 3, None, stop),
            step("b", 1, stop, stop),
            step("b", 0, click, click),
        ]
    )
    assert (card.total.type_match.successes, card.total.exact_match.successes) == (5, 4)
    assert card.kinds["click"].exact_match.value == 0.5
    assert card.kinds["stop"].type_match.trials == 3
    assert card.answered.successes == 5
    assert (card.episodes.successes, card.episodes.trials) == (1, 2)
    assert card.progress == (1 / 4 + 1) / 2


def test_a_reference_that_says_too_little_is_refused() -> None:
    incomplete = step("a", 3, call("stop"), call("click"))
    with pytest.raises(UsageError, match=r"step 3 of episode 'a'.*needs \"point\""):
        score([incomplete])
    assert score([incomplete], ScoringRule.CALLS).total.type_match.value == 0


def test_steps_survive_a_file(tmp_path: Path) -> None:
    steps = [
        step("a", 0, None, call("type", text="\u00fc\n\u2028\ud83d")),
        step("a", 1, None, call("stop")),
    ]
    write_steps(tmp_path / "new" / "steps.jsonl", steps)
    assert read_steps(tmp_path / "new" / "steps.jsonl") == steps


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[]", "line 1"),
        ('{"episode": "a", "step": 0, "reference": {"name": "stop"}}', "prediction"),
        ('{"episode": "a", "step": -1, "reference": {"name": "stop"}, "prediction": null}', "step"),
        ("{", "line 1"),
        ("", "holds no step"),
        ("[" * 100_000, "line 1"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    (tmp_path / "steps.jsonl").write_text(line)
    with pytest.raises(UsageError, match=reason):
        read_steps(tmp_path / "steps.jsonl")


def test_the_direction_of_a_recorded_scroll_becomes_the_fingers() -> None:
    action = ActionRecord(name="scroll", arguments={"direction": "down", "amount": 5})
    assert call_of(action) == call("scroll", direction="up", amount=5)
    point = {"x": 0.25, "y": 0.5, "screen": "page-3"}
    assert call_of(ActionRecord(name="click", arguments={"point": point})) == call(
        "click", point=[0.25, 0.5]
    )


def trajectory(folder: Path, shades: list[int], actions: list[str], seed: int = 0) -> None:
    with TrajectoryWriter(folder) as writer:
        writer.write(
            EpisodeRecord(
                eyehand="0", started_at="", task="t", spec="a:x", seed=seed, policy={}, max_steps=9
            )
        )
        for index, (shade, name) in enumerate(zip(shades, actions, strict=True)):
            pixels = np.full((4, 6, 3), shade, dtype=np.uint8)
            screen = writer.screen(index, Observation(pixels, ScreenGeometry("s", 6, 4, 6, 4)))
            action = ActionRecord(name=name, arguments={}) if name else None
            writer.write(StepRecord(index=index, screen=screen, action=action))


def test_recorded_steps_count_as_long_as_both_saw_the_same_screen(tmp_path: Path) -> None:
    trajectory(tmp_path / "expert" / "0", [1, 2, 3, 4], ["back", "back", "finish", "finish"])
    trajectory(tmp_path / "expert" / "1", [1], ["back"], seed=1)
    trajectory(tmp_path / "model" / "0", [1, 2, 9, 4], ["back", "", "finish", "finish"])
    recorded = steps_of_folders(tmp_path / "expert", tmp_path / "model")
    assert [step.prediction for step in recorded.steps] == [call("back"), None]
    assert recorded.apart == 2
    assert recorded.unpaired == ["a:x 1"]


def test_the_command_scores_trajectories_and_files_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trajectory(tmp_path / "expert", [1, 2], ["back", "finish"])
    trajectory(tmp_path / "model", [1, 2], ["back", "back"])
    folders = ["--reference", str(tmp_path / "expert"), "--predictions", str(tmp_path / "model")]
    out = tmp_path / "steps.jsonl"
    assert main(["score", *folders, "--out", str(out), "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["total"]["exact_match"] == 0.5
    assert card["steps_apart"] == 0
    assert main(["score", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"] == card["total"]
    assert main(["score", str(out), "--rule", "calls"]) == 0
    assert "goal progress: 50%" in capsys.readouterr().out


def test_the_command_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score"]) == 2
    assert "both --reference DIR and --predictions DIR" in capsys.readouterr().err
    assert main(["score", str(tmp_path / "none.jsonl")]) == 2
    assert main(["score", "--reference", str(tmp_path), "--predictions", str(tmp_path)]) == 2
    assert "holds no trajectory" in capsys.readouterr().err
