"""The README's Python runs as it stands there."""

import re
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parent.parent / "README.md"


def _blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_the_readme_shows_two_pieces_of_python() -> None:
    assert len(_blocks()) == 2


def test_the_first_example_runs_the_embedded_model(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(_blocks()[0], "README.md", "exec"), {})  # our own text, not a model's
    assert "succeeded" in capsys.readouterr().out


def test_the_custom_action_is_performed_on_a_real_page() -> None:
    from eyehand.actions.web import Answer, GoTo
    from eyehand.agent.episode import run_episode
    from eyehand.agent.policies.scripted import ScriptedPolicy
    from eyehand.envs.miniwob.environment import MiniWobEnvironment

    names: dict[str, Any] = {}
    exec(compile(_blocks()[1], "README.md", "exec"), names)  # our own text, not a model's
    lines = [line for line in _blocks()[1].split("class Zoom")[1].splitlines() if line.strip()]
    assert len(lines) < 10
    assert GoTo.name in names["space"].names
    environment = MiniWobEnvironment("click-test")
    environment.action_space = names["space"].restricted(["click", "zoom", "answer"])
    written = '✿FUNCTION✿: zoom\n✿ARGS✿: {"percent": 150}'
    try:
        environment.reset(seed=1)
        *_, info = environment.step(names["Zoom"](percent=150))
        shown = environment.page_call(lambda page: page.evaluate("document.body.style.zoom"))
        policy = ScriptedPolicy([written, Answer(text="bigger")])
        episode = run_episode(policy, environment, seed=1)
    finally:
        environment.close()
    assert (info["effect"], shown) == ("zoomed to 150%", "150%")
    assert [step.error for step in episode.steps] == [None, None]
    assert episode.steps[0].effect == "zoomed to 150%"
