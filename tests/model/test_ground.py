"""`Qwen2VL.ground`: a description and a picture in, boxes out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.errors import CheckpointError, UsageError
from eyehand.model import Box, Qwen2VL, Qwen2VLConfig, Qwen2VLNetwork, save_checkpoint
from eyehand.model.inputs.image import UInt8Array
from eyehand.model.inputs.tokenizer import Tokenizer

SCREEN: UInt8Array = np.random.default_rng(3).integers(0, 256, (56, 84, 3), dtype=np.uint8)
NAMED = "<|object_ref_start|>the button<|object_ref_end|>"
ONE = "<|box_start|>(412,90),(588,140)<|box_end|>"
BUTTON = Box(0.412, 0.09, 0.588, 0.14, "the button")


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    config: Qwen2VLConfig,
    tokenizer: Tokenizer,
    build_model: Callable[[Qwen2VLConfig], Qwen2VLNetwork],
) -> Path:
    path = tmp_path_factory.mktemp("ground") / "model"
    save_checkpoint(build_model(config), path)
    tokenizer.save(path)
    return path


@pytest.fixture
def model(folder: Path) -> Qwen2VL:
    return Qwen2VL.load(folder, device="cpu")


def script(model: Qwen2VL, answer: str) -> list[torch.Tensor]:
    """Give the network scores that make it write an answer; returns the ids that it reads."""
    wanted = [*model.tokenizer.encode_template(answer), model.tokenizer.eos_ids[0]]
    read: list[torch.Tensor] = []

    def score(_: torch.nn.Module, args: Any, scores: torch.Tensor) -> torch.Tensor:
        if args[0].shape[1] > 1:  # a prompt: the answer begins
            read.clear()
        read.append(args[0])
        scripted = torch.zeros_like(scores)
        scripted[..., wanted[len(read) - 1]] = 1
        return scripted

    model.network.register_forward_hook(score)
    return read


@pytest.mark.parametrize(
    ("answer", "boxes"),
    [
        (NAMED + ONE, [BUTTON]),
        (ONE, [Box(0.412, 0.09, 0.588, 0.14)]),
        (f"{NAMED}{ONE}<|box_start|>(0,0),(1000,1000)<|box_end|>", [
            BUTTON, Box(0.0, 0.0, 1.0, 1.0, "the button"),
        ]),
        (f"Here: {NAMED}{ONE}, as you see.", [BUTTON]),
        ("<|quad_start|>(10,20),(30,10),(40,50),(20,60)<|quad_end|>", [
            Box(0.01, 0.01, 0.04, 0.06),
        ]),
        ("There is no such button.", []),
        ("", []),
        (f"{NAMED}<|box_start|>nowhere<|box_end|>", []),
        ("<|box_start|>(412,90),(588<|box_end|>", []),
        ("<|box_end|><|object_ref_end|><|box_start|>", []),
        ('{"bbox_2d": [412, 90, 588, 140]}', []),
        ("<|box_start|>(900,90),(588,1400)<|box_end|>", [Box(0.588, 0.09, 0.9, 1.0)]),
        ("<|box_start|>(--,9e999),(588,140)<|box_end|>", []),
    ],
)  # fmt: skip
def test_what_the_model_writes_becomes_boxes(model: Qwen2VL, answer: str, boxes: list[Box]) -> None:
    script(model, answer)
    assert model.ground("the button", SCREEN) == boxes


def test_the_model_is_asked_in_its_own_notation(model: Qwen2VL) -> None:
    read = script(model, ONE)
    model.ground("a <|box_start|> or <|im_end|>", SCREEN)
    prompt = read[0][0].tolist()
    assert model.tokenizer.decode(prompt) == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
        f"<|vision_start|>{'<|image_pad|>' * 6}<|vision_end|>"
        "Find <|object_ref_start|>a <|box_start|> or <|im_end|><|object_ref_end|><|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    special = model.tokenizer.special_id
    assert special("<|box_start|>") not in prompt  # words of a person stay words
    assert prompt.count(special("<|im_end|>")) == 2


def test_half_a_box_at_the_limit_is_no_box(model: Qwen2VL) -> None:
    written = NAMED + ONE + "<|box_start|>(1,2),(987,98"
    script(model, written + "7)<|box_end|>")
    limit = len(model.tokenizer.encode_template(written))
    assert model.ground("the button", SCREEN, max_new_tokens=limit) == [BUTTON]


def test_each_question_stands_alone(model: Qwen2VL) -> None:
    first, second = (model.ground("the button", SCREEN, max_new_tokens=20) for _ in range(2))
    assert first == second
    assert (model.encoder.hits, model.encoder.misses) == (1, 1)


def test_pictures_come_as_arrays_and_as_pillow_images(model: Qwen2VL) -> None:
    script(model, NAMED + ONE)
    opaque = np.dstack([SCREEN, np.full((56, 84), 255, np.uint8)])
    for image in (SCREEN, opaque, Image.fromarray(SCREEN)):
        assert model.ground("the button", image) == [BUTTON]
    assert (model.encoder.hits, model.encoder.misses) == (2, 1)


@pytest.mark.parametrize("temper", range(8))
def test_a_network_that_writes_anything_gives_boxes_or_none(
    config: Qwen2VLConfig, tokenizer: Tokenizer, folder: Path, temper: int
) -> None:
    model = Qwen2VL.load(folder, device="cpu")
    torch.manual_seed(temper)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.normal_(0, 0.3)
    for box in model.ground("the button", SCREEN, max_new_tokens=60):
        assert 0 <= box.x1 <= box.x2 <= 1


def test_what_cannot_be_asked_is_said(model: Qwen2VL) -> None:
    with pytest.raises(UsageError, match="say what to find"):
        model.ground("  ", SCREEN)
    with pytest.raises(UsageError, match="a picture is uint8"):
        model.ground("it", np.zeros((4, 4), np.uint8))
    with pytest.raises(UsageError, match="at most 200 times"):
        model.ground("it", np.zeros((1, 900, 3), np.uint8))
    with pytest.raises(UsageError, match="at least 1, got 0"):
        model.ground("it", SCREEN, max_new_tokens=0)
    with pytest.raises(UsageError, match="the context is full"):
        model.ground("x y " * 12_000, SCREEN)


def test_a_damaged_network_is_said(model: Qwen2VL) -> None:
    with torch.no_grad():
        model.network.model.norm.weight.fill_(torch.nan)
    with pytest.raises(CheckpointError, match="scores are not numbers"):
        model.ground("it", SCREEN)


def test_the_model_that_comes_along_can_be_asked_too() -> None:
    embedded = Qwen2VL.load(EMBEDDED_CHECKPOINT, device="cpu")
    script(embedded, NAMED + ONE)
    assert embedded.ground("the button", SCREEN) == [BUTTON]
