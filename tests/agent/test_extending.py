"""Adding something takes the files that the architecture's table names, and nothing else."""

from pathlib import Path

import pytest

from eyehand.agent.cli import commands
from eyehand.agent.cli.main import main
from eyehand.agent.policies import registry
from eyehand.agent.results.evaluation_result import read_run

POLICY = '''
from eyehand.agent import Conversation, Decision, Policy


class UpPolicy(Policy, Conversation):
    """Always goes up."""

    name = "up"

    def start(self, task, action_space, seed=None):
        self.space = action_space
        return self

    def decide(self, observation):
        return Decision(action=self.space.build("plus", {}))
'''

COMMAND = '''
"""`eyehand greet`: says hello."""

NAME = "greet"
SUMMARY = "say hello"
EXAMPLES = "examples:\\n  eyehand greet you"


def add_arguments(parser):
    parser.add_argument("who")


def execute(arguments):
    print(f"hello, {arguments.who}")
    return 0
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_policy_is_one_file_and_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "up_policy.py").write_text(POLICY, encoding="utf-8")
    monkeypatch.setitem(registry.POLICIES, "up", ("up_policy:UpPolicy", "shared"))
    for workers in ("1", "2"):
        out = folder / workers
        words = ["eval", "cards:number-line", "--policy", "up", "--episodes", "2"]
        assert main([*words, "--workers", workers, "--out", str(out)]) == 0
        assert read_run(out).policy_name == "up"


def test_a_policy_of_ones_own_is_one_file(folder: Path) -> None:
    (folder / "own_up.py").write_text(POLICY, encoding="utf-8")
    words = ["run", "--env", "cards:number-line", "--seed", "1", "--out", str(folder / "run")]
    assert main([*words, "--policy", "own_up:UpPolicy"]) in (0, 1)
    assert (folder / "run" / "episode.jsonl").is_file()


def test_a_command_is_one_file_and_one_word(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "greet.py").write_text(COMMAND, encoding="utf-8")
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(folder)])
    monkeypatch.setattr(commands, "COMMANDS", (*commands.COMMANDS, "greet"))
    assert main(["greet", "you"]) == 0
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    shown = capsys.readouterr().out
    assert "hello, you" in shown
    assert "say hello" in shown
