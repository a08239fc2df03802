"""Suites from declaration files: the documented example runs, and broken ones say what is wrong."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyehand.agent.cli.main import main
from eyehand.envs import make
from eyehand.envs.check import check_environment
from eyehand.envs.gym.rules import Rule, Standing
from eyehand.envs.suite_file.load import read_suite
from eyehand.envs.suites import suite_named, suite_specs, suite_task
from eyehand.errors import MissingExtra, UsageError

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "guides" / "suites.md"
LAKE = {"name": "lake", "environment": "FrozenLake-v1", "instruction": "Walk to the present."}


@pytest.fixture
def documented(tmp_path: Path) -> Path:
    """The example of the documentation, as a file."""
    found = re.search(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    path = tmp_path / "classics.yaml"
    path.write_text(found[1], encoding="utf-8")
    return path


def declared(folder: Path, *tasks: dict[str, Any], **suite: Any) -> Path:
    path = folder / "suite.json"
    content = {"suite": "mine", "tasks": list(tasks), **suite}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_the_documented_suite_is_evaluated(
    documented: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--policy", "random", "--episodes", "2", "--max-steps", "8", "--json"]
    assert main(["eval", str(documented), *arguments, "--out", str(tmp_path / "out")]) == 0
    tasks = json.loads(capsys.readouterr().out)["tasks"]
    assert [row["task"] for row in tasks] == suite_specs(str(documented))


def test_every_task_of_the_documented_suite_keeps_the_contract(documented: Path) -> None:
    for spec in suite_specs(str(documented)):
        check_environment(make(spec), seeds=(0,))


def test_units_bounds_and_frames_are_as_declared(documented: Path) -> None:
    environment = make(f"suite:{documented}#swing")
    call = environment.action_space.type_named("turn")
    assert "in percent" in str(call.model_json_schema())
    first, _ = environment.reset(seed=0)
    halves = np.split(first.pixels, 2, axis=1)
    assert np.array_equal(halves[0], halves[1])
    after, *_ = environment.step(environment.action_space.build("turn", {"torque": 100.0}))
    assert np.array_equal(after.pixels[:, : halves[0].shape[1]], halves[1])
    environment.close()


def test_a_scaled_number_is_the_environments_own(documented: Path) -> None:
    from eyehand.envs.suite_file.make import DeclaredEnvironment, make_from_file

    environment = make_from_file(f"{documented}#swing")
    assert isinstance(environment, DeclaredEnvironment)
    assert environment.scaled is not None
    assert environment.scaled.to_own(np.array([50.0])) == pytest.approx([1.0])  # of 2 N m
    assert environment.scaled.from_own(np.array([-2.0])) == pytest.approx([-100.0])
    environment.close()


def test_what_a_suite_declares_is_listed(
    documented: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["suites", str(documented), "--json"]) == 0
    lake, swing = json.loads(capsys.readouterr().out)["suites"][0]["tasks"]
    assert (lake["max_steps"], lake["ceiling"], swing["ceiling"]) == (30, 1.0, None)
    task = suite_task(f"suite:{documented}#lake")
    assert task is not None
    assert task.success == "terminated and reward_sum > 0"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"environment": 3}, r"tasks\[0\]\.environment \(task 'lake'\): .*string, got 3"),
        ({"succes": "terminated"}, r"tasks\[0\]\.succes .*: there is no such field"),
        ({"success": "reward > 0"}, r"success .*'reward > 0'.*reward_sum > 0"),
        ({"limits": {"steps": 0}}, r"limits\.steps .*greater than or equal to 1, got 0"),
        ({"actions": {"bounds": {"0": [1, -1]}}}, r"bounds .*low below high"),
        ({"screen": {"cameras": [{"distance": 2}]}}, r"cameras\[0\] .*a name, or both lookat"),
        ({"screen": {"show": "film"}}, r"screen\.show .*'video' or 'tiles', got 'film'"),
        ({"screen": {"frames": 4, "columns": 2}}, r"screen .*columns are for tiles"),
        ({"name": "The Lake"}, r"tasks\[0\]\.name .*pattern"),
    ],
)
def test_a_broken_task_is_named_in_one_line(
    tmp_path: Path, change: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = declared(tmp_path, {**LAKE, **change})
    assert main(["eval", str(path), "--policy", "random"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert str(path) in lines[0]
    assert re.search(said, lines[0]), lines[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("suite: x\ntasks: [", "line 2: not YAML"),
        ("just words", "expected a mapping"),
        ("suite: x", "tasks: is missing"),
        ("suite: x\ntasks: []", "at least 1"),
        ("suite: !!python/object/apply:os.getcwd []\ntasks: []", "not YAML"),
    ],
)
def test_a_file_that_is_no_declaration_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said) as caught:
        read_suite(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_task_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yaml: cannot be read"):
        suite_specs("nowhere.yaml")
    path = declared(tmp_path, LAKE)
    with pytest.raises(UsageError, match="did you mean 'lake'"):
        make(f"suite:{path}#lak")
    assert make(f"suite:{path}").spec_uri == f"suite:{path}#lake"


def test_two_tasks_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\['lake'\] come twice"):
        read_suite(declared(tmp_path, LAKE, LAKE))


def test_what_does_not_fit_the_environment_is_said_when_it_is_made(tmp_path: Path) -> None:
    path = declared(
        tmp_path,
        {**LAKE, "name": "bounds", "actions": {"bounds": {"0": [0, 1]}}},
        {**LAKE, "name": "only", "actions": {"only": ["jump"]}},
        {**LAKE, "name": "camera", "screen": {"cameras": [{"name": "top"}]}},
        {**LAKE, "name": "option", "options": {"colour": "red"}},
    )
    for task, said in [
        ("bounds", "bounded Box"),
        ("only", "jump"),
        ("camera", "MuJoCo"),
        ("option", "colour"),
    ]:
        with pytest.raises(UsageError, match=said):
            make(f"suite:{path}#{task}")


def test_defaults_are_laid_under_every_task(tmp_path: Path) -> None:
    defaults = {"limits": {"steps": 7}, "options": {"is_slippery": False, "map_name": "8x8"}}
    own = {**LAKE, "options": {"map_name": "4x4"}}
    task = read_suite(declared(tmp_path, own, defaults=defaults)).task("lake")
    assert task.limits.steps == 7
    assert task.options == {"is_slippery": False, "map_name": "4x4"}


def test_limits_and_rules_decide_an_episode(tmp_path: Path) -> None:
    path = declared(
        tmp_path,
        {**LAKE, "limits": {"steps": 3}, "success": "not terminated and steps >= 2"},
        {**LAKE, "name": "ends", "ends_when": "steps >= 2", "success": "steps == 2"},
    )
    for task, steps, truncated in (("lake", 3, True), ("ends", 2, False)):
        environment = make(f"suite:{path}#{task}")
        environment.reset(seed=0)
        left = environment.action_space.build("left", {})
        for _ in range(steps):
            _, _, ended, cut, info = environment.step(left)
        assert (ended, cut, info["verdict"]) == (not truncated, truncated, True)
        environment.close()


def test_a_python_file_declares_the_same(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from eyehand.envs.suite_file.schema import SuiteFile, Task\n"
        "SUITE = SuiteFile(suite='mine', tasks=[Task(name='lake', environment='FrozenLake-v1')])\n",
        encoding="utf-8",
    )
    assert [task.spec for task in suite_named(str(path)).tasks] == [f"suite:{path}#lake"]
    path.write_text("SUITE = 3\n# changed\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"expected SUITE = SuiteFile\(\.\.\.\), found 3"):
        read_suite(path)


@pytest.mark.parametrize("suite", ["minigrid", "robot", "atari"])
def test_a_missing_extra_says_what_to_install(suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task = suite_named(suite).tasks[0].spec
    package = {"minigrid": "minigrid", "robot": "mujoco", "atari": "ale_py"}[suite]
    monkeypatch.setitem(sys.modules, package, None)  # an import of it then fails
    with pytest.raises(MissingExtra, match=rf'pip install "eyehand\[{suite}\]"'):
        make(task)


@pytest.mark.parametrize(
    ("rule", "standing", "holds"),
    [
        ("reward_sum >= 1.5", Standing(reward_sum=1.5), True),
        ("reward_sum>-1e-3", Standing(reward_sum=-1.0), False),
        ("terminated and not truncated", Standing(terminated=True), True),
        ("info.score > 3", Standing(info={"score": np.int64(4)}), True),
        ("not info.crashed", Standing(info={"crashed": np.bool_(False)}), True),
    ],
)
def test_a_rule_is_asked_about_the_standing(rule: str, standing: Standing, holds: bool) -> None:
    assert Rule(rule).holds(standing) is holds


@pytest.mark.parametrize("rule", ["", "reward > 1", "terminated or truncated", "__import__('os')"])
def test_a_rule_that_cannot_be_read_says_what_is_expected(rule: str) -> None:
    with pytest.raises(UsageError, match="reward_sum > 0"):
        Rule(rule)


def test_a_rule_about_a_key_that_is_not_there_names_those_that_are() -> None:
    rule, standing = Rule("terminated and info.score > 1"), Standing(info={"lives": 3})
    assert not rule.holds(standing)
    assert rule.not_told(standing) == "the rule asks for info.score, but info held lives"
    assert not Rule("info.won").holds(standing)
    assert Rule("not info.crashed").holds(standing)
    assert Rule("info.lives > 1").not_told(standing) == ""


@pytest.mark.parametrize("value", ["yes", None, float("nan"), np.zeros(2), [1]])
def test_a_rule_about_what_is_no_number_says_what_it_is(value: object) -> None:
    with pytest.raises(UsageError, match=r"info\.won, which is .*, not a number"):
        Rule("info.won").holds(Standing(info={"won": value}))


def test_a_suite_that_picks_tasks_of_others_is_listed_with_what_they_are() -> None:
    suite = suite_named("number-line")
    assert suite.tasks == (suite_task("cards:number-line"),)
    specs = [task.spec for task in suite_named("embedded").tasks]
    assert specs == suite_specs("embedded")


def test_names_of_tasks_stay_whole_in_a_narrow_window(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["suites", "embedded"]) == 0
    printed = capsys.readouterr().out
    assert all(spec in printed for spec in suite_specs("embedded"))


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("info.state == 'open'", True),
        ('info.state != "open"', False),
        ("info.state == 'Open'", False),
        ("info.state contains 'PE'", True),
        ("info.state contains 'x'", False),
        ("info.state == 'open' and steps > 2", True),
        ("info.state == 'open' and info.state contains 'a and b'", False),
        ("info.both == 'a and b'", True),
        ('info.both contains "\'s and"', False),
        ("info.count == '3'", True),
        ("info.count == '3.0'", True),
        ("info.count contains '3'", True),
        ("info.count != 'three'", True),
        ("info.nothing == ''", True),
        ("info.nothing contains 'x'", False),
        ("info.state contains 'pe' and terminated", False),
    ],
)
def test_rules_compare_texts(rule: str, holds: bool) -> None:
    info = {"state": "open", "both": "a and b", "count": 3}
    assert Rule(rule).holds(Standing(steps=3, info=info)) is holds


@pytest.mark.parametrize("condition", ["!= 3", "!= 'x'", "!= ''", "== 3", "> 3", "contains ''"])
def test_nothing_is_so_about_a_key_that_is_not_there(condition: str) -> None:
    assert not Rule(f"info.nothing {condition}").holds(Standing(info={"state": "open"}))


@pytest.mark.parametrize("condition", ["!= 3", "!= 'x'", "!= ''", "contains ''"])
def test_a_value_that_is_there_differs_from_others(condition: str) -> None:
    assert Rule(f"info.count {condition}").holds(Standing(info={"count": 4}))


@pytest.mark.parametrize("rule", ["info.state == open", "steps == '3'", "info.state contains 3"])
def test_a_text_without_quotes_or_of_something_else_is_refused(rule: str) -> None:
    with pytest.raises(UsageError, match="contains 'a text'"):
        Rule(rule)
