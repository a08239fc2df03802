"""What a model needs, said before it is loaded, and the dtype that a machine gets."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.agent.test_vlm_policy import save_model

from eyehand.errors import NotEnoughMemory, UsageError
from eyehand.model import fitting
from eyehand.model.fitting import Fitting
from eyehand.model.folder import read_config
from eyehand.model.hub import Qwen2VL
from eyehand.model.inputs.image_settings import read_image_settings
from eyehand.model.memory import token_bytes
from eyehand.model.stored_weights import WeightTarget, stored_weights, weight_files

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = save_model(tmp_path_factory.mktemp("models") / "tiny")
    (folder / "preprocessor_config.json").write_text("{}")
    return folder


def fitting_of(folder: Path) -> Fitting:
    config = read_config(folder)
    settings = read_image_settings(folder, config.vision)
    target = WeightTarget(None, CPU)
    return Fitting(config, stored_weights(weight_files(folder)), settings, target)


def leave(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """Pretend that the machine has so many bytes left; what is loaded stays real."""
    monkeypatch.setattr(fitting, "free_bytes", lambda device: free)


def test_the_estimate_counts_weights_and_a_screen(folder: Path) -> None:
    model = fitting_of(folder)
    parameters = sum(entry.count for entry in model.stored.values())
    assert model.need(torch.float32).weights == 0  # as stored: mapped from the file
    half = model.need(torch.bfloat16)
    assert half.weights == 2 * parameters
    tokens = 46 * 26 + fitting.WORDS
    assert half.step == tokens * token_bytes(model.config, 2)
    assert model.need(torch.float32).step == 2 * half.step


def test_what_cannot_fit_is_refused_with_what_would_help(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fitting_of(folder)
    wide, small = model.need(torch.float32), model.need(torch.bfloat16)
    leave(monkeypatch, wide.least - 1)
    with pytest.raises(NotEnoughMemory, match=r"it would fit with --dtype bfloat16$"):
        Qwen2VL.load(folder, device="cpu", dtype=torch.float32)
    Qwen2VL.load(folder, device="cpu", dtype=torch.bfloat16)
    leave(monkeypatch, small.least - 1)
    with pytest.raises(NotEnoughMemory, match=r"it would fit with --quantize int8$"):
        Qwen2VL.load(folder, device="cpu", dtype=torch.bfloat16)
    leave(
        monkeypatch,
        replace(model, target=WeightTarget(None, CPU, "int4")).need(torch.bfloat16).least - 1,
    )
    with pytest.raises(NotEnoughMemory, match="it would fit with --max-pixels 501760"):
        Qwen2VL.load(folder, device="cpu", dtype=torch.bfloat16)
    loaded = Qwen2VL.load(folder, device="cpu", dtype=torch.bfloat16, max_pixels=501_760)
    assert loaded.settings.max_pixels == 501_760
    leave(monkeypatch, small.least // 100)
    with pytest.raises(NotEnoughMemory, match="take a smaller model"):
        Qwen2VL.load(folder, device="cpu")


def test_a_model_that_takes_much_of_the_memory_is_announced(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    leave(monkeypatch, 2 * fitting_of(folder).need(torch.float32).least)
    with caplog.at_level("INFO", "eyehand"):
        Qwen2VL.load(folder, device="cpu", dtype=torch.float32)
    (line,) = [record.getMessage() for record in caplog.records]
    assert "are needed (weights" in line
    assert "are free: a history of" in line


@pytest.mark.parametrize(
    ("fast", "small", "expected"),
    [
        (True, 0, torch.bfloat16),
        (False, 0, torch.float32),
        (True, fitting.SMALL_MODEL, torch.float32),
    ],
    ids=["large and fast", "large and slow", "small"],
)
def test_a_cpu_gets_half_precision_where_that_is_faster(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fast: bool, small: int, expected: torch.dtype
) -> None:
    monkeypatch.setattr(fitting, "SMALL_MODEL", small)
    monkeypatch.setattr(fitting, "_half_is_faster", lambda config: fast)
    assert Qwen2VL.load(folder, device="cpu").network.dtype == expected
    assert Qwen2VL.load(folder, device="cpu", dtype=torch.float32).network.dtype == torch.float32


def test_a_cpu_gets_half_precision_where_nothing_else_fits(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = fitting_of(folder).need(torch.bfloat16).least
    leave(monkeypatch, half + 1)
    assert Qwen2VL.load(folder, device="cpu").network.dtype == torch.bfloat16


def test_the_measurement_ends_with_a_word(folder: Path) -> None:
    assert fitting._half_is_faster(read_config(folder)) in (True, False)


@pytest.mark.parametrize("device", ["nowhere", "cuda:99"])
def test_devices_that_are_not_there_are_refused(folder: Path, device: str) -> None:
    with pytest.raises(UsageError, match=f"device {device}: it cannot be used here"):
        Qwen2VL.load(folder, device=device)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [({"max_pixels": 2000}, (2000, 2000)), ({"min_pixels": 9000}, (9000, 12845056))],
)
def test_one_limit_holds_beside_the_folders_other(
    folder: Path, asked: dict[str, int], expected: tuple[int, int]
) -> None:
    settings = Qwen2VL.load(folder, device="cpu", **asked).settings  # type: ignore[arg-type]
    assert (settings.min_pixels, settings.max_pixels) == expected


def test_a_folder_keeps_its_limits(folder: Path, tmp_path: Path) -> None:
    own = save_model(tmp_path / "own")
    limits = json.loads((own / "preprocessor_config.json").read_text())
    settings = Qwen2VL.load(own, device="cpu").settings
    assert (settings.min_pixels, settings.max_pixels) == tuple(limits.values())
