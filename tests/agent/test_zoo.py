"""AITZ from its own files: episodes as they are downloaded, predictions of ours and of its code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from eyehand.agent.cli.main import main
from eyehand.agent.scoring.reading_order import in_reading_order
from eyehand.agent.scoring.steps import Box, Call
from eyehand.agent.scoring.zoo import is_zoo, read_zoo
from eyehand.agent.scoring.zoo_predictions import answer, call_of_answer
from eyehand.errors import UsageError

SIZE = (200, 400)
NOWHERE = "[-1.0, -1.0]"
LAMP = [40, 20, 40, 100]
"""Top, left, height, width in pixels: the shares 0.1 to 0.6 across, 0.1 to 0.2 down."""


def line(step: int, kind: int, **more: Any) -> dict[str, Any]:
    """Return a step with every field that the published files have."""
    return {
        "episode_id": "123",
        "episode_length": 6,
        "step_id": step,
        "instruction": "switch the lamp on",
        "ui_positions": json.dumps([LAMP, [300, 10, 20, 20]]),
        "ui_text": json.dumps(["Lamp", ""]),
        "ui_types": json.dumps(["TEXT", "ICON_HOME"]),
        "result_action_type": kind,
        "result_action_text": "",
        "result_touch_yx": NOWHERE,
        "result_lift_yx": NOWHERE,
        "image_path": f"general/GENERAL-123/GENERAL-123_{step}.png",
        "image_full_path": f"somewhere/else/GENERAL-123_{step}.png",
        "coat_screen_desc": "a list of lamps",
        "coat_action_think": "the lamp is off",
        "coat_action_desc": "click on the lamp",
        "coat_action_result": "the lamp is on",
        **more,
    }


def tap(step: int, y: float, x: float) -> dict[str, Any]:
    return line(step, 4, result_touch_yx=f"[{y}, {x}]", result_lift_yx=f"[{y + 0.01}, {x}]")


STEPS = [
    tap(0, 0.15, 0.2),
    line(1, 4, result_touch_yx="[0.8, 0.5]", result_lift_yx="[0.2, 0.45]"),
    line(2, 3, result_action_text="reading lamp"),
    line(3, 7),
    line(4, 5),
    line(5, 10),
]


def data_set(folder: Path, steps: list[dict[str, Any]] | None = None) -> Path:
    """Write an episode as the data set has it, with a picture a step."""
    steps = STEPS if steps is None else steps
    episode = folder / "test" / "general" / "GENERAL-123"
    episode.mkdir(parents=True)
    (episode / "GENERAL-123.json").write_text(json.dumps(steps, indent=2))
    for index in range(len(steps)):
        Image.new("RGB", SIZE).save(episode / f"GENERAL-123_{index}.png")
    return folder


def answered(folder: Path, answers: list[Any], mode: str = "COAT", screen: str = "txt") -> Path:
    """Write predictions as the data set's own code does."""
    episode = folder / "general-123"
    episode.mkdir(parents=True, exist_ok=True)
    for index, one in enumerate(answers):
        path = episode / f"general-123_{index}.json"
        content: dict[str, Any] = {"action_think": "x"}
        if path.exists():
            content = json.loads(path.read_text())
        content.setdefault("action_predict", {}).setdefault(mode, {})[screen] = one
        path.write_text(json.dumps(content, indent=4))
    return folder


RIGHT = [
    {"ACTION": "click_element", "ARGS": {"bbox": [100, 100, 600, 200]}},
    {"ACTION": "scroll", "ARGS": {"direction": "up"}},
    {"ACTION": "input", "ARGS": {"text": "lamp"}},
    {"ACTION": "press_enter", "ARGS": {}},
    {"ACTION": "press_back", "ARGS": {}},
    {"ACTION": "stop", "ARGS": {}},
]


def test_the_six_kinds_of_actions_are_read(tmp_path: Path) -> None:
    steps = read_zoo(data_set(tmp_path))
    assert [step.call for step in steps] == [
        Call(name="click", arguments={"point": [0.2, 0.15]}),
        Call(name="swipe", arguments={"start": [0.5, 0.8], "end": [0.45, 0.2]}),
        Call(name="type", arguments={"text": "reading lamp"}),
        Call(name="press", arguments={"key": "enter"}),
        Call(name="press", arguments={"key": "back"}),
        Call(name="stop", arguments={"status": "complete"}),
    ]
    assert {step.episode for step in steps} == {"general-123"}
    assert steps[0].boxes == ((0.1, 0.1, 0.6, 0.2), (0.05, 0.75, 0.15, 0.8))


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        (6, Call(name="press", arguments={"key": "home"})),
        (11, Call(name="stop", arguments={"status": "impossible"})),
    ],
)
def test_further_numbers_of_actions(tmp_path: Path, kind: int, call: Call) -> None:
    (step,) = read_zoo(data_set(tmp_path, [line(0, kind)]))
    assert step.call == call


