"""The documentation's example of a custom action runs, and is as short as promised."""

import re
from pathlib import Path
from typing import Any

import pytest

from eyehand.errors import InvalidArgument

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "custom-actions.md"


@pytest.fixture
def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_example_registers_and_performs_an_action(blocks: list[str]) -> None:
    assert len(blocks) == 2
    namespace: dict[str, Any] = {}
    for block in blocks:
        # The text is the project's own documentation, not anything that a model wrote.
        exec(compile(block, str(PAGE), "exec"), namespace)
    assert "### take_note\nWrite down something to remember." in namespace["prompt"]
    assert namespace["parsed"].action == namespace["TakeNote"](text="gate 12")
    assert namespace["notes"] == ["gate 12"]
    with pytest.raises(InvalidArgument):
        namespace["space"].build("take_note", {"text": "a" * 300})
    samples = [namespace["space"].sample() for _ in range(200)]
    assert any(sample.name == "take_note" for sample in samples)


def test_the_registration_takes_under_ten_lines(blocks: list[str]) -> None:
    lines = [line for line in blocks[0].splitlines() if line.strip()]
    assert len(lines) < 10
