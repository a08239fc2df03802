"""The throughput benchmark: our side in real Chromium, the peer's with a stand-in."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks.__main__ import make_parser
from benchmarks.browsergym.interpreter import Peer
from benchmarks.episodes.answers import ScriptedAnswers, find_answers
from benchmarks.episodes.measure import CrewRow, play_turns, ratios
from benchmarks.episodes.runners import Answers, Crew, OurCrew, PeerCrew, Run
from benchmarks.step.runners import CLICK_AT

from eyehand.agent.cli.main import main
from eyehand.envs.miniwob.environment import MiniWobEnvironment
from eyehand.errors import EnvironmentFault, UsageError

pytestmark = pytest.mark.usefixtures("browser_ends")

# An interpreter's stand-in that keeps the peer's protocol: it notes its requests in a file.
STAND_IN = """#!{python}
import json, os, sys
print(json.dumps({{"versions": {{"python": "0"}}}}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    with open({log!r}, "a") as log:
        log.write(json.dumps([os.getpid(), request]) + "\\n")
    failed = {{"error": "RuntimeError: no such page"}}
    print(json.dumps(failed if request["task"] == "broken" else {{"step_s": []}}), flush=True)
"""

ANSWERS: Answers = {"click-tab": {7: [(1.0, 2.0)], 8: [(3.0, 4.0)]}, "click-test": {7: [], 8: []}}


@pytest.fixture
def stand_in(tmp_path: Path) -> tuple[str, Path]:
    """A program that answers like the peer's script, and the file of what it was asked."""
    program, log = tmp_path / "python", tmp_path / "log"
    program.write_text(STAND_IN.format(python=sys.executable, log=str(log)))
    program.chmod(0o755)
    return str(program), log


class Timed(Crew):
    """A crew whose episodes end at given times; it logs whose turn it was."""

    keeps = "nothing"

    def __init__(
        self, name: str, ours: bool, at_a_time: int, turns: list[list[float]], log: list[str]
    ) -> None:
        self.name, self.ours, self.at_a_time = name, ours, at_a_time
        self._turns, self._log = iter(turns), log

    def play(self, answers: Answers) -> Run:
        self._log.append(self.name)
        return Run(next(self._turns), self.at_a_time)


def test_our_workers_are_measured_in_chromium(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["episodes", "--task", "click-tab", "--episodes", "4", "--steps", "2"]
    assert main([*command, "--rounds", "1", "--json"], make_parser) == 0
    said = capsys.readouterr()
    document: dict[str, Any] = json.loads(said.out)
    assert (document["tasks"], document["peer"], document["ratios"]) == (["click-tab"], None, [])
    assert [row["at_a_time"] for row in document["rows"]] == [1, 2]
    for row in document["rows"]:
        assert row["ours"]
        under_way, whole = row["episodes_a_minute"]["median"], row["whole_a_minute"]["median"]
        assert under_way > 0
        assert whole == pytest.approx(60 * 4 / row["turn_s"]["median"], rel=1e-3)
    assert "round 1 of 1: eyehand, 2 workers" in said.err
    assert "--peer-python" in said.err


def test_the_answers_solve_the_episodes_with_as_many_clicks_as_asked() -> None:
    found = find_answers("click-dialog", [1_000_000, 1_000_001], 3)
    assert [len(clicks) for clicks in found.values()] == [3, 3]
    assert all(clicks[:2] == [CLICK_AT] * 2 for clicks in found.values())
    environment = MiniWobEnvironment("click-dialog")
    policy = ScriptedAnswers("click-dialog", found)
    for seed in found:
        observation, _ = environment.reset(seed=seed)
        conversation = policy.start("", environment.action_space, seed)
        rewards = []
        for _ in range(3):
            action = conversation.decide(observation).action
            assert action is not None
            observation, reward, terminated, _, _ = environment.step(action)
            rewards.append((reward, terminated))
        assert rewards == [(0.0, False), (0.0, False), (1.0, True)]
    with pytest.raises(UsageError, match="seed 5"):
        policy.start("", environment.action_space, 5)


def test_an_episode_that_its_answers_do_not_solve_is_no_measurement() -> None:
    wrong: Answers = {"click-tab": {1_000_000: [CLICK_AT], 1_000_001: [CLICK_AT]}}
    with pytest.raises(EnvironmentFault, match="after 1 of 1 steps"):
        OurCrew(1).play(wrong)


@pytest.mark.parametrize("task", ["no-such-task", "drag-box"])
def test_a_task_that_clicks_do_not_solve_is_wrong_usage(task: str) -> None:
    with pytest.raises(UsageError, match=r"no expert|needs drag"):
        find_answers(task, [1_000_000], 1)


def test_too_few_episodes_for_a_rate_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["episodes", "--task", "click-tab", "--episodes", "2"], make_parser) == 2
    assert "more than 2 episodes" in capsys.readouterr().err


def test_a_peer_without_browsergym_is_refused_before_anything_is_played(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["episodes", "--peer-python", "/no/such/python"], make_parser) == 2
    assert "round" not in capsys.readouterr().err


def test_peers_share_the_episodes_and_get_the_same_answers(stand_in: tuple[str, Path]) -> None:
    python, log = stand_in
    with Peer(python, log.parent, None) as one, Peer(python, log.parent, None) as other:
        crew = PeerCrew("peer", [one, other], {"slow_mo": 0})
        run = crew.play(ANSWERS)
    asked = [json.loads(line) for line in log.read_text().splitlines()]
    assert (crew.name, run.at_a_time) == ("peer, 2 processes", 2)
    assert len(run.ends_s) == 4
    assert run.ends_s == sorted(run.ends_s)
    played = {(r["task"], r["seed"]): [tuple(point) for point in r["clicks"]] for _, r in asked}
    assert played == {(t, s): clicks for t, of in ANSWERS.items() for s, clicks in of.items()}
    assert all(r["solves"] and r["options"] == {"slow_mo": 0} for _, r in asked)
    assert len({pid for pid, _ in asked}) == 2
    assert os.getpid() not in {pid for pid, _ in asked}


def test_a_peers_failed_episode_ends_the_measurement(stand_in: tuple[str, Path]) -> None:
    python, log = stand_in
    with Peer(python, log.parent, None) as peer, pytest.raises(EnvironmentFault, match="no such"):
        PeerCrew("peer", [peer], {}).play({"broken": {1: [], 2: []}})


def test_a_rate_counts_what_ended_after_the_first_ones() -> None:
    run = Run([5.0, 7.0, 9.0, 10.0, 11.0], 2)
    assert run.a_minute == pytest.approx(60 * 3 / 4)
    assert run.whole_a_minute == pytest.approx(60 * 5 / 11)


def test_turns_alternate_and_ratios_compare_equal_parallelism() -> None:
    log: list[str] = []
    fast, slow = [0.0, 1.0, 2.0], [0.0, 4.0, 8.0]
    crews = [
        Timed("mine", True, 1, [fast, fast], log),
        Timed("peer", False, 1, [slow, fast], log),
        Timed("peers", False, 2, [slow, slow], log),
    ]
    rows: list[CrewRow] = play_turns(crews, {}, 2, lambda line: None)
    assert log == ["mine", "peer", "peers", "peers", "peer", "mine"]
    (ratio,) = ratios(rows)
    assert (ratio["ours"], ratio["peer"], ratio["at_a_time"]) == ("mine", "peer", 1)
    assert (ratio["low"], ratio["median"], ratio["high"]) == (1.0, 2.5, 4.0)
