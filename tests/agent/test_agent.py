"""The shortest way from a task to an episode, as the package offers it."""

import subprocess
import sys
from pathlib import Path

import pytest

import eyehand
from eyehand.agent.agent import default_folder
from eyehand.agent.policies.random import RandomPolicy
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.errors import UsageError


def test_an_agent_runs_a_task_in_an_environment(tmp_path: Path) -> None:
    with eyehand.make("cards:number-line") as environment:
        agent = eyehand.Agent(RandomPolicy())
        first = agent.run(None, environment, seed=3, out=tmp_path / "e")
        again = agent.run(None, environment, seed=3)
    assert isinstance(first, eyehand.Episode)
    assert isinstance(first.outcome, eyehand.Outcome)
    assert [step.action for step in first.steps] == [step.action for step in again.steps]
    assert read_trajectory(tmp_path / "e").steps == first.steps
    assert again.folder is None
    assert again.steps[0].screen.file is None


def test_a_model_is_loaded_when_it_is_first_needed(tmp_path: Path) -> None:
    agent = eyehand.Agent(tmp_path / "none", language="zh")
    with pytest.raises(UsageError, match="there is no model folder"):
        _ = agent.policy


def test_importing_eyehand_loads_nothing_heavy() -> None:
    code = (
        "import sys, eyehand, eyehand.agent; print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "False"]


def test_every_public_name_can_be_imported() -> None:
    import eyehand.agent

    for name in eyehand.__all__:
        assert getattr(eyehand, name) is not None
    for name in eyehand.agent.__all__:
        assert getattr(eyehand.agent, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = eyehand.nothing
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = eyehand.agent.nothing


def test_default_folders_are_never_shared(tmp_path: Path) -> None:
    first = default_folder("web:https://example.org/a?b=c", tmp_path)
    assert first.name.endswith("-web-https-example.org-a-b-c")
    first.mkdir()
    assert not default_folder("web:https://example.org/a?b=c", tmp_path).exists()
