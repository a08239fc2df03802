"""Worker processes: the same episodes for any number of them, and nothing lost but time."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from eyehand.actions import ActionSpace
from eyehand.agent.evaluation.evaluate import ComputeConfig, run_evaluation
from eyehand.agent.evaluation.inference import LocalInferenceServer, SlotRequest
from eyehand.agent.evaluation.messages import (
    EpisodeFinished,
    EpisodeJob,
    EpisodeLost,
    Reply,
    WorkerReady,
    packed,
    unpacked,
)
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.evaluation.scheduler import Scheduler, Worker
from eyehand.agent.experts.cards.number_line import NumberLineExpert
from eyehand.agent.policies.base import (
    Conversation,
    ConversationStart,
    Decision,
    DecisionReply,
    DecisionRequest,
    InferenceClient,
    Policy,
    Request,
)
from eyehand.agent.policies.blind import BlindPolicy
from eyehand.agent.policies.random import RandomPolicy
from eyehand.agent.policies.registry import policy_maker
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.agent.results.diff import differences
from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.agent.results.evaluation_result import EvaluationResult
from eyehand.envs.cards.number_line import Plus
from eyehand.envs.env import Observation
from eyehand.envs.registry import make
from eyehand.errors import UsageError, WorkerLost

LINE = "cards:number-line"
CART = "gym:CartPole-v1"

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def worker_pids(parent: int | None = None) -> list[int]:
    """Return the worker processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            started_by = int(stat.read_text().rpartition(")")[2].split()[1])
            command = (stat.parent / "cmdline").read_bytes()
        except OSError:  # it has ended in the meantime
            continue
        if (
            started_by == (parent or os.getpid())
            and b"eyehand.agent.evaluation.worker_process" in command
        ):
            found.append(int(stat.parent.name))
    return sorted(found)


class Up(Policy, Conversation):
    """Always goes up; kills a worker at the decisions whose numbers are in `kills`."""

    name = "up"

    def __init__(self, kills: Sequence[int] = ()) -> None:
        self.kills = kills
        self.decisions = 0
        self.killed = 0

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        return self

    def decide(self, observation: Observation) -> Decision:
        self.decisions += 1
        if self.decisions in self.kills:
            os.kill(worker_pids()[0], signal.SIGKILL)
            self.killed += 1
        return Decision(action=Plus(), tokens={"prompt": 7, "generated": 3})


def evaluate(
    out: Path, specs: list[str], policy: str, workers: int, episodes: int = 6
) -> EvaluationResult:
    plan = Plan("s", specs, episodes, max_steps=4, out=out)
    return run_evaluation(plan, make, policy_maker(policy), compute=ComputeConfig(workers))


@pytest.mark.parametrize("policy", ["expert", "random"])
def test_one_two_and_four_workers_give_the_same_files(tmp_path: Path, policy: str) -> None:
    for workers in (1, 2, 4):
        evaluation = evaluate(tmp_path / str(workers), [LINE], policy, workers)
        assert evaluation.tasks[0].rate.trials == 6
    assert differences(tmp_path / "1", tmp_path / "2") == []
    assert differences(tmp_path / "1", tmp_path / "4") == []
    lines = [(tmp_path / n / "episodes.jsonl").read_text().count("\n") for n in "124"]
    assert lines == [6, 6, 6]
    assert worker_pids() == []


@pytest.mark.parametrize(("policy", "workers"), [("expert", 2), ("random", 4)])
def test_browser_tasks_are_the_same_in_workers(tmp_path: Path, policy: str, workers: int) -> None:
    specs = ["miniwob:click-button", "miniwob:click-tab"]
    evaluate(tmp_path / "one", specs, policy, 1, episodes=2)
    evaluate(tmp_path / "many", specs, policy, workers, episodes=2)
    assert differences(tmp_path / "one", tmp_path / "many") == []


def test_the_embedded_model_decides_for_workers_as_it_does_here(tmp_path: Path) -> None:
    for workers in (1, 2):
        plan = Plan("s", [LINE], 2, max_steps=2, out=tmp_path / str(workers))
        run_evaluation(plan, make, policy_maker("model"), compute=ComputeConfig(workers))
    assert differences(tmp_path / "1", tmp_path / "2") == []


