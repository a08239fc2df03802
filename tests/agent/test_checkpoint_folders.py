"""Checkpoint folders as people have them, through the commands that people use."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from eyehand.agent.cli.main import main
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.model.weights import load_checkpoint, save_checkpoint

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def eyehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs a command in an empty folder; returns its status and its last line of complaint."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str]:
        status = main(words)
        return status, capsys.readouterr().err.strip().splitlines()[-1]

    return run


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """The embedded checkpoint with one weight that is no number."""
    folder = tmp_path / "damaged"
    shutil.copytree(EMBEDDED_CHECKPOINT, folder)
    model = load_checkpoint(EMBEDDED_CHECKPOINT, dtype=torch.float32)
    layer = model.model.layers[0].get_submodule("mlp.down_proj")
    weight = layer.get_parameter("weight").detach().clone()
    weight[0, 0] = torch.nan
    layer.register_parameter("weight", torch.nn.Parameter(weight))
    save_checkpoint(model, folder)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--env", "cards:number-line", "--seed", "1"),
        ("run", "--env", "cards:number-line", "--seed", "1", "--temperature", "1"),
        ("eval", "cards:number-line", "--episodes", "2", "--batch", "2", "--workers", "2"),
    ],
    ids=["greedy", "drawn", "workers"],
)
def test_scores_that_are_no_numbers_end_the_command_with_one_line(
    eyehand: Run, damaged: Path, words: tuple[str, ...]
) -> None:
    status, line = eyehand(*words, "--model", str(damaged))
    assert status == 2
    assert line.startswith("eyehand: error: the model's scores are not numbers (nan)")


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("config.json", {"num_hidden_layers": 20_000}, "num_hidden_layers: expected at most 512"),
        ("config.json", {"vocab_size": 2**30}, "the weights do not fit config.json"),
        (
            "preprocessor_config.json",
            {"min_pixels": 4 * 10**8, "max_pixels": 4 * 10**9},
            "min_pixels: expected a smallest picture of at most 12845056 pixels",
        ),
        (
            "tokenizer.json",
            {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAAAA=="}},
            "normalizer: expected None or NFC, got 'Precompiled'",
        ),
    ],
    ids=["layers", "vocabulary", "pictures", "tokenizer"],
)
def test_a_hostile_folder_ends_the_command_with_one_line(
    eyehand: Run, tmp_path: Path, name: str, change: dict[str, object], said: str
) -> None:
    folder = tmp_path / "hostile"
    shutil.copytree(EMBEDDED_CHECKPOINT, folder)
    values = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(values | change))
    status, line = eyehand(
        "run", "--env", "cards:number-line", "--seed", "1", "--model", str(folder)
    )
    assert status == 2
    assert line.startswith("eyehand: error: ")
    assert said in line
