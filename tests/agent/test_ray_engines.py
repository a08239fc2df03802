"""Engines on a Ray cluster of two nodes: the same rows, and an engine's end costs only episodes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import pytest

from eyehand.actions import ActionSpace
from eyehand.agent.cli.main import main
from eyehand.agent.evaluation.evaluate import ComputeConfig, run_evaluation
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.evaluation.ray import inference_pool as engines_module
from eyehand.agent.evaluation.ray.inference_actor import InferenceActor
from eyehand.agent.policies.base import Conversation, Decision, Policy, Request
from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.agent.results.diff import differences
from eyehand.agent.results.evaluation_result import EvaluationResult
from eyehand.agent.results.folder import read_plan, read_rows
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.envs.cards.number_line import Plus
from eyehand.envs.env import Observation
from eyehand.envs.registry import make
from eyehand.errors import CheckpointError, WorkerLost

LINE = "cards:number-line"
TIMEOUT_S = 120

# No node could import this module.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

# Ray announces changes of its own defaults, and leaves sockets of its helpers to the collector.
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def engine_pids() -> list[int]:
    """Return the engines of this test's own cluster: this process started its nodes."""
    parents, found = {}, []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if (path / "cmdline").read_bytes().startswith(b"ray::InferenceActor"):
                found.append(int(path.name))
        except OSError:  # it has ended in the meantime
            continue
    return sorted(pid for pid in found if parents.get(parents[pid]) == os.getpid())


def wait_until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


class Up(Policy, Conversation):
    """Always goes up; its thought is the process in which it decides."""

    name = "up"
    conversations = 0

    def set_conversations(self, count: int) -> None:
        self.conversations = count

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "conversations": self.conversations}

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        return self

    def decide(self, observation: Observation) -> Decision:
        return Decision(thought=str(os.getpid()), action=Plus())


class Fatal(Up):
    """Ends its process with SIGKILL at every decision."""

    def decide(self, observation: Observation) -> Decision:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().decide(observation)


class DyingModel(VlmPolicy):
    """The embedded model, whose process is killed once: at its fourth call, in mid-episode."""

    def __init__(self, killed: Path) -> None:
        super().__init__()
        self.killed = killed
        self.calls = 0

    def decide_many(self, requests: Sequence[Request]) -> list[Decision]:
        self.calls += 1
        if self.calls == 4 and not self.killed.exists():
            self.killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().decide_many(requests)


MODEL = ["eval", LINE, "--episodes", "8", "--max-steps", "2", "--batch", "2", "--workers", "2"]


def evaluate(
    out: Path, policy: Any, address: str | None, engines: int | None = None, episodes: int = 4
) -> EvaluationResult:
    plan = Plan("s", [LINE], episodes, max_steps=3, out=out, batch=2)
    return run_evaluation(plan, make, policy, compute=ComputeConfig(2, address, engines))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model's evaluation with two worker processes on this machine."""
    folder = tmp_path_factory.mktemp("local") / "evaluation"
    assert main([*MODEL, "--out", str(folder)]) == 0
    return folder


def test_two_engines_give_the_files_of_local_workers(
    tmp_path: Path, cluster: str, local: Path
) -> None:
    """One engine does too, even where it is killed: the next test."""
    words = ["--ray", cluster, "--engines", "2"]
    assert main([*MODEL, "--out", str(tmp_path / "there"), *words]) == 0
    assert differences(local, tmp_path / "there") == []
    assert engine_pids() == []


def test_a_killed_engine_costs_its_episodes_in_flight_only(
    tmp_path: Path, cluster: str, local: Path
) -> None:
    killed = tmp_path / "was-killed"
    plan = Plan.from_json(read_plan(local), tmp_path / "killed")
    run_evaluation(plan, make, lambda spec: DyingModel(killed), compute=ComputeConfig(2, cluster))
    assert killed.exists()
    assert differences(local, tmp_path / "killed") == []
    faults = [row.faults for row in read_rows(tmp_path / "killed" / "episodes.jsonl")[0]]
    assert {len(met) for met in faults} == {0, 1}
    assert all("the engine ended" in fault for met in faults for fault in met)


