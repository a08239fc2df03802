"""Tables over rows: what counts, what is counted apart, and what an unfinished run may say."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.agent.results.summary import (
    by_spec,
    is_simulated,
    settled,
    shown_name,
    summarize,
    summarize_suite,
    summarize_tasks,
)


def row(index: int, outcome: str = "succeeded", spec: str = "a:x", **more: Any) -> EpisodeResult:
    return EpisodeResult(
        index=index, spec=spec, seed=100 + index, task="t", outcome=outcome, **more
    )


def test_an_episode_lost_to_faults_is_counted_apart() -> None:
    lost = row(2, "environment_fault", faults=["BrowserCrashed: x"] * 3, attempts=3, reward=-9.0)
    retried = row(1, "failed", faults=["BrowserCrashed: y"], attempts=2)
    summary = summarize("a:x", [row(0, reward=1.0), retried, lost])
    assert (summary.rate.successes, summary.rate.trials) == (1, 2)
    assert summary.reward.value == 0.5
    assert (summary.faults, summary.lost) == (4, 1)
    assert "environment_fault" not in summary.outcomes


def test_only_the_environments_verdict_is_a_success() -> None:
    outcomes = ["succeeded", "claimed", "ended", "gave_up", "step_limit"]
    summary = summarize("a:x", [row(n, outcome) for n, outcome in enumerate(outcomes)])
    assert summary.success.value == 0.2
    assert sum(summary.outcomes.values()) == 5


def test_latency_is_a_step_and_tokens_are_an_episode() -> None:
    summary = summarize(
        "a:x",
        [
            row(0, steps=1, timings_s={"decide": 0.5}, tokens={"generated": 10}),
            row(1, steps=9, timings_s={"decide": 0.5, "perform": 1.0}, tokens={"generated": 30}),
        ],
    )
    assert summary.latency_s == pytest.approx({"decide": 0.1, "perform": 0.1})
    assert summary.tokens == {"generated": 20.0}
    assert (summary.mean_steps, summary.median_steps) == (5.0, 5.0)


def test_answer_errors_keep_their_kinds_and_have_a_share() -> None:
    summary = summarize(
        "a:x",
        [
            row(0, steps=4, answer_errors={"unparsable": 1}),
            row(1, steps=6, answer_errors={"unparsable": 2, "out_of_range": 1}),
        ],
    )
    assert summary.answer_errors == {"out_of_range": 1, "unparsable": 3}
    assert summary.answer_error_share == 0.4


def test_nothing_is_claimed_of_no_episode() -> None:
    summary = summarize("a:x", [row(0, "environment_fault")])
    assert summary.success.value is None
    assert summary.mean_steps is None
    assert summary.to_json()["success_rate"] is None


def test_a_suites_rate_is_the_mean_over_its_tasks() -> None:
    rows = [row(0, spec="a:x"), *(row(n, "failed", spec="a:y") for n in range(1, 5))]
    assert summarize_suite("both", rows).success.value == 0.5
    assert [task.name for task in summarize_tasks(rows)] == ["a:x", "a:y"]


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(8)))
def test_the_order_in_which_episodes_end_changes_nothing(order: list[int]) -> None:
    rows = [
        row(n, "failed" if n % 3 else "succeeded", spec=f"a:{n % 2}", reward=n / 4)
        for n in range(8)
    ]
    shuffled = [rows[n] for n in order]
    assert by_spec(shuffled) == by_spec(rows)
    assert summarize_suite("s", by_spec(shuffled)["a:0"]).to_json() == (
        summarize_suite("s", by_spec(rows)["a:0"]).to_json()
    )


def test_what_ended_behind_a_gap_waits_for_the_gap() -> None:
    # Seeds 100 to 104 were planned; the long episode 102 is still running.
    there = [row(0, "failed", steps=9), row(1, steps=8), row(3, steps=1), row(4, steps=1)]
    assert [kept.seed for kept in settled(there, range(100, 105))] == [100, 101]
    assert settled([*there, row(2)], range(100, 105)) == [
        *there[:2],
        row(2),
        *there[2:],
    ]


def test_a_phone_result_says_that_it_is_simulated() -> None:
    assert shown_name("phone:add-contact") == "phone:add-contact (simulated)"
    assert shown_name("android:emulator-5554") == "android:emulator-5554"
    assert is_simulated("phone:add-contact")
