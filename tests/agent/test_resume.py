"""Interrupted evaluations go on: what ended is not run again, what did not runs from its start."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eyehand.agent.cli.main import main
from eyehand.agent.evaluation.evaluate import run_evaluation
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.evaluation.store import ResultStore
from eyehand.agent.policies.base import Policy
from eyehand.agent.policies.registry import policy_maker
from eyehand.agent.results.diff import differences
from eyehand.agent.results.folder import read_rows
from eyehand.envs.env import Environment
from eyehand.envs.registry import make
from eyehand.errors import UsageError

LINE = "cards:number-line"
TIMEOUT_S = 120

EVALUATE = ["eval", LINE, "--policy", "random", "--max-steps", "6"]


def started(folder: Path, episodes: int, workers: int) -> subprocess.Popen[bytes]:
    command = [*EVALUATE, "--episodes", str(episodes), "--workers", str(workers)]
    return subprocess.Popen(
        [sys.executable, "-m", "eyehand", *command, "--out", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_for_rows(process: subprocess.Popen[bytes], path: Path, count: int) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline_s
        time.sleep(0.002)


def workers_of(parent: int) -> list[int]:
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in listed]


def wait_until_gone(pids: list[int]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline_s, "workers outlive the evaluator"
        time.sleep(0.01)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_killed_or_stopped_evaluation_goes_on_to_the_undisturbed_result(tmp_path: Path) -> None:
    episodes, moments = 24, random.Random(4)
    calm = tmp_path / "calm"
    assert main([*EVALUATE, "--episodes", str(episodes), "--out", str(calm)]) == 0
    for trial, kill in enumerate((signal.SIGKILL, signal.SIGINT, signal.SIGKILL)):
        folder = tmp_path / f"killed-{trial}"
        process = started(folder, episodes, workers=2)
        wait_for_rows(process, folder / "episodes.jsonl", moments.randrange(1, 12))
        workers = workers_of(process.pid)
        process.send_signal(kill)
        assert process.wait() == (130 if kill is signal.SIGINT else -kill)
        wait_until_gone(workers)
        before = {row.index for row in read_rows(folder / "episodes.jsonl")[0]}
        assert 0 < len(before) < episodes
        stamps = {path: path.stat().st_mtime_ns for path in finished_files(folder)}
        assert main(["eval", "--resume", str(folder), "--workers", "2"]) == 0
        assert differences(calm, folder) == []
        assert stamps.items() <= {p: p.stat().st_mtime_ns for p in finished_files(folder)}.items()


def finished_files(folder: Path) -> list[Path]:
    """Return the records of the episodes that have a row: they must not be written again."""
    rows = read_rows(folder / "episodes.jsonl")[0]
    return [folder / row.folder / "episode.jsonl" for row in rows if row.folder]


def interrupted(out: Path, after: int) -> Plan:
    """Run a plan of four episodes and stop as a person would, before the next one begins."""
    plan = Plan("s", [LINE], 4, max_steps=3, out=out)
    made: list[int] = []

    def stopping(spec: str) -> Policy:
        policy = policy_maker("random")(spec)
        start = policy.start

        def start_or_stop(*args: object, **options: object) -> object:
            made.append(1)
            if len(made) > after:
                raise KeyboardInterrupt
            return start(*args, **options)  # type: ignore[arg-type]

        policy.start = start_or_stop  # type: ignore[method-assign, assignment]
        return policy

    assert not run_evaluation(plan, make, stopping).finished
    return plan


def test_only_what_is_missing_runs(tmp_path: Path) -> None:
    plan = interrupted(tmp_path / "e", after=2)
    seeds: list[int] = []

    def counting(spec: str) -> Environment:
        environment = make(spec)
        reset = environment.reset

        def counted(*, seed: int | None = None, options: object = None) -> object:
            seeds.append(seed or 0)
            return reset(seed=seed)

        environment.reset = counted  # type: ignore[method-assign, assignment]
        return environment

    evaluation = run_evaluation(plan, counting, policy_maker("random"), resume=True)
    assert seeds == [1_000_002, 1_000_003]
    assert evaluation.finished
    assert evaluation.tasks[0].rate.trials == 4
    run_evaluation(plan, counting, policy_maker("random"), resume=True)
    assert len(seeds) == 2


def test_a_torn_last_line_is_an_episode_that_runs_again(tmp_path: Path) -> None:
    plan = interrupted(tmp_path / "e", after=2)
    path = tmp_path / "e" / "episodes.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert [row.index for row in read_rows(path)[0]] == [0]
    run_evaluation(plan, make, policy_maker("random"), resume=True)
    assert [row.index for row in read_rows(path)[0]] == [0, 1, 2, 3]
    run_evaluation(
        Plan("s", [LINE], 4, max_steps=3, out=tmp_path / "u"), make, policy_maker("random")
    )
    assert differences(tmp_path / "u", tmp_path / "e") == []


def test_another_plan_is_refused_and_every_difference_named(tmp_path: Path) -> None:
    interrupted(tmp_path / "e", after=2)
    other = Plan("s", [LINE], 4, 7, max_steps=3, out=tmp_path / "e")
    with pytest.raises(UsageError, match=r"plan: first_seed was 1000000 and is now 7"):
        run_evaluation(other, make, policy_maker("random"), resume=True)
    with pytest.raises(UsageError, match="policies was"):
        run_evaluation(
            Plan("s", [LINE], 4, max_steps=3, out=tmp_path / "e"),
            make,
            policy_maker("expert"),
            resume=True,
        )


def test_a_folder_without_a_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds nothing to go on with"):
        run_evaluation(Plan("s", [LINE], out=tmp_path), make, policy_maker("random"), resume=True)


def test_a_line_in_the_middle_that_is_no_row_is_named(tmp_path: Path) -> None:
    plan = interrupted(tmp_path / "e", after=2)
    path = tmp_path / "e" / "episodes.jsonl"
    path.write_bytes(b"garbage\n" + path.read_bytes())
    with pytest.raises(UsageError, match=r"episodes\.jsonl, line 1: "):
        run_evaluation(plan, make, policy_maker("random"), resume=True)


def test_two_evaluations_cannot_write_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyehand.agent.evaluation.store.LOCK_TIMEOUT_S", 0.1)
    with (
        ResultStore(tmp_path, {"suite": "s"}),
        pytest.raises(UsageError, match="another process is writing"),
    ):
        ResultStore(tmp_path, {"suite": "s"}, resume=True)
    ResultStore(tmp_path, {"suite": "s"}, resume=True).close()


def test_the_command_goes_on_as_it_was_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(tmp_path / "e")
    assert main([*EVALUATE, "--episodes", "3", "--keep", "none", "--out", folder]) == 0
    path = tmp_path / "e" / "episodes.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:1]))
    capsys.readouterr()
    assert main(["eval", "--resume", folder, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["policy"], document["tasks"][0]["episodes"]) == ("random", 3)
    assert (tmp_path / "e" / "episodes.csv").read_text().count("\n") == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--episodes", "2"], "begun with --episodes 3, not 2, and only more can be asked for"),
        (["--keep", "all"], "begun with --keep none, not all"),
        (["--first-seed", "1000001"], "begun with --first-seed 1000000, not 1000001"),
        (["--policy", "expert"], "begun with --policy random, not expert"),
        (["--out", "elsewhere"], "leave --out away"),
    ],
)
def test_the_command_refuses_to_go_on_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    folder = str(tmp_path / "e")
    assert main([*EVALUATE, "--episodes", "3", "--keep", "none", "--out", folder]) == 0
    assert main(["eval", "--resume", folder, *words]) == 2
    assert message in capsys.readouterr().err


def test_nothing_to_evaluate_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval"]) == 2
    assert "name a SUITE, or go on with --resume DIR" in capsys.readouterr().err


SUITE = """suite: s
tasks:
  - name: lake
    environment: FrozenLake-v1
    instruction: {instruction}
    limits: {{steps: {steps}}}
  - {{name: cart, environment: CartPole-v1, limits: {{steps: 2}}}}
