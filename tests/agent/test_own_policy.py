"""A policy of one's own, as a user brings it: a module in the current folder, and its name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eyehand.agent.cli.main import main
from eyehand.agent.evaluation.evaluate import ComputeConfig, run_evaluation
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.policies.registry import policy_maker
from eyehand.agent.results.diff import differences
from eyehand.agent.results.evaluation_result import read_run
from eyehand.envs.registry import make

LINE = "cards:number-line"
TIMEOUT_S = 300

MODULE = '''
import os
from pathlib import Path

from eyehand.agent import Conversation, Decision, Policy

HERE = Path(__file__).parent
(HERE / "imported").touch()


class Shared(Policy):
    """Decides in one place."""

    name = "mine"

    def start(self, task, action_space, seed=None):
        return Moves(action_space)


class Moves(Conversation):
    def __init__(self, action_space):
        self.space, self.step = action_space, 0

    def decide(self, observation):
        with (HERE / "parents").open("a") as file:
            file.write(f"{os.getppid()}\\n")
        self.step += 1
        return Decision(action=self.space.build("plus" if self.step % 3 else "minus", {}))


class InWorkers(Shared):
    """Decides in the workers, and is made for each task."""

    placement = "worker"

    def __init__(self, spec):
        self.spec = spec

    def describe(self):
        return {"name": self.name, "made_for": self.spec}


class Knowing(Policy):
    """Reads the environment."""

    name = "knowing"

    def bind(self, environment, seed=None):
        self.environment = environment

    def start(self, task, action_space, seed=None):
        return Towards(self.environment)


class Towards(Conversation):
    def __init__(self, environment):
        self.environment = environment

    def decide(self, observation):
        up = self.environment.current < self.environment.target
        return Decision(action=self.environment.action_space.build("plus" if up else "minus", {}))


class Needy(Shared):
    def __init__(self, spec, size):
        pass


class NoStart(Policy):
    pass


class Elsewhere(Shared):
    placement = "somewhere"


class NoPolicy:
    def start(self, task, action_space, seed=None):
        return Moves(action_space)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "broken.py").write_text("\nsize = 1 / 0\n", encoding="utf-8")
    return tmp_path


def eyehand(*words: str, at: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "eyehand", *words]
    return subprocess.run(command, cwd=at, capture_output=True, text=True, timeout=TIMEOUT_S)


def evaluate(folder: Path, policy: str, out: str, *more: str) -> Path:
    limits = ["--episodes", "4", "--max-steps", "4"]
    ended = eyehand("eval", LINE, "--policy", policy, *limits, "--out", out, *more, at=folder)
    assert ended.returncode == 0, ended.stderr
    return folder / out


@pytest.mark.parametrize(
    ("name", "in_the_evaluator"), [("Shared", True), ("InWorkers", False), ("Knowing", None)]
)
def test_any_number_of_workers_gives_the_same_files(
    folder: Path, name: str, in_the_evaluator: bool | None
) -> None:
    one = evaluate(folder, f"mine:{name}", "one")
    (folder / "parents").unlink(missing_ok=True)
    two = evaluate(folder, f"mine:{name}", "two", "--workers", "2")
    assert differences(one, two) == []
    assert len(read_run(two).rows) == 4
    if in_the_evaluator is not None:  # this process has started it
        parents = {int(line) for line in (folder / "parents").read_text().split()}
        assert (parents == {os.getpid()}) is in_the_evaluator


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("name", ["Shared", "InWorkers", "Knowing"])
def test_a_cluster_gives_the_same_files(folder: Path, cluster: str, name: str) -> None:
    here = evaluate(folder, f"mine:{name}", "here")
    there = evaluate(folder, f"mine:{name}", "there", "--ray", cluster, "--workers", "2")
    assert differences(here, there) == []


def test_in_a_program_it_takes_no_further_step(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    compute = ComputeConfig(workers=2)
    for name in ("Shared", "Knowing"):
        plan = Plan("s", [LINE], 2, max_steps=3, out=folder / name)
        result = run_evaluation(plan, make, policy_maker(f"mine:{name}"), compute=compute)
        assert result.finished
        assert result.policy["name"] == {"Shared": "mine", "Knowing": "knowing"}[name]
    monkeypatch.delitem(sys.modules, "mine")


def test_one_episode_is_run_with_it(folder: Path) -> None:
    ended = eyehand("run", "--env", LINE, "--policy", "mine:Knowing", "--seed", "1", "--json",
                    at=folder)  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["outcome"] == "succeeded"


def test_a_stored_plan_does_not_run_it_unless_it_is_named_again(folder: Path) -> None:
    out = evaluate(folder, "mine:Shared", "one")
    (folder / "imported").unlink()
    more = ("eval", "--resume", str(out), "--episodes", "5")
    refused = eyehand(*more, at=folder)
    assert refused.returncode == 2
    assert "names the policy mine:Shared: name it too: --policy" in refused.stderr
    other = eyehand(*more, "--policy", "mine:Knowing", at=folder)
    assert (other.returncode, "was begun with --policy mine:Shared" in other.stderr) == (2, True)
    assert not (folder / "imported").exists()
    assert eyehand(*more, "--policy", "mine:Shared", at=folder).returncode == 0
    assert len(read_run(out).rows) == 5


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mine:Missing", "Missing is no class of mine"),
        ("mine:", "is no class of mine"),
        ("mine:HERE", "HERE is no class of mine"),
        ("absent_module:Shared", "cannot be imported: No module named 'absent_module'"),
        ("broken:Shared", "division by zero"),
        (":Shared", "cannot be imported"),
        ("mine:Needy", "needs size"),
        ("mine:NoStart", "NoStart does not define `start`"),
        ("mine:NoPolicy", "derive its class from eyehand.agent.Policy"),
        ("mine:Elsewhere", "'worker' or 'shared', not 'somewhere'"),
        ("oracle", "invalid choice: 'oracle' (choose from 'model', 'random', 'expert')"),
    ],
)
def test_what_is_no_policy_is_refused_in_a_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    said: str,
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    words = ["eval", LINE, "--policy", name, "--episodes", "1", "--out", "refused"]
    if name == "oracle":
        with pytest.raises(SystemExit, match="2"):
            main(words)
    else:
        assert main(words) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown
    assert not (folder / "refused").exists()
    monkeypatch.delitem(sys.modules, "mine", raising=False)
