"""The documentation's example of a custom action runs, and is as short as promised."""

import re
from pathlib import Path
from typing import Any

import pytest

from eyehand.agent.episode import run_episode
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.errors import InvalidArgument

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "custom-actions.md"


@pytest.fixture
def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def shown(blocks: list[str]) -> dict[str, Any]:
    """The names that the page's code leaves behind."""
    namespace: dict[str, Any] = {}
    for block in blocks:
        # The text is the project's own documentation, not anything that a model wrote.
        exec(compile(block, str(PAGE), "exec"), namespace)
    return namespace


def test_the_example_registers_and_performs_an_action(shown: dict[str, Any]) -> None:
    assert "### take_note\nWrite down something to remember." in shown["prompt"]
    step = shown["episode"].steps[0]
    assert (step.action.name, step.action.arguments) == ("take_note", {"text": "gate 12"})
    assert shown["notes"] == ["gate 12"]


def test_a_call_that_does_not_fit_never_reaches_the_handler(shown: dict[str, Any]) -> None:
    environment, action = shown["env"], shown["TakeNote"]
    answers = [f'✿FUNCTION✿: take_note\n✿ARGS✿: {{"text": "{"a" * 300}"}}']
    answers.append('✿FUNCTION✿: take_note\n✿ARGS✿: {"words": "gate 12"}')
    episode = run_episode(ScriptedPolicy(answers), environment, seed=1, max_steps=2)
    assert all(step.error and "take_note" in step.error.message for step in episode.steps)
    with pytest.raises(InvalidArgument, match="text"):
        environment.step(action.model_construct(text="a" * 300))
    assert shown["notes"] == ["gate 12"]
    samples = [environment.action_space.sample() for _ in range(200)]
    assert any(isinstance(sample, action) for sample in samples)


def test_the_registration_takes_under_ten_lines(blocks: list[str]) -> None:
    lines = [line for line in blocks[0].splitlines() if line.strip()]
    assert len(lines) < 10
