"""Paired comparison: hand-computed p-values, symmetry, and what is left out."""

import itertools
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyehand.agent.cli.main import main
from eyehand.agent.results.compare import compare, holm, mcnemar, paired_difference, sign_flip
from eyehand.agent.results.episode_result import EPISODES_FILE, EpisodeResult


def row(
    seed: int, solved: bool, spec: str = "a:x", task: str = "t", reward: float = 0
) -> EpisodeResult:
    outcome = "succeeded" if solved else "failed"
    return EpisodeResult(
        index=seed, spec=spec, seed=seed, task=task, outcome=outcome, reward=reward or float(solved)
    )


def lost(seed: int) -> EpisodeResult:
    return EpisodeResult(index=seed, spec="a:x", seed=seed, task="", outcome="environment_fault")


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (6, 0, 2 / 64),
        # 2 * (1 + 8) / 2^8
        (7, 1, 18 / 256),
        # 2 * (1 + 12 + 66) / 2^12
        (2, 10, 158 / 4096),
        (5, 5, 1.0),
    ],
)
def test_mcnemars_p_value_is_the_exact_binomial(gained: int, lost: int, p: float) -> None:
    assert mcnemar(gained, lost) == pytest.approx(p)


@settings(deadline=None)
@given(st.integers(0, 2000), st.integers(0, 2000))
def test_mcnemars_p_value_is_symmetric_and_a_probability(gained: int, lost: int) -> None:
    assert mcnemar(gained, lost) == mcnemar(lost, gained)
    assert 0 <= mcnemar(gained, lost) <= 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-3, 3).map(float), max_size=7))
def test_few_pairs_are_tried_in_every_assignment_of_signs(differences: list[float]) -> None:
    observed = abs(sum(differences))
    signs = list(itertools.product((1, -1), repeat=len(differences)))
    sums = [abs(sum(s * d for s, d in zip(one, differences, strict=True))) for one in signs]
    expected = sum(total >= observed for total in sums) / len(sums)
    assert sign_flip(differences) == pytest.approx(expected)
    assert sign_flip([-difference for difference in differences]) == pytest.approx(expected)


def test_many_pairs_are_drawn_and_agree_with_the_exact_binomial() -> None:
    # 40 differences of one size: the sign-flip test is the binomial test of McNemar.
    drawn = sign_flip([1.0] * 27 + [-1.0] * 13)
    assert drawn == pytest.approx(mcnemar(27, 13), abs=0.01)
    assert sign_flip([1.0] * 27 + [-1.0] * 13) == drawn
    assert 0 < sign_flip([1.0] * 60) < 0.001


def test_holm_keeps_the_order_and_never_exceeds_one() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_paired_interval_uses_the_pairs() -> None:
    # Ten pairs that each gain, and one that loses: the pairs agree, whatever the two rates are.
    estimate = paired_difference([[1.0] * 10 + [-1.0]])
    assert estimate.value == pytest.approx(9 / 11)
    assert estimate.low is not None
    assert estimate.low > 0.4
    # Standard error of the mean of n differences in -1, 0, 1 with as many gains as losses.
    estimate = paired_difference([[1.0, -1.0, 0.0, 0.0] * 100])
    assert estimate.high == pytest.approx(1.96 * math.sqrt(0.5 / 400), abs=0.005)


def test_every_task_weighs_the_same_in_the_overall_difference() -> None:
    first = [row(n, False, "a:x") for n in range(4)] + [row(9, False, "a:y")]
    second = [row(n, False, "a:x") for n in range(4)] + [row(9, True, "a:y")]
    assert compare(first, second).overall.success.value == 0.5


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_changing_sides_changes_the_signs_only(pairs: list[tuple[bool, bool]]) -> None:
    first = [row(n, solved) for n, (solved, _) in enumerate(pairs)]
    second = [row(n, solved) for n, (_, solved) in enumerate(pairs)]
    there, back = compare(first, second).overall, compare(second, first).overall
    assert (there.gained, there.lost) == (back.lost, back.gained)
    assert there.success.value == pytest.approx(-(back.success.value or 0.0))
    assert (there.p_value, there.reward_p_value) == (back.p_value, back.reward_p_value)


def test_what_is_not_paired_is_listed_and_counts_nowhere() -> None:
    first = [row(0, True), row(1, True), row(2, True), lost(3), row(4, True)]
    second = [
        row(0, False),
        row(2, False, task="another"),
        row(3, True),
        row(4, True),
        row(5, True),
    ]
    comparison = compare(first, second)
    assert comparison.overall.first.trials == 2
    assert comparison.overall.lost == 1
    assert comparison.unpaired == {
        "only in the first run": [("a:x", 1)],
        "only in the second run": [("a:x", 5)],
        "lost to a fault of the environment": [("a:x", 3)],
        "another instruction under the same seed": [("a:x", 2)],
    }


def evaluation(folder: Path, rows: list[EpisodeResult]) -> str:
    folder.mkdir()
    lines = "".join(json.dumps(one.to_json()) + "\n" for one in rows)
    (folder / EPISODES_FILE).write_text(lines + '{"index": 7, "sp')  # killed in mid-line
    return str(folder)


def test_the_command_prints_json_and_names_what_is_not_paired(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = evaluation(tmp_path / "a", [row(n, False) for n in range(6)])
    second = evaluation(tmp_path / "b", [row(n, True) for n in range(7)])
    assert main(["compare", first, second, "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["overall"]["pairs"] == 6
    assert document["overall"]["mcnemar_p_value"] == 2 / 64
    assert "only in the second run: 1 (a:x 6)" in err
    assert main(["compare", first, second, "--markdown"]) == 0
    assert "| a:x | 6 | 0% [0, 39] | 100% [61, 100] | +100 |" in capsys.readouterr().out
    assert main(["compare", first, second]) == 0
    assert "overall" in capsys.readouterr().out


def test_the_command_refuses_what_is_no_evaluation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = evaluation(tmp_path / "a", [row(0, True)])
    assert main(["compare", first, str(tmp_path / "none")]) == 2
    assert "holds no evaluation" in capsys.readouterr().err
    assert main(["compare", first, first, "--json", "--markdown"]) == 2
    other = evaluation(tmp_path / "b", [row(9, True)])
    assert main(["compare", first, other]) == 1
    assert "no episode is paired" in capsys.readouterr().err
