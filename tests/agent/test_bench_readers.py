"""The comparisons with the makers' readers and networks, as far as they need none of them."""

import sys
from random import Random

import numpy as np
import pytest
from benchmarks.beside.__main__ import TorchvisionPictures, table
from benchmarks.beside.episodes import Compared as Episode
from benchmarks.beside.episodes import Played, Task, explains
from benchmarks.readers.__main__ import main
from benchmarks.readers.sizes import draw
from benchmarks.readers.ui_tars import our_read, their_read
from benchmarks.readers.ui_tars_answers import Writer
from benchmarks.readers.verdicts import Compared

from eyehand.actions import ActionSpace
from eyehand.actions.web import WEB_ACTIONS
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.model import Qwen2VL
from eyehand.prompts.dialects import make_dialect


def test_an_interpreter_without_the_packages_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["readers", "--peer-python", sys.executable, "--answers", "2"])
    assert main() == 2
    said = capsys.readouterr().err
    assert "--peer-python cannot be used" in said
    assert said.count("\n") == 1


def test_every_plain_answer_is_read_and_a_seed_fixes_all_of_them() -> None:
    codec, space = make_dialect("ui-tars").codec, ActionSpace(WEB_ACTIONS)
    first, again = (Writer(Random(3), 1000, 1000) for _ in range(2))
    answers = [first.draw() for _ in range(400)]
    assert answers == [again.draw() for _ in range(400)]
    plain = [answer for answer in answers if answer.kind == "plain"]
    assert len(plain) > 80
    assert len({answer.kind for answer in answers}) > 25
    assert all(our_read(codec, space, answer) is not None for answer in plain)


def test_the_package_s_answer_is_put_in_the_same_words() -> None:
    action = {"type": "drag", "thought": "It  is\nhere", "inputs": {
        "start_box": "[0.1, 0.2, 0.3, 0.4]", "end_box": "[0.5, 0.5, 0.5, 0.5]"}}  # fmt: skip
    expected = ("drag", {"start_box": (0.2, 0.3), "end_box": (0.5, 0.5)}, "It is here")
    assert their_read({"actions": [action]}) == expected
    assert their_read({"error": "no"}) is None


def test_verdicts_are_counted_by_kind_with_examples() -> None:
    found = Compared("readers")
    for ours, theirs in ((1, 1), (None, None), (1, None), (None, 1), (1, 2)):
        found.add("odd", "text", ours, theirs)
    assert "| odd | 5 | 1 | 1 | 1 | 1 | 1 |" in found.table()
    assert "| all | 5 |" in found.table()
    assert found.examples["odd: read otherwise"] == ["'text': ours 1, theirs 2"]


def test_bounds_of_pictures_are_in_order() -> None:
    dice = Random(0)
    requests = [draw(dice) for _ in range(200)]
    assert all(0 < one["min_pixels"] <= one["max_pixels"] for one in requests)


def test_a_difference_is_put_down_to_what_makes_it() -> None:
    one, two = Played("succeeded", ["a"], ["a"]), Played("step_limit", ["b", "c"], ["b", "c"])
    later = Played("step_limit", ["a", "c"], ["a", "c"])
    ended = Played("succeeded", ["a", "e"], ["a", "e"])
    same = Episode(1, one, one, "same")
    found = Episode(2, one, later, "", {"turns": one, "grammar": later, "resize": ended})
    assert [explains(found, name) for name in found.explanations] == [False, True, False]
    shown = table([Task("t", [same, Episode(2, one, two, "resize", {"resize": two})])])
    assert "| t | 2 of 2 [34, 100] | 1 of 2 [9, 91] | 1 of 2 | 1 resize |" in shown


def test_torchvision_s_resizing_is_at_most_a_grey_level_away() -> None:
    checkpoint = Qwen2VL.load(EMBEDDED_CHECKPOINT)
    picture = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    ours = checkpoint.encoder.read_image(picture, checkpoint.settings).patches
    theirs = TorchvisionPictures(checkpoint.network).read_image(picture, checkpoint.settings)
    assert ours is not None
    assert theirs.patches is not None
    levels = (ours - theirs.patches).abs() * 0.35 * 255
    assert 0.5 < levels.max() < 1.5
