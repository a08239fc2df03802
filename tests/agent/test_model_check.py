"""`eyehand check-model`: which numbers a model writes, whether it hits, and what to change."""

import json
from pathlib import Path

import pytest

from eyehand.actions import ActionSpace, Coordinates
from eyehand.actions.codecs.keyword import KeywordCodec
from eyehand.agent.cli.main import main
from eyehand.agent.model_check.conventions import CONVENTIONS
from eyehand.agent.model_check.measure import check_model
from eyehand.agent.model_check.page import write_check
from eyehand.agent.model_check.screens import SIZE_PX, draw_screen
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.envs.env import Observation

WIDTH, HEIGHT = SIZE_PX
SHOWN = (644, 364)
"""The size at which the scripted models see a screen."""

NUMBERS = {
    "0 to 1": lambda x, y: (round(x, 4), round(y, 4)),
    "0 to 1000": lambda x, y: (round(1000 * x), round(1000 * y)),
    "0 to 999": lambda x, y: (round(999 * x, 1), round(999 * y, 1)),
    "pixels of the resized picture": lambda x, y: (round(SHOWN[0] * x), round(SHOWN[1] * y)),
    "pixels of the screen": lambda x, y: (round(WIDTH * x), round(HEIGHT * y)),
    "0 to 1000, axes swapped": lambda x, y: (round(1000 * y), round(1000 * x)),
    "0 to 1000, halved": lambda x, y: (round(500 * x), round(500 * y)),
}


class Sighted(Policy):
    """Knows where everything is, and writes it in its own numbers."""

    name = "scripted"

    def __init__(self, convention: str) -> None:
        self.convention = convention

    def shown_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        return SHOWN

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        return _Answer(self.convention, task, action_space, seed or 0)


class _Answer(Conversation):
    def __init__(self, convention: str, task: str, space: ActionSpace, seed: int) -> None:
        (target,) = [t for t in draw_screen(seed).targets if t.task == task]
        x, y = target.centre[0] / WIDTH, target.centre[1] / HEIGHT
        a, b = NUMBERS[convention](x, y)
        self.text = f'✿FUNCTION✿: click\n✿ARGS✿: {{"point": [{a}, {b}]}}'
        self.space = space

    def decide(self, observation: Observation) -> Decision:
        parsed = KeywordCodec().parse(self.text, self.space, Coordinates())
        return Decision(action=parsed.action, error=parsed.error, raw_text=self.text)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_numbers_that_a_model_writes_are_found_out(convention: str) -> None:
    check = check_model(Sighted(convention), targets=30)
    assert check.conventions[0].name == convention
    assert check.conventions[0].hits >= 0.95
    if convention in ("0 to 1000", "0 to 999"):
        assert check.verdict.startswith("it fits")
    elif (check.parsed.value or 0) >= 0.5:
        assert convention in check.verdict
        assert "--dialect" in check.verdict


def test_every_kind_and_size_is_asked_for() -> None:
    check = check_model(Sighted("0 to 1000"), targets=60)
    assert set(check.by("kind")) == {"word", "button", "icon"}
    assert set(check.by("size")) == {"small", "medium", "large"}
    assert sum(rate.trials for rate in check.by("size").values()) == 60


def test_the_page_shows_every_screen_and_escapes_what_was_written(tmp_path: Path) -> None:
    check = check_model(Sighted("0 to 1000, halved"), targets=9)
    page = write_check(check, tmp_path / "check.html").read_text("utf-8")
    assert page.count("data:image/png") == len(check.screens)
    assert check.verdict in page
    assert "missed" in page


def test_the_command_checks_the_embedded_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "check.html"
    words = ["check-model", "--targets", "3", "--max-new-tokens", "40", "--out", str(page)]
    status = main([*words, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["targets"] == 3
    assert document["page"] == str(page)
    assert page.is_file()
    assert status == (0 if document["hit_rate"] >= 0.8 else 1)
