"""What is wrong with a command is said before a model, a browser or torch is loaded."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from eyehand.agent import Agent
from eyehand.agent.cli.main import main
from eyehand.agent.episode import check_task
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.envs.env import Environment
from eyehand.envs.gym.environment import GymEnvironment
from eyehand.envs.registry import make
from eyehand.errors import UsageError

LINE = "cards:number-line"
PAGE = "http://127.0.0.1:9/"

# Runs a command, and says what it took: nothing heavy may have been imported.
LIGHT = """
import sys
from eyehand.agent.cli.main import main
try:
    status = main(sys.argv[1:])
except SystemExit as left:
    status = left.code
print(status, sorted({"torch", "playwright", "transformers"} & set(sys.modules)))
"""


def light(*words: str, at: Path) -> tuple[str, str]:
    """Returns the status with the heavy modules that were loaded, and the last complaint."""
    ended = subprocess.run(
        [sys.executable, "-c", LIGHT, *words],
        cwd=at,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return ended.stdout.strip(), ended.stderr.strip().splitlines()[-1]


def write_bad_folders(at: Path) -> None:
    (at / "adapter").mkdir()
    (at / "adapter" / "adapter_config.json").write_text("{}")
    (at / "other").mkdir()
    for name in ("model.safetensors", "tokenizer.json"):
        (at / "other" / name).symlink_to(EMBEDDED_CHECKPOINT / name)
    values = json.loads((EMBEDDED_CHECKPOINT / "config.json").read_text())
    (at / "other" / "config.json").write_text(json.dumps(values | {"model_type": "llama"}))
    shutil.copytree(at / "other", at / "packed", symlinks=True)
    packed = {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    (at / "packed" / "config.json").write_text(json.dumps(values | packed))
    (at / "dora").mkdir()
    (at / "dora" / "adapter_model.safetensors").write_text("")
    values = {"peft_type": "LORA", "use_dora": True}
    (at / "dora" / "adapter_config.json").write_text(json.dumps(values))
    (at / "taken").mkdir()
    (at / "taken" / "episode.jsonl").write_text("")
    (at / "judged").mkdir()
    (at / "judged" / "plan.json").write_text("{}")
    (at / "file").write_text("")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--env", PAGE], "sets no task by itself: give one"),
        (["run", "--env", LINE, "--model", "adapter"], "an adapter (LoRA)"),
        (["run", "--env", LINE, "--model", "packed"], "quantised by 'bitsandbytes' are not read"),
        (["run", "--env", LINE, "--adapter", "adapter"], "it lacks adapter_model.safetensors"),
        (["eval", LINE, "--adapter", "dora"], "use_dora is True, which is not supported"),
        (["run", "--env", LINE, "--adapter", "none"], "there is no adapter folder none"),
        (["run", "--env", LINE, "--model", "other"], "expected 'qwen2_vl', got 'llama'"),
        (["run", "--env", LINE, "--model", "no/such/folder"], "there is no model folder"),
        (["run", "--env", LINE, "--out", "taken"], "already holds an episode"),
        (["run", "--env", LINE, "--out", "file/deep"], "is a file"),
        (["run", "x", "--env", "example.org"], "a page is written https://example.org"),
        (["eval", LINE, "--out", "judged"], "already holds an evaluation"),
        (["eval", LINE, "--model", "other"], "got 'llama'"),
        (["eval", PAGE], "sets no task by itself"),
    ],
)
def test_wrong_usage_is_said_before_anything_heavy_is_loaded(
    tmp_path: Path, words: list[str], message: str
) -> None:
    write_bad_folders(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    ended, complaint = light(*words, at=tmp_path)
    assert message in complaint
    assert complaint.startswith("eyehand: error: ")
    if PAGE in words:  # a page's own module knows its browser
        assert ended in ("2 []", "2 ['playwright']")
    else:
        assert ended == "2 []"
    assert sorted(path.name for path in tmp_path.iterdir()) == before


class Bare(gymnasium.Env[Any, Any]):
    """A game that says nothing of its task, unless its observation may hold words."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}  # noqa: RUF012 - gymnasium's type
    render_mode = "rgb_array"
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, words: bool = False) -> None:
        box = gymnasium.spaces.Box(0, 1, (2,))
        self.observation_space = gymnasium.spaces.Dict({"a": box}) if words else box

    def render(self) -> Any:
        return np.zeros((60, 60, 3), np.uint8)