@pytest.mark.parametrize(("lift_y", "name"), [(0.539, "click"), (0.541, "swipe")])
def test_a_finger_that_hardly_moves_has_tapped(tmp_path: Path, lift_y: float, name: str) -> None:
    moved = line(0, 4, result_touch_yx="[0.5, 0.5]", result_lift_yx=f"[{lift_y}, 0.5]")
    assert read_zoo(data_set(tmp_path, [moved]))[0].call.name == name


def test_the_command_scores_what_the_data_sets_code_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = data_set(tmp_path / "aitz"), tmp_path / "steps.jsonl"
    folders = ["--reference", str(data), "--predictions", str(answered(tmp_path / "p", RIGHT))]
    for clicks in ("distance", "box"):
        assert main(["score", *folders, "--clicks", clicks, "--json", "--out", str(out)]) == 0
        card = json.loads(capsys.readouterr().out)
        assert (card["total"]["steps"], card["total"]["exact_match"]) == (6, 1.0)
        assert (card["goal_progress"], card["steps_missing"], card["unpaired"]) == (1.0, 0, [])
        assert {kind: m["steps"] for kind, m in card["kinds"].items()} == {
            "press": 2, "click": 1, "scroll": 1, "stop": 1, "type": 1,
        }  # fmt: skip
    assert main(["score", str(out), "--clicks", "box", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"] == card["total"]


def test_wrong_answers_are_wrong_and_no_answer_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = [
        {"ACTION": "click_element", "ARGS": {"bbox": [700, 800, 900, 900]}},
        {"ACTION": "scroll", "ARGS": {"direction": "down"}},
        {"ACTION": "", "ARGS": {}},
        {"ACTION": "press_home", "ARGS": {}},
        {"ACTION": "press_back", "ARGS": {}},
    ]
    command = ["score", "--reference", str(data_set(tmp_path / "aitz")), "--predictions"]
    assert main([*command, str(answered(tmp_path / "p", wrong)), "--json"]) == 0
    output = capsys.readouterr()
    card = json.loads(output.out)
    assert card["total"]["type_match"] == pytest.approx(4 / 6)
    assert card["total"]["exact_match"] == pytest.approx(1 / 6)
    assert (card["answered"], card["goal_progress"]) == (pytest.approx(4 / 6), 0)
    assert card["steps_missing"] == 1
    assert "without a prediction, which are scored as wrong: 1" in output.err


def test_lines_of_ours_are_predictions_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    below = {"name": "tap", "arguments": {"point": [0.2, 0.28]}}
    lines = [
        {"episode": "GENERAL-123", "step": 0, "prediction": below},
        {"episode": "GENERAL-123", "step": 1, "prediction": None},
        {"episode": "GENERAL-123", "step": 5, "prediction": {"name": "finish"}, "boxes": []},
        {"episode": "general-9", "step": 0, "prediction": None},
    ]
    path = tmp_path / "predictions.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    data = data_set(tmp_path / "aitz")
    # Not in the lamp's box, 13% of the screen below where it was touched.
    found = {}
    for clicks in ("distance", "box"):
        command = ["score", "--reference", str(data), "--predictions", str(path), "--json"]
        assert main([*command, "--clicks", clicks]) == 0
        output = capsys.readouterr()
        found[clicks] = json.loads(output.out)["kinds"]["click"]["exact_match"]
    assert found == {"distance": 1.0, "box": 0.0}
    assert "only one side has are not scored: 1 (general-9)" in output.err
    assert "scored as wrong: 3" in output.err
    reference = read_zoo(data)
    path.write_text(path.read_text().replace("GENERAL-123", "123"))
    assert answer(reference, path).unpaired == ["general-9"]


def test_a_number_names_an_element_in_reading_order(tmp_path: Path) -> None:
    tagged = [{"ACTION": "click_element", "ARGS": {"idx": "1"}}]
    other = [[300, 10, 20, 20], [42, 150, 30, 40], LAMP]  # the lamp is the first in its row
    data = data_set(tmp_path / "aitz", [{**STEPS[0], "ui_positions": json.dumps(other)}])
    predictions = answered(tmp_path / "p", tagged, screen="tag")
    (step,) = answer(read_zoo(data), predictions).steps
    assert step.prediction == Call(name="click", arguments={"box": [0.75, 0.105, 0.95, 0.18]})
    answered(tmp_path / "p", [{"ACTION": "click_element", "ARGS": {"idx": 0}}], screen="tag")
    (step,) = answer(read_zoo(data), predictions).steps
    assert step.prediction == Call(name="click", arguments={"box": [0.1, 0.1, 0.6, 0.2]})


def test_a_row_is_read_from_left_to_right_though_its_tops_differ() -> None:
    boxes: list[Box] = [(0.6, 0.11, 0.9, 0.2), (0.1, 0.1, 0.4, 0.2), (0.0, 0.5, 1.0, 0.6)]
    boxes.append((0.5, 0.0, 0.7, 0.05))
    assert in_reading_order(boxes) == [boxes[3], boxes[1], boxes[0], boxes[2]]


def test_several_modes_have_to_be_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_set(tmp_path / "aitz")
    predictions = answered(tmp_path / "p", RIGHT)
    answered(tmp_path / "p", [RIGHT[-1]] * 3, mode="COA")
    command = ["score", "--reference", str(data), "--predictions", str(predictions), "--json"]
    assert main(command) == 2
    assert "COA/txt, COAT/txt: choose one with --mode" in capsys.readouterr().err
    assert main([*command, "--mode", "COT/txt"]) == 2
    assert "no answer of COT/txt" in capsys.readouterr().err
    for mode, matches in (("COAT/txt", 1.0), ("COA/txt", 0.0)):
        assert main([*command, "--mode", mode]) == 0
        assert json.loads(capsys.readouterr().out)["total"]["exact_match"] == matches


def test_a_step_without_an_answer_in_its_mode_counts_as_unanswered(tmp_path: Path) -> None:
    predictions = answered(tmp_path / "p", RIGHT[:2])
    answered(tmp_path / "p", RIGHT, mode="COT")
    found = answer(read_zoo(data_set(tmp_path / "aitz")), predictions, "COAT/txt")
    assert [step.prediction is None for step in found.steps] == [False] * 2 + [True] * 4
    assert found.missing == 0


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner)
)
names = st.sampled_from(["click_element", "press", "press_", "input", "SCROLL", "stop it", "fly"])