def test_an_episode_keeps_its_engine_and_two_engines_share_the_episodes(
    tmp_path: Path, cluster: str
) -> None:
    result = evaluate(tmp_path / "e", lambda spec: Up(), cluster, 2)
    # Two workers, two engines, and a machine for each of these.
    assert result.policy["conversations"] == 1
    deciders = []
    for row in read_rows(tmp_path / "e" / "episodes.jsonl")[0]:
        steps = read_trajectory(tmp_path / "e" / str(row.folder)).steps
        (only,) = {step.thought for step in steps}
        deciders.append(int(only))
    assert len(set(deciders)) == 2
    assert os.getpid() not in deciders


def test_an_episode_that_ends_every_engine_is_lost_after_three(
    tmp_path: Path, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines_module, "HEALTH_INTERVAL_S", 0.5)
    result = evaluate(tmp_path / "e", lambda spec: Fatal(), cluster, episodes=1).tasks[0]
    assert (result.rate.trials, result.lost, result.faults) == (0, 1, 3)
    assert engine_pids() == []


def test_engines_that_end_before_they_begin_end_the_evaluation(
    tmp_path: Path, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fatal(spec: str) -> Policy:
        os.kill(os.getpid(), signal.SIGKILL)
        return Up()

    monkeypatch.setattr(engines_module, "MOST_FALSE_STARTS", 2)
    monkeypatch.setattr(engines_module, "HEALTH_INTERVAL_S", 0.5)
    with pytest.raises(WorkerLost, match="engines end before they can begin"):
        evaluate(tmp_path / "e", fatal, cluster)
    assert not (tmp_path / "e").exists()
    assert engine_pids() == []


def test_a_policy_that_does_not_fit_into_the_memory_is_one_clear_line(
    tmp_path: Path, cluster: str
) -> None:
    def huge(spec: str) -> Policy:
        bytearray(1 << 62)
        return Up()

    with pytest.raises(CheckpointError, match="needs more memory than is free on node"):
        evaluate(tmp_path / "e", huge, cluster)
    assert not (tmp_path / "e").exists()


def test_engines_wait_for_room_within_a_bound(
    tmp_path: Path, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    ray.init(address=cluster, log_to_driver=False, logging_level="ERROR")
    try:
        others = [ray.remote(num_cpus=1)(InferenceActor).remote(b"") for _ in range(4)]
        ray.get([other.wait_ready.remote() for other in others])
        monkeypatch.setattr(engines_module, "ROOM_TIMEOUT_S", 0.1)
        monkeypatch.setattr(engines_module, "HEALTH_INTERVAL_S", 0.2)
        with pytest.raises(WorkerLost, match="has had room for an engine"):
            evaluate(tmp_path / "e", lambda spec: Up(), cluster)
    finally:
        ray.shutdown()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "./no-such-model"], "there is no model folder no-such-model"),
        (["--engines", "4"], "4 engines and an environment need 5 CPUs and it has 4"),
    ],
)
def test_what_engines_cannot_do_is_one_clear_line(
    tmp_path: Path,
    cluster: str,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    out = tmp_path / "e"
    assert main(["eval", LINE, "--ray", cluster, *words, "--out", str(out)]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("eyehand:")]
    assert len(errors) == 1
    assert message in errors[0]
    assert not out.exists()


def test_engines_without_a_cluster_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", LINE, "--engines", "2", "--out", str(tmp_path / "e")]) == 2
    assert "--engines needs --ray" in capsys.readouterr().err


def test_an_interrupted_evaluation_ends_its_engines_and_goes_on(
    tmp_path: Path, cluster: str, local: Path
) -> None:
    out = tmp_path / "e"
    command = [sys.executable, "-m", "eyehand", *MODEL, "--ray", cluster, "--out", str(out)]
    running = subprocess.Popen(command)
    rows = out / "episodes.jsonl"
    wait_until(lambda: rows.exists() and b"\n" in rows.read_bytes())
    running.send_signal(signal.SIGINT)
    assert running.wait(TIMEOUT_S) == 130
    before = rows.read_bytes().count(b"\n")
    assert 1 <= before < 8
    wait_until(lambda: not engine_pids())
    assert main(["eval", "--resume", str(out), "--ray", cluster]) == 0
    assert differences(local, out) == []