"""


def declared(path: Path, instruction: str = "Walk.", steps: int = 3) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(SUITE.format(instruction=instruction, steps=steps))
    return path


def test_a_declaration_is_known_by_what_it_says_and_not_by_where_it_lies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = declared(tmp_path / "one" / "s.yaml")
    folder = tmp_path / "e"
    words = ["--policy", "random", "--keep", "none", "--episodes", "2"]
    assert main(["eval", str(first), *words, "--out", str(folder)]) == 0
    rows = folder / "episodes.jsonl"
    rows.write_bytes(b"".join(rows.read_bytes().splitlines(keepends=True)[:3]))
    moved = first.rename(tmp_path / "moved.yaml")
    capsys.readouterr()
    assert main(["eval", "--resume", str(folder)]) == 2
    assert "name the file where it lies now" in capsys.readouterr().err
    assert main(["eval", str(moved), "--resume", str(folder)]) == 0
    assert [(row.index, row.spec) for row in read_rows(rows)[0]] == [
        (i, f"suite:{moved}#{name}") for i, name in enumerate(("lake", "lake", "cart", "cart"))
    ]
    assert main(["eval", "--resume", str(folder)]) == 2  # only the plan names it


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"instruction": "Run."}, "#lake: instruction was 'Walk.' and is now 'Run.'"),
        ({"steps": 4}, "#lake: limits was {'steps': 3} and is now {'steps': 4}"),
    ],
)
def test_a_declaration_that_says_something_else_is_refused_under_the_same_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, Any], said: str
) -> None:
    path = declared(tmp_path / "s.yaml")
    words = ["--policy", "random", "--keep", "none", "--episodes", "1"]
    assert main(["eval", str(path), *words, "--out", str(tmp_path / "e")]) == 0
    declared(path, **changed)
    capsys.readouterr()
    assert main(["eval", str(path), "--resume", str(tmp_path / "e")]) == 2
    assert said in capsys.readouterr().err


def test_more_episodes_are_added_to_a_finished_evaluation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = declared(tmp_path / "s.yaml")
    words = ["eval", str(path), "--policy", "random", "--keep", "none"]
    small, whole = tmp_path / "small", tmp_path / "whole"
    assert main([*words, "--episodes", "2", "--out", str(small)]) == 0
    began = (small / "episodes.jsonl").read_text().splitlines()
    resume = ["eval", str(path), "--resume", str(small)]
    assert main([*resume, "--episodes", "4", "--workers", "2"]) == 0
    assert main([*words, "--episodes", "4", "--out", str(whole)]) == 0
    assert differences(small, whole) == []
    seconds = {json.loads(line)["seconds"] for line in began}
    kept = {row.seconds for row in read_rows(small / "episodes.jsonl")[0]}
    assert seconds <= kept, "episodes that had ended were run again"
    assert main([*resume, "--episodes", "3"]) == 2
    assert "only more can be asked for" in capsys.readouterr().err


def test_adding_episodes_may_be_cut_off_anywhere(tmp_path: Path) -> None:
    """The rows are renumbered, the plan is not yet: the next one finds every row's place again."""
    folder = tmp_path / "e"
    two = Plan("s", [LINE, "cards:blackjack"], 2, max_steps=3, out=folder)
    four = Plan("s", [LINE, "cards:blackjack"], 4, max_steps=3, out=folder)
    run_evaluation(two, make, policy_maker("random"))
    plan = (folder / "plan.json").read_text()
    document = {**json.loads(plan), "episodes": 4}
    ResultStore(folder, document, resume=True).close()
    assert [row.index for row in read_rows(folder / "episodes.jsonl")[0]] == [0, 1, 4, 5]
    assert not (folder / "evaluation.json").exists()
    (folder / "plan.json").write_text(plan)
    assert run_evaluation(two, make, policy_maker("random"), resume=True).tasks[1].rate.trials == 2
    evaluation = run_evaluation(four, make, policy_maker("random"), resume=True)
    assert [task.rate.trials for task in evaluation.tasks] == [4, 4]


def test_rows_that_were_replaced_meanwhile_are_locked_anew(tmp_path: Path) -> None:
    folder = tmp_path / "e"
    plan = Plan("s", [LINE], 1, max_steps=3, out=folder)
    run_evaluation(plan, make, policy_maker("random"))
    document = {**json.loads((folder / "plan.json").read_text()), "episodes": 3}
    with ResultStore(folder, document, resume=True) as store:
        assert store.descriptor is not None
        path = folder / "episodes.jsonl"
        assert os.path.samestat(os.fstat(store.descriptor), path.stat())
        store.append(replace(store.rows[0], index=1, seed=1_000_001))
    assert [row.seed for row in read_rows(path)[0]] == [1_000_000, 1_000_001]
