"""What an evaluation leaves behind: rows, tables, and a line in the terminal."""

import csv
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from eyehand.agent.cli.progress import EvaluationProgress, Pace, duration
from eyehand.agent.evaluation.evaluate import run_evaluation
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.policies.registry import policy_maker
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.agent.results.evaluation_result import read_run
from eyehand.agent.results.folder import read_rows
from eyehand.agent.trajectory.files import slug
from eyehand.envs.registry import make
from eyehand.errors import UsageError

LINE = "cards:number-line"
SCRIPT = ["no call", "✿FUNCTION✿: jump\n✿ARGS✿: {}", "✿FUNCTION✿: plus\n✿ARGS✿: {}"]


def evaluated(out: Path, episodes: int = 2) -> list[EpisodeResult]:
    plan = Plan("s", [LINE], episodes, 40, max_steps=3, out=out)
    run_evaluation(plan, make, lambda spec: ScriptedPolicy(SCRIPT))
    return read_rows(out / "episodes.jsonl")[0]


def test_a_row_says_what_an_episode_was_and_what_came_of_it(tmp_path: Path) -> None:
    first, second = evaluated(tmp_path)
    assert (first.index, first.spec, first.seed) == (0, LINE, 40)
    assert (second.index, second.seed) == (1, 41)
    assert first.task
    assert first.steps == 3
    assert first.answer_errors == {"unknown": 1, "unparsable": 1}
    assert {"decide", "perform", "record"} <= set(first.timings_s)
    assert (first.attempts, first.faults) == (1, [])
    assert (tmp_path / (first.folder or "") / "episode.jsonl").is_file()


def test_a_row_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    for row in evaluated(tmp_path):
        assert EpisodeResult.from_json(row.to_json()) == row
        assert EpisodeResult.from_json({**row.to_json(), "of_a_later_version": 1}) == row


@pytest.mark.parametrize(
    "data", [None, [], "text", {}, {"index": 1}, {"index": 0, "spec": "s", "seed": 0, "task": "",
                                                 "outcome": "unheard of"}]
)  # fmt: skip
def test_what_is_no_row_is_refused(data: object) -> None:
    with pytest.raises(UsageError, match="expected an episode's row"):
        EpisodeResult.from_json(data)


def test_the_table_has_a_line_an_episode_and_a_column_a_number(tmp_path: Path) -> None:
    rows = evaluated(tmp_path)
    with (tmp_path / "episodes.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [int(line["seed"]) for line in table] == [40, 41]
    assert table[0]["answer_errors.unparsable"] == "1"
    assert table[0]["outcome"] == rows[0].outcome
    assert float(table[0]["timings_s.decide"]) == rows[0].timings_s["decide"]


def test_a_folder_tells_what_the_evaluation_came_to(tmp_path: Path) -> None:
    plan = Plan("s", [LINE, "cards:blackjack"], 3, max_steps=3, out=tmp_path)
    result = run_evaluation(plan, make, policy_maker("random"))
    read = read_run(tmp_path)
    assert (result.rows, result.finished) == (read.rows, read.finished) == (read.rows, True)
    assert (result.summary, result.tasks, result.ceilings) == (
        read.summary, read.tasks, read.ceilings
    )  # fmt: skip
    written = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert written == result.to_json() == read.to_json()
    assert {"task", "ceiling", "interval", "mean_tokens", "unscored"} <= written["tasks"][0].keys()


def test_an_interrupted_evaluation_counts_the_same_in_every_table(tmp_path: Path) -> None:
    plan = Plan("s", [LINE], 3, max_steps=3, out=tmp_path)
    run_evaluation(plan, make, policy_maker("random"))
    rows = (tmp_path / "episodes.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "episodes.jsonl").write_bytes(rows[0] + rows[2])  # the second one is missing
    read = read_run(tmp_path)
    assert not read.finished
    assert read.summary.rate.episodes == read.to_json()["tasks"][0]["episodes"] == 1


def test_progress_tells_the_rate_its_interval_and_what_was_lost() -> None:
    terminal = io.StringIO()
    plan = Plan("mine", [LINE], 3)
    rows = [EpisodeResult(i, LINE, i, "go", outcome) for i, outcome in
            enumerate(("succeeded", "failed", "environment_fault"))]  # fmt: skip
    with EvaluationProgress(Console(file=terminal, width=200)) as progress:
        progress.begins(plan, [])
        for row in rows:
            progress.episode_ended(row)
    shown = terminal.getvalue()
    assert f"{LINE}, seed 2, is not counted" in shown
    assert f"{LINE}  50% [9, 91]  of 2" in shown
    assert "3/3" in shown


def test_the_pace_counts_what_this_run_did() -> None:
    clock = iter([0.0, 60.0, 60.0])
    pace = Pace(91, clock=lambda: next(clock))
    assert str(Pace(5, clock=lambda: 0.0)) == ""
    pace.add()
    assert str(pace) == "1.0 a minute, 1 h 30 min left"
    assert duration(59.6) == "1 min 0 s"


def test_long_specs_that_begin_alike_have_folders_of_their_own() -> None:
    names = {slug(f"gym:{'x' * 90}?size={size}") for size in (1, 2)}
    assert len(names) == 2
    assert all(len(name) <= 80 for name in names)


def test_experts_and_random_share_seeds_and_instructions(tmp_path: Path) -> None:
    asked = []
    for policy in ("expert", "random"):
        plan = Plan("s", [LINE], 3, out=tmp_path / policy)
        run_evaluation(plan, make, policy_maker(policy))
        rows, _ = read_rows(tmp_path / policy / "episodes.jsonl")
        asked.append([(row.index, row.seed, row.task) for row in rows])
    assert asked[0] == asked[1]
