"""A task of one's own on a phone: instruction, start and check in a declaration file."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from eyehand.actions.android import Answer, Finish, OpenApp, Press, Wait
from eyehand.agent.cli.main import main
from eyehand.agent.episode import run_episode
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.registry import check_random
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.envs.phone import AdbDevice, PhoneScreen
from eyehand.envs.phone.environment import DEFAULT_DENSITY_DPI, DEFAULT_SIZE_PX
from eyehand.envs.registry import make
from eyehand.envs.suite_file.load import read_suite
from eyehand.envs.suites import step_limit, suite_task
from eyehand.errors import EnvironmentFault, UsageError

DOCUMENT = Path(__file__).parent.parent.parent.parent / "docs" / "guides" / "suites.md"
IN_FRONT = "dumpsys activity activities | grep -c topResumedActivity.*notes"
NOTES = {
    "name": "notes",
    "instruction": "Open the notes.",
    "read": {"notes": IN_FRONT},
    "success": "info.notes == 1",
    "limits": {"steps": 3},
}


@pytest.fixture
def declare(
    make_phone: Callable[..., Any], adb_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Writes a suite with one task on a painted phone, and returns its environment."""
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(adb_port))
    phone = make_phone()

    def to(**parts: Any) -> Any:
        task = {**NOTES, "environment": f"android:{phone.device.address}", **parts}
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump({"suite": "mine", "tasks": [task]}), encoding="utf-8")
        environment = make(f"suite:{path}#{task['name']}")
        environment.phone = phone  # type: ignore[attr-defined]
        return environment

    return to


@pytest.fixture(scope="module")
def address(browser_ends: None) -> Iterator[str]:
    """A simulated phone in Chromium, on nobody's adb server yet."""
    with PhoneScreen(*DEFAULT_SIZE_PX, density_dpi=DEFAULT_DENSITY_DPI) as screen:
        screen.open()
        with AdbDevice(screen) as device:
            yield device.address


def play(environment: Any, *actions: Any) -> Any:
    with environment:
        limit = step_limit(environment.spec_uri)
        return run_episode(ScriptedPolicy(list(actions)), environment, max_steps=limit)


def test_the_check_decides_and_not_the_models_word(declare: Callable[..., Any]) -> None:
    solved = play(declare(), OpenApp(app="Notes"), Finish(status="success"))
    assert (solved.outcome, solved.verdict, solved.reward) == (Outcome.SUCCEEDED, True, 1.0)
    assert solved.task == "Open the notes."
    assert solved.details["read"] == {"notes": 1, "answer": ""}
    assert solved.details["verdict_from"] == "info.notes == 1"
    claimed = play(declare(), OpenApp(app="Settings"), Finish(status="success"))
    assert (claimed.outcome, claimed.verdict, claimed.reward) == (Outcome.FAILED, False, 0.0)


def test_the_limit_of_steps_is_judged_too(declare: Callable[..., Any]) -> None:
    actions = [OpenApp(app="Notes"), Wait(seconds=0.1), Wait(seconds=0.1), Wait(seconds=0.1)]
    episode = play(declare(), *actions)
    assert (len(episode.steps), episode.outcome) == (3, Outcome.SUCCEEDED)
    episode = play(declare(), *actions[1:], actions[1])
    assert (len(episode.steps), episode.outcome) == (3, Outcome.FAILED)


def test_an_episode_ends_as_soon_as_a_rule_holds(declare: Callable[..., Any]) -> None:
    environment = declare(ends_when="info.notes == 1")
    episode = play(environment, Press(key="volume_up"), OpenApp(app="Notes"), Press(key="back"))
    assert (len(episode.steps), episode.outcome) == (2, Outcome.SUCCEEDED)


def test_an_answer_is_checked(declare: Callable[..., Any]) -> None:
    right = declare(success="info.answer contains '42 new'", read={})
    assert play(right, Answer(text="There are 42 NEW messages.")).outcome is Outcome.SUCCEEDED
    wrong = declare(success='info.answer == "42"', read={})
    assert play(wrong, Answer(text="41")).outcome is Outcome.FAILED


def test_without_a_check_there_is_no_verdict(declare: Callable[..., Any]) -> None:
    environment = declare(success=None, read={})
    assert play(environment, Finish(status="success")).outcome is Outcome.CLAIMED


def test_every_episode_begins_at_the_declared_start(declare: Callable[..., Any]) -> None:
    environment = declare(
        start=["am start -n com.android.notes/.MainActivity", "echo begun > /sdcard/log.txt"],
        read={"log": "cat /sdcard/log.txt", "none": "cat /sdcard/none.txt", "notes": IN_FRONT},
        success="info.log == 'begun' and info.none == ''",
        options={"from_home": False, "settle_timeout_s": 1.0},
    )
    with environment:
        for _ in range(2):
            environment.phone.screen.key("HOME")
            environment.reset()
            assert environment.phone.screen.foreground()[0] == "com.android.notes"
            *_, info = environment.step(Finish(status="success"))
            assert info["details"]["read"] == {"log": "begun", "notes": 1, "answer": ""}
            assert info["verdict"] is True


