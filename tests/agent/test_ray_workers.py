"""The same evaluation on a Ray cluster of two nodes, which run on this machine."""

import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import pytest

from eyehand.actions import ActionSpace
from eyehand.agent.cli.main import main
from eyehand.agent.evaluation.evaluate import ComputeConfig, run_evaluation
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.agent.policies.registry import policy_maker
from eyehand.agent.results.diff import differences
from eyehand.envs.cards.number_line import Plus
from eyehand.envs.env import Observation
from eyehand.envs.registry import make

LINE = "cards:number-line"
TIMEOUT_S = 120
"""Against hanging only."""

# No node could import this module.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

# Ray announces changes of its own defaults, and leaves sockets of its helpers to the collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Killing(Policy, Conversation):
    """Goes up; at its third decision it kills the workers' processes below another one."""

    name = "killing"

    def __init__(self, ancestor: int | None) -> None:
        self.ancestor = ancestor
        self.left = 3

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        return self

    def decide(self, observation: Observation) -> Decision:
        self.left -= 1
        if self.left == 0 and self.ancestor is not None:
            for pid in worker_pids(self.ancestor):
                os.kill(pid, signal.SIGKILL)
        return Decision(action=Plus())


def worker_pids(ancestor: int) -> list[int]:
    """Return the workers of a test's own cluster, by the process that started its nodes."""
    parents, actors = {}, []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if (path / "cmdline").read_bytes().startswith(b"ray::WorkerActor"):
                actors.append(int(path.name))
        except OSError:  # it has ended in the meantime
            continue
    return sorted(pid for pid in actors if parents.get(parents[pid]) == ancestor)


def evaluate(out: Path, policy: Any, address: str | None, episodes: int = 6) -> Any:
    plan = Plan("s", [LINE], episodes, max_steps=4, out=out)
    return run_evaluation(plan, make, policy, compute=ComputeConfig(2 if address else 1, address))


@pytest.mark.parametrize("policy", ["expert", "random"])
def test_a_cluster_gives_the_same_files(tmp_path: Path, cluster: str, policy: str) -> None:
    evaluate(tmp_path / "here", policy_maker(policy), None)
    evaluate(tmp_path / "there", policy_maker(policy), cluster)
    assert differences(tmp_path / "here", tmp_path / "there") == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_killed_actors_episode_is_run_again(tmp_path: Path, cluster: str) -> None:
    evaluate(tmp_path / "calm", lambda spec: Killing(None), None)
    here = os.getpid()
    result = evaluate(tmp_path / "killed", lambda spec: Killing(here), cluster).tasks[0]
    assert (result.rate.trials, result.lost) == (6, 0)
    # The one that asked is in an episode; the other may be before its first or between two.
    assert 1 <= result.faults <= 2
    assert differences(tmp_path / "calm", tmp_path / "killed") == []


def test_the_command_takes_an_address_and_goes_on_from_there(
    tmp_path: Path, cluster: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["eval", LINE, "--policy", "random", "--episodes", "4", "--max-steps", "3"]
    assert main([*words, "--out", str(tmp_path / "here")]) == 0
    assert main([*words, "--out", str(tmp_path / "there"), "--ray", cluster]) == 0
    path = tmp_path / "there" / "episodes.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    assert main(["eval", "--resume", str(tmp_path / "there"), "--ray", cluster]) == 0
    assert differences(tmp_path / "here", tmp_path / "there") == []
    assert capsys.readouterr().out.count("cards:number-line") == 3


def refusing_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("address", "status", "message"),
    [
        ("127.0.0.1:PORT", 3, "no Ray cluster answers at 127.0.0.1:"),
        ("nowhere", 2, "expected the address of a Ray cluster"),
    ],
)
def test_an_address_without_a_cluster_is_one_clear_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    address: str,
    status: int,
    message: str,
) -> None:
    pytest.importorskip("ray")
    address = address.replace("PORT", str(refusing_port()))
    words = ["eval", LINE, "--policy", "random", "--ray", address, "--out", str(tmp_path / "e")]
    began_s = time.monotonic()
    assert main(words) == status
    assert time.monotonic() - began_s < TIMEOUT_S
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("eyehand:")]
    assert len(errors) == 1
    assert message in errors[0]
    assert not (tmp_path / "e" / "plan.json").exists()


def test_a_missing_ray_names_the_extra(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    words = ["eval", LINE, "--policy", "random", "--ray", "auto", "--out", str(tmp_path / "e")]
    assert main(words) == 2
    assert "pip install 'eyehand[ray]'" in capsys.readouterr().err