def test_another_seed_is_told_apart(tmp_path: Path) -> None:
    evaluate(tmp_path / "a", [LINE], "random", 1, episodes=1)
    plan = Plan("s", [LINE], 1, 1_000_001, max_steps=4, out=tmp_path / "b")
    run_evaluation(plan, make, policy_maker("random"))
    found = "\n".join(differences(tmp_path / "a", tmp_path / "b"))
    assert "plan: first_seed" in found
    assert "screens/000.png differs" in found


def test_action_types_made_at_run_time_go_there_and_back(tmp_path: Path) -> None:
    script = ["✿FUNCTION✿: push_left\n✿ARGS✿: {}", "no call", "✿FUNCTION✿: push_right\n✿ARGS✿: {}"]
    for workers in (1, 2):
        plan = Plan("s", [CART], 3, max_steps=3, out=tmp_path / str(workers))
        evaluation = run_evaluation(
            plan, make, lambda spec: ScriptedPolicy(script), compute=ComputeConfig(workers)
        )
        row = evaluation.tasks[0].to_json()
        assert row["answer_errors"] == {"unparsable": 3, "unknown": 0, "illegal": 0}
    assert differences(tmp_path / "1", tmp_path / "2") == []


def test_the_blind_control_works_in_workers(tmp_path: Path) -> None:
    for workers in (1, 2):
        plan = Plan("s", [LINE], 3, max_steps=3, out=tmp_path / str(workers))
        run_evaluation(plan, make, lambda spec: BlindPolicy(Up()), compute=ComputeConfig(workers))
    assert differences(tmp_path / "1", tmp_path / "2") == []


def test_a_killed_workers_episode_is_run_again(tmp_path: Path) -> None:
    plan = Plan("s", [LINE], 8, max_steps=4, out=tmp_path / "calm")
    run_evaluation(plan, make, lambda spec: Up(), compute=ComputeConfig(2))
    policy = Up(kills=(3, 9))
    plan = Plan("s", [LINE], 8, max_steps=4, out=tmp_path / "killed")
    result = run_evaluation(plan, make, lambda spec: policy, compute=ComputeConfig(2)).tasks[0]
    assert policy.killed == 2
    assert (result.rate.trials, result.lost) == (8, 0)
    # A worker between two episodes loses none.
    assert 0 < result.faults <= 2
    assert differences(tmp_path / "calm", tmp_path / "killed") == []
    assert worker_pids() == []


class Doomed:
    """A pool whose workers end at the named episodes, or before they are ready.

    With an `end` they stay, and only the episode ends so.
    """

    def __init__(
        self, fatal: Sequence[int], false_starts: int = 0, end: EpisodeLost | None = None
    ) -> None:
        self.fatal, self.false_starts, self.end = fatal, false_starts, end
        self.started = 0

    def start(self) -> "DoomedWorker":
        self.started += 1
        return DoomedWorker(self, None if self.started <= self.false_starts else WorkerReady())

    def wait(self, workers: Sequence[Worker]) -> list[tuple[Worker, Reply | None]]:
        return [(w, w.reply) for w in workers if isinstance(w, DoomedWorker)]

    def close(self) -> None:
        self.closed = True


class DoomedWorker:
    def __init__(self, worker_pool: Doomed, reply: Reply | None) -> None:
        self.worker_pool, self.reply = worker_pool, reply

    def send(self, message: EpisodeJob | DecisionReply) -> None:
        assert isinstance(message, EpisodeJob)
        row = EpisodeResult(message.index, message.spec, message.seed, "", "failed")
        self.reply = (
            self.worker_pool.end
            if message.index in self.worker_pool.fatal
            else EpisodeFinished(row)
        )

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass

    def kill(self) -> None:
        pass

    def why_lost(self) -> str:
        return "doomed"


def scheduled(worker_pool: Doomed, cleared: list[int]) -> list[EpisodeResult]:
    jobs = Plan("s", [LINE], 4, 0).jobs()
    scheduler = Scheduler(
        worker_pool, LocalInferenceServer({}), jobs, 2, lambda job: cleared.append(job.index)
    )
    return sorted((f.row for f in scheduler.run()), key=lambda row: row.index)


def test_an_episode_that_ends_three_workers_is_lost_and_the_others_count() -> None:
    cleared: list[int] = []
    rows = scheduled(Doomed(fatal=[1]), cleared)
    assert [row.outcome for row in rows] == ["failed", "environment_fault", "failed", "failed"]
    assert rows[1].faults == ["WorkerLost: doomed"] * 3
    assert (rows[1].attempts, rows[0].attempts) == (3, 1)
    assert cleared == [1, 1, 1]