def test_a_start_that_fails_is_no_mistake_of_the_model(declare: Callable[..., Any]) -> None:
    environment = declare(start=["am start -n com.example.none/.Main"])
    with pytest.raises(EnvironmentFault, match=r"brought to its start by 'am start.*not exist"):
        environment.reset()


@pytest.mark.parametrize("field", ["start", "read"])
def test_a_line_that_names_no_command_is_found_at_the_start(
    declare: Callable[..., Any], field: str
) -> None:
    line = "setings get global wifi_on"
    lines = [line] if field == "start" else {"notes": line}
    with pytest.raises(UsageError, match=rf"mine:notes: {field}.*setings.*not found"):
        declare(**{field: lines}).reset()


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"instruction": None}, "write an instruction"),
        ({"success": "info.wifi == 1"}, "info.wifi, which is not among read"),
        ({"read": {"a b": "true"}, "success": None}, "expected names of letters"),
        ({"screen": {"frames": 2}}, "screen: for Gymnasium environments"),
        ({"actions": {"names": ["a"]}}, "actions.names: for Gymnasium environments"),
        ({"environment": "CartPole-v1"}, "start and read are for phones"),
        ({"options": {"from_hom": False}}, "did you mean 'from_home'"),
        ({"actions": {"only": ["tapp"]}}, "did you mean 'tap'"),
    ],
)
def test_a_slip_in_the_file_is_one_line(
    declare: Callable[..., Any], parts: dict[str, Any], expected: str
) -> None:
    with pytest.raises(UsageError) as refusal:
        declare(**parts)
    assert expected in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_only_the_declared_actions_are_on_offer(declare: Callable[..., Any]) -> None:
    environment = declare(actions={"only": ["tap", "finish"]})
    assert set(environment.action_space.names) == {"tap", "finish"}


def test_what_is_known_of_the_task_is_in_the_catalogue(declare: Callable[..., Any]) -> None:
    spec = declare(ceiling=1.0).spec_uri
    task = suite_task(spec)
    assert task is not None
    assert (task.instruction, task.success, task.max_steps, task.ceiling) == (
        "Open the notes.", "info.notes == 1", 3, 1.0,
    )  # fmt: skip


def test_a_declared_phone_is_as_real_as_any(declare: Callable[..., Any]) -> None:
    spec = declare().spec_uri
    with pytest.raises(UsageError, match="--allow-random"):
        check_random("random", [spec], allowed=False)
    check_random("random", [spec], allowed=True)


def test_the_documented_example_is_one(tmp_path: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8").partition("## A phone of your own")[2]
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found
    path = tmp_path / "my-phone.yaml"
    path.write_text(found[1], encoding="utf-8")
    suite = read_suite(path)
    assert [task.on_phone for task in suite.tasks] == [True] * 3
    for task in suite.tasks:
        assert make(f"suite:{path}#{task.name}").instruction == task.instruction


# --- the command line -----------------------------------------------------------------------

SUITE = """
suite: my-phone
defaults:
  environment: android:{address}
  start: [svc wifi enable]
  read:
    wifi: settings get global wifi_on
  actions: {{only: [finish]}}
  limits: {{steps: 3}}
tasks:
  - name: wifi-on
    instruction: Switch the Wi-Fi on.
    success: info.wifi == 1
  - name: wifi-off
    instruction: Switch the Wi-Fi off.
    success: info.wifi == 0
"""


def test_a_phones_tasks_are_evaluated_from_the_command_line(
    address: str, adb_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(adb_port))
    (tmp_path / "my-phone.yaml").write_text(SUITE.format(address=address), encoding="utf-8")
    words = ["eval", "my-phone.yaml", "--policy", "random", "--allow-random", "--episodes", "2"]
    ended = subprocess.run(
        [sys.executable, "-m", "eyehand", *words, "--json", "--out", "out"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    on, off = json.loads(ended.stdout)["tasks"]
    assert on["episodes"] == off["episodes"] == 2
    # "finish" may also be drawn with "failure", which is giving up whatever the phone's state is.
    assert on["outcomes"].get("failed", 0) == 0
    assert off["successes"] == 0
    assert on["environment_faults"] == off["environment_faults"] == 0
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["android:127.0.0.1:1"], "sets no task by itself; declare one in a file"),
        (["my-phone.yaml", "--workers", "2"], "is one device: it takes one worker"),
    ],
)
def test_what_cannot_be_evaluated_leaves_no_folder(
    words: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-phone.yaml").write_text(SUITE.format(address="R5CT1"), encoding="utf-8")
    assert main(["eval", *words, "--policy", "random", "--allow-random", "--out", "out"]) == 2
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