@pytest.mark.parametrize(
    ("environment", "needed"),
    [
        (lambda: GymEnvironment(Bare()), True),
        (lambda: GymEnvironment(Bare(words=True)), False),
        (lambda: GymEnvironment(Bare(), instruction="Win"), False),
        (lambda: make("gym:CartPole-v1"), False),
        (lambda: make(LINE), False),
        (lambda: make("android:x"), True),
        (lambda: make(PAGE), True),
    ],
)
def test_a_missing_task_is_known_before_a_reset(
    environment: Callable[[], Environment], needed: bool
) -> None:
    with environment() as made:
        check_task(made, "a task")
        if needed:
            with pytest.raises(UsageError, match="sets no task by itself"):
                Agent(Path("never/loaded")).run(None, made)
        else:
            check_task(made, None)


@pytest.mark.parametrize(
    ("words", "command", "hint"),
    [
        (["run", "--modle", "x", "--env", LINE], "eyehand run", "--model"),
        (["run", "--evn", LINE], "eyehand run", "--env"),
        (["run", "--env", LINE, "--polcy=random"], "eyehand run", "--policy"),
        (["run", "--env", LINE, "--policy", "expret"], "eyehand run", "expert"),
        (["eval", LINE, "--epsiodes", "3"], "eyehand eval", "--episodes"),
        (["rnu"], "eyehand", "run"),
        (["evl", LINE], "eyehand", "eval"),
    ],
)
def test_what_was_meant_is_named_by_the_command_it_was_meant_for(
    capsys: pytest.CaptureFixture[str], words: list[str], command: str, hint: str
) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    said = capsys.readouterr().err.strip()
    last = said.splitlines()[-1]
    assert last.startswith(f"{command}: error: ")
    assert f"did you mean {hint}" in last
    assert said.startswith(f"usage: {command} ")


@pytest.mark.parametrize("words", [["run", "--zzz", "--env", LINE], ["qqqq"]])
def test_nothing_is_suggested_where_nothing_is_near(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spec", "address"),
    [
        ("example.org", "https://example.org"),
        ("www.example.co.uk/a?b=c", "https://www.example.co.uk/a?b=c"),
        ("example.org:8080/x", "https://example.org:8080/x"),
        ("localhost:3000", "http://localhost:3000"),
        ("127.0.0.1:8000/a", "http://127.0.0.1:8000/a"),
    ],
)
def test_an_address_without_its_scheme_is_completed(spec: str, address: str) -> None:
    with pytest.raises(UsageError, match="names no environment") as caught:
        make(spec)
    assert str(caught.value).endswith(address)


@pytest.mark.parametrize("spec", ["suite.yaml", "game.py", "nope", "nope:x", "a b.org"])
def test_what_is_no_address_is_not_taken_for_one(spec: str) -> None:
    with pytest.raises(UsageError) as caught:
        make(spec)
    assert f"https://{spec}" not in str(caught.value)


@pytest.mark.parametrize("spec", [PAGE, "miniwob:click-tab"])
def test_a_window_without_a_display_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], spec: str
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert main(["run", "x", "--env", spec, "--headed"]) == 2
    line = capsys.readouterr().err.strip()
    assert "there is no display here" in line
    assert line.count("\n") == 0


def test_loading_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    main(["run", "--env", LINE, "--seed", "1", "--max-steps", "1"])
    said = capsys.readouterr().err
    assert said.count("loading the embedded model ...") == 1
