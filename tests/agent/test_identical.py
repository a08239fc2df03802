"""Two evaluations are the same file by file, or it is said task by task what differs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eyehand.agent.cli.main import main
from eyehand.agent.evaluation.evaluate import ComputeConfig, run_evaluation
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.policies.registry import policy_maker
from eyehand.agent.results.diff import compare_folders, differences
from eyehand.envs.registry import make
from eyehand.errors import UsageError

GAMES = ["cards:number-line", "cards:ez-points"]


def evaluated(out: Path, policy: str = "expert", workers: int = 1) -> Path:
    plan = Plan("s", GAMES, 2, max_steps=4, out=out)
    run_evaluation(plan, make, policy_maker(policy), compute=ComputeConfig(workers))
    return out


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evaluated(tmp_path_factory.mktemp("identical") / "first")


@pytest.fixture
def second(first: Path, tmp_path: Path) -> Path:
    """A copy, to spoil."""
    shutil.copytree(first, tmp_path / "second")
    return tmp_path / "second"


def edit(path: Path, change: Callable[[str], str]) -> None:
    """Change a file, which must change it."""
    before = path.read_text(encoding="utf-8")
    assert change(before) != before
    path.write_text(change(before), encoding="utf-8")


def test_two_runs_are_identical_and_it_is_said_what_was_compared(
    first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = evaluated(tmp_path / "again", workers=2)
    compared = compare_folders(first, again)
    pictures = len(list(first.rglob("screens/*")))
    assert pictures > 8
    assert (compared.episodes, compared.screens, compared.files) == (4, pictures, 4)
    assert main(["compare", str(first), str(again), "--identical"]) == 0
    line = f"identical: 4 episodes, 4 files, {pictures} screens compared\n"
    assert capsys.readouterr().out == line
    assert main(["compare", str(first), str(again), "--identical", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["identical"] is True
    assert (document["episodes"], document["screens"], document["files"]) == (4, pictures, 4)
    assert document["differing"] == {}


def test_differences_are_told_by_task(
    first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = evaluated(tmp_path / "random", "random")
    assert main(["compare", str(first), str(other), "--identical", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["identical"] is False
    assert list(document["differing"]) == GAMES
    assert all(1 <= len(found) <= 5 for found in document["differing"].values())
    assert document["differing_episodes"] == dict.fromkeys(GAMES, 2)
    assert "plan: policies: cards:ez-points: name: 'expert' and 'random'" in document["plan"]
    assert main(["compare", str(first), str(other), "--identical"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"not identical, {document['differences']} differences: 4 episodes")
    assert [line for line in lines[1:] if not line.startswith("  ")] == [
        f"{spec}: 2 episodes differ" for spec in GAMES
    ]
    assert len(lines) <= 1 + 50 + len(GAMES)


def test_one_changed_pixel_is_found_in_its_task(first: Path, second: Path) -> None:
    screen = sorted((second / "cards-ez-points").rglob("screens/*.png"))[1]
    with Image.open(screen) as picture:
        pixels = np.array(picture)
    pixels[3, 5, 1] ^= 1
    Image.fromarray(pixels).save(screen)
    compared = compare_folders(first, second)
    assert list(compared.differing) == ["cards:ez-points"]
    assert compared.differences == 1
    assert compared.differing["cards:ez-points"][0].endswith(f"screens/{screen.name} differs")


def test_a_picture_that_was_packed_otherwise_is_the_same(first: Path, second: Path) -> None:
    screen = sorted(second.rglob("screens/*.png"))[0]
    before = screen.read_bytes()
    with Image.open(screen) as picture:
        picture.load()
    picture.save(screen, compress_level=0)
    assert screen.read_bytes() != before
    assert compare_folders(first, second).identical


def test_what_an_evaluation_ran_on_is_set_aside(first: Path, second: Path) -> None:
    plan = second / "plan.json"
    document = json.loads(plan.read_text())
    compute = {"workers": 4, "ray": "head:6379", "ray_address": "auto", "engines": 2, "suite": "t"}
    plan.write_text(json.dumps({**document, **compute, "eyehand": "9.9"}))
    assert differences(first, second) == []
    plan.write_text(json.dumps({**document, "batch": 4}))
    assert differences(first, second) == ["plan: batch: '1' and '4'"]


def test_times_and_tries_are_set_aside_and_rewards_are_not(first: Path, second: Path) -> None:
    rows = second / "episodes.jsonl"
    edit(rows, lambda text: text.replace('"attempts": 1', '"attempts": 3'))
    assert compare_folders(first, second).identical
    edit(rows, lambda text: text.replace('"reward": 1.0', '"reward": 0.5', 1))
    assert differences(first, second) == [
        "episode 0 (cards:number-line, seed 1000000): reward: '1.0' and '0.5'"
    ]


def test_an_episode_that_is_missing_is_its_tasks_difference(first: Path, second: Path) -> None:
    rows = second / "episodes.jsonl"
    edit(rows, lambda text: "".join(text.splitlines(keepends=True)[:-1]))
    compared = compare_folders(first, second)
    assert compared.episodes == 3
    assert compared.differing == {
        "cards:ez-points": ["episode 3 (cards:ez-points, seed 1000001): only in the first"]
    }


def test_no_task_that_differs_is_left_out_however_many(
    first: Path, second: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in (first / "episodes.jsonl").read_text().splitlines()]
    for folder, reward in ((first, 0.0), (second, 1.0)):
        lines = [
            json.dumps({**rows[0], "index": n, "spec": f"a:{n}", "reward": reward, "folder": None})
            for n in range(120)
        ]
        copy = second.parent / f"many-{folder.name}"
        copy.mkdir()
        (copy / "plan.json").write_text("{}")
        (copy / "episodes.jsonl").write_text("\n".join(lines) + "\n")
    folders = [str(second.parent / f"many-{folder.name}") for folder in (first, second)]
    assert main(["compare", *folders, "--identical", "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["differing"]) == 120
    assert main(["compare", *folders, "--identical"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.endswith(": 1 episode differs") for line in lines) == 120
    assert sum(line.startswith("  ") for line in lines) == 50


def test_what_cannot_be_compared_is_wrong_usage(
    first: Path, second: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(first), str(tmp_path / "none"), "--identical"]) == 2
    assert "plan.json" in capsys.readouterr().err
    assert main(["compare", str(first), str(second), "--identical", "--markdown"]) == 2
    assert "--markdown" in capsys.readouterr().err
    screen = sorted(second.rglob("screens/*.png"))[0]
    screen.write_bytes(screen.read_bytes()[:60])
    assert main(["compare", str(first), str(second), "--identical"]) == 2
    assert str(screen) in capsys.readouterr().err


def test_a_folder_without_an_evaluation_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no evaluation: there is no plan"):
        compare_folders(tmp_path, tmp_path)