def test_an_episode_that_loses_who_decides_runs_again_on_the_same_worker() -> None:
    cleared: list[int] = []
    worker_pool = Doomed(fatal=[2], end=EpisodeLost("nobody decides"))
    rows = scheduled(worker_pool, cleared)
    assert [row.outcome for row in rows] == ["failed", "failed", "environment_fault", "failed"]
    assert rows[2].faults == ["WorkerLost: nobody decides"] * 3
    assert cleared == [2, 2, 2]
    assert worker_pool.started == 2


def test_workers_that_end_before_they_begin_are_replaced_within_a_bound() -> None:
    assert len(scheduled(Doomed([], false_starts=4), [])) == 4
    with pytest.raises(WorkerLost, match="before they can begin: doomed"):
        scheduled(Doomed([], false_starts=99), [])


def test_what_a_policy_refuses_ends_the_evaluation_as_it_would_here() -> None:
    class Refusing(Up):
        def start(
            self, task: str, action_space: ActionSpace, seed: int | None = None
        ) -> Conversation:
            raise UsageError("not this task")

    for workers in (1, 2):
        with pytest.raises(UsageError, match="not this task"):
            run_evaluation(
                Plan("s", [LINE], 2), make, lambda spec: Refusing(), compute=ComputeConfig(workers)
            )
    assert worker_pids() == []


def test_a_spec_that_cannot_be_made_ends_the_evaluation() -> None:
    with pytest.raises(UsageError, match="no card game is called"):
        run_evaluation(
            Plan("s", ["cards:none"], 2), make, lambda spec: Up(), compute=ComputeConfig(workers=2)
        )


def test_the_limit_of_tokens_ends_an_episode() -> None:
    plan = Plan("s", [LINE], 2, 0, max_steps=9, max_tokens=20)
    result = run_evaluation(plan, make, lambda spec: Up(), compute=ComputeConfig(workers=2)).tasks[
        0
    ]
    assert set(result.outcomes) <= {"token_limit", "succeeded", "failed"}
    assert result.outcomes["token_limit"] >= 1
    assert result.decisions <= 4


def test_a_policy_is_asked_for_many_episodes_at_once_up_to_the_batch() -> None:
    sizes: list[int] = []

    class Counting(Up):
        def decide_many(self, requests: Sequence[Request]) -> list[Decision]:
            sizes.append(len(requests))
            return super().decide_many(requests)

    with make(LINE) as environment:
        observation, _ = environment.reset(seed=1)
        begin = ConversationStart("go", environment.action_space, 1)
    questions: list[SlotRequest] = [
        (slot, LINE, DecisionRequest(observation, begin)) for slot in (4, 7, 9)
    ]
    inference = LocalInferenceServer({LINE: Counting()}, batch=2)
    assert [slot for slot, _ in inference.answer(questions)] == [4, 7, 9]
    assert sizes == [2, 1]


def test_policies_of_the_workers_go_there_and_a_shared_one_stays() -> None:
    assert RandomPolicy().split()[1] is None
    assert NumberLineExpert().split()[1] is None  # it says nothing, but reads the environment
    assert BlindPolicy(RandomPolicy()).split()[1] is None
    policy = Up()
    assert BlindPolicy(policy).split()[1] is policy
    shipped, served = policy.split()
    assert isinstance(shipped, InferenceClient)
    assert served is policy
    assert shipped.describe() == policy.describe()


def test_a_type_that_comes_back_is_the_type_that_was_sent() -> None:
    with make(CART) as environment:
        environment.reset(seed=1)
        action = environment.action_space.sample()
        back = unpacked(packed(Decision(action=action))).action
        assert type(back) is type(action)
        assert environment.action_space.contains(back)


def test_engines_are_refused_without_a_cluster() -> None:
    with pytest.raises(UsageError, match="--engines needs --ray"):
        ComputeConfig(engines=2)
    with pytest.raises(UsageError, match="at least 1 engine"):
        ComputeConfig(ray_address="auto", engines=0)


def test_fewer_than_one_worker_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 1 worker"):
        ComputeConfig(workers=0)
    with pytest.raises(UsageError, match="batch of at least 1"):
        Plan("s", [LINE], batch=0)
