"""`eyehand train average`: what lies between two checkpoints, as a person asks for it."""

import json
from pathlib import Path

import pytest
import torch
from tests.small_embedded import small_config

from eyehand.agent.cli.main import main
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_HABITS, Habits, write_habits
from eyehand.agent.training.embedded import prompt_texts
from eyehand.model.hub import Qwen2VL
from eyehand.model.inputs.image_settings import write_image_settings
from eyehand.model.training.embedded import SETTINGS, make_tokenizer, new_model
from eyehand.model.weights import load_checkpoint, save_checkpoint


def written(folder: Path, seed: int, layers: int = 2, texts: tuple[str, ...] = ()) -> Path:
    """A tiny network that is shown the newest screen, as the embedded model is."""
    tokenizer = make_tokenizer(None, [*prompt_texts(), *texts])
    tokenizer.save(folder)
    write_image_settings(folder, SETTINGS)
    write_habits(folder, EMBEDDED_HABITS)
    save_checkpoint(new_model(small_config(tokenizer, layers, 1), seed), folder)
    (folder / "model_card.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    return written(folder / "one", 0), written(folder / "other", 1)


def averaged(pair: tuple[Path, Path], out: Path, *more: str) -> int:
    first, second = map(str, pair)
    return main(["train", "average", "--model", first, "--with", second, "--out", str(out), *more])


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_every_weight_lies_between_the_two(
    tmp_path: Path, pair: tuple[Path, Path], share: float, capsys: pytest.CaptureFixture[str]
) -> None:
    assert averaged(pair, tmp_path / "mean", "--share", str(share), "--json") == 0
    assert json.loads(capsys.readouterr().out)["share"] == share
    folders = (*pair, tmp_path / "mean")
    one, other, mean = (dict(load_checkpoint(f).named_parameters()) for f in folders)
    assert mean.keys() == one.keys()
    for name, found in mean.items():
        wanted = (1 - share) * one[name].float() + share * other[name].float()
        assert torch.allclose(found.float(), wanted, rtol=0.01, atol=1e-4), name


def test_the_mean_is_a_whole_folder_that_says_nothing_of_the_weights_before(
    tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    assert averaged(pair, tmp_path / "mean") == 0
    assert Qwen2VL.load(tmp_path / "mean").tokenizer.vocab_size > 0
    assert Habits.model_validate_json((tmp_path / "mean" / "eyehand.json").read_text()).brief
    assert not (tmp_path / "mean" / "model_card.json").exists()


def test_only_two_of_a_kind_have_a_mean(
    tmp_path: Path, pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    deeper = written(tmp_path / "deeper", 0, layers=3)
    assert averaged((pair[0], deeper), tmp_path / "mean") != 0
    assert "config.json" in capsys.readouterr().err
    shuffled = written(tmp_path / "shuffled", 0)
    file = shuffled / "tokenizer.json"
    tokens = json.loads(file.read_text())
    tokens["model"]["vocab"]["a"], tokens["model"]["vocab"]["b"] = (
        tokens["model"]["vocab"]["b"], tokens["model"]["vocab"]["a"],
    )  # fmt: skip
    file.write_text(json.dumps(tokens))
    assert averaged((pair[0], shuffled), tmp_path / "mean") != 0
    assert "vocabular" in capsys.readouterr().err
    assert averaged(pair, pair[1]) != 0
    assert "name another folder" in capsys.readouterr().err
    assert not (tmp_path / "mean").exists()
