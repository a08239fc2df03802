"""Instructions said otherwise: the sentences, and the command that plays them."""

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.paraphrases.__main__ import OtherWords, make_parser
from benchmarks.paraphrases.rewording import WAYS, reworded

from eyehand.actions import ActionSpace
from eyehand.agent.cli.main import main
from eyehand.agent.policies.base import Conversation, Policy
from eyehand.agent.policies.random import RandomPolicy
from eyehand.envs import make
from eyehand.envs.suites import suite_specs

NUMBER_LINE = "cards:number-line"


@pytest.mark.parametrize("spec", suite_specs("embedded"))
def test_every_instruction_of_the_suite_is_said_in_two_other_ways(spec: str) -> None:
    with make(spec) as environment:
        environment.reset(seed=7)
        own = environment.instruction
    assert own
    others = reworded(own)
    assert len({own, *others}) == 1 + len(WAYS)
    for other in others:
        assert "{" not in other
        assert spec == NUMBER_LINE or contents(own) <= contents(other)


@pytest.mark.parametrize(
    ("own", "name"),
    [
        ('Click on the link "a \\b {x}".', '"a \\b {x}"'),
        ('Enter "Task: [1, 2]" into the text field and press Submit.', '"Task: [1, 2]"'),
        ("Select Heard Island and McDonald Islands from the list and click Submit.", "McDonald"),
    ],
)
def test_contents_stay_as_they_are_letter_by_letter(own: str, name: str) -> None:
    assert [name in other for other in reworded(own)] == [True, True]


def test_an_instruction_that_no_rule_knows_has_no_other_words() -> None:
    assert reworded("Solve the equation.") == ()


def test_the_policy_is_asked_in_other_words() -> None:
    heard: list[str] = []

    class Listening(Policy):
        def start(self, task: str, actions: ActionSpace, seed: int | None = None) -> Conversation:
            heard.append(task)
            return RandomPolicy().start(task, actions, seed)

    asked = OtherWords(Listening())
    with make(NUMBER_LINE) as environment:
        environment.reset(seed=0)
        own = environment.instruction or ""
        asked.words = {own: "Other words."}
        asked.start(own, environment.action_space)
    assert heard == ["Other words."]


def test_the_command_plays_each_seed_in_three_wordings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept.json"
    command = [NUMBER_LINE, "--episodes", "2", "--max-steps", "3", "--json", str(kept)]
    assert main(command, make_parser=make_parser) == 0
    table = capsys.readouterr().out
    found: dict[str, Any] = json.loads(kept.read_text())[NUMBER_LINE]
    assert list(map(len, found.values())) == [2, 2, 2]
    for won in found.values():
        assert f"{sum(won)} of 2" in table
    found["its own words"] = [True] * 5
    kept.write_text(json.dumps({NUMBER_LINE: found}))
    assert main(command, make_parser=make_parser) == 0
    assert "5 of 5" in capsys.readouterr().out  # what is there is not played again


def contents(instruction: str) -> set[str]:
    """Return what an instruction names: quoted words, and words with digits."""
    words = {word.strip(".,;") for word in instruction.split()}
    return {w for w in words if any(map(str.isdigit, w))} | set(instruction.split('"')[1::2])