@given(
    st.one_of(
        values,
        st.fixed_dictionaries(
            {"ACTION": names | values},
            optional={
                "ARGS": values | st.dictionaries(st.sampled_from(["idx", "bbox", "text"]), values)
            },
        ),
    )
)
def test_any_answer_can_be_read(value: Any) -> None:
    call = call_of_answer(value, [(0.0, 0.0, 1.0, 1.0)])
    assert call is None or call.name in ("click", "scroll", "type", "press", "stop")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda step: {**step, "result_action_type": 2}, "result_action_type"),
        (lambda step: {**step, "result_touch_yx": "[0.5]"}, "result_touch_yx"),
        (lambda step: {**step, "result_touch_yx": "0.5, 0.5"}, "result_touch_yx"),
        (lambda step: {**step, "ui_positions": "[[1, 2, 3]]"}, "ui_positions"),
        (lambda step: {k: v for k, v in step.items() if k != "episode_id"}, "episode_id"),
        (lambda step: "no step", "valid dictionary"),
        (lambda step: step, "step 0 of episode 'general-123' comes twice"),
    ],
)
def test_a_broken_step_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], said: str
) -> None:
    data = data_set(tmp_path, [STEPS[0], change(STEPS[0])])
    with pytest.raises(UsageError, match=said) as caught:
        read_zoo(data)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_scored_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_set(tmp_path / "aitz")
    picture = data / "test" / "general" / "GENERAL-123" / "GENERAL-123_0.png"
    predictions = str(answered(tmp_path / "p", RIGHT))
    command = ["score", "--reference", str(data), "--predictions"]
    assert main([*command, predictions, "--rule", "calls"]) == 2
    assert "--rule aitz" in capsys.readouterr().err
    (tmp_path / "none").mkdir()
    assert main([*command, str(tmp_path / "none")]) == 2
    assert "holds no prediction" in capsys.readouterr().err
    (tmp_path / "other.jsonl").write_text('{"episode": "x", "step": 0, "prediction": null}')
    assert main([*command, str(tmp_path / "other.jsonl")]) == 2
    assert "no prediction for an episode of the reference" in capsys.readouterr().err
    picture.unlink()
    assert main([*command, predictions]) == 2
    assert "GENERAL-123_0.png" in capsys.readouterr().err
    assert main(["score", predictions, "--mode", "COAT/txt"]) == 2
    assert "--mode is for the data set" in capsys.readouterr().err


def test_one_episode_and_pictures_of_other_steps_may_be_left_out(tmp_path: Path) -> None:
    data = data_set(tmp_path)
    episode = data / "test" / "general" / "GENERAL-123"
    (episode / "GENERAL-123_1.png").unlink()
    (data / "about.json").write_text('{"split": "test"}')
    (episode / "._GENERAL-123.json").write_bytes(b"\x00\x05\x16")
    assert is_zoo(episode / "GENERAL-123.json")
    assert read_zoo(episode / "GENERAL-123.json") == read_zoo(data)
    assert not is_zoo(data / "about.json")


def test_a_broken_file_makes_no_folder_one_of_the_data_set(tmp_path: Path) -> None:
    broken = tmp_path / "notes.json"
    broken.write_text("{")
    assert not is_zoo(tmp_path)
    with pytest.raises(UsageError, match="cannot read"):
        is_zoo(broken)
