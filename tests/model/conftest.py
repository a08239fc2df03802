"""Tiny models with strong random weights, and transformers' copy of the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from eyehand.model.inference.session import Session
from eyehand.model.inputs.tokenizer import Tokenizer, train_tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig, TextConfig, VisionConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

IMAGE, VIDEO, START, END = 290, 291, 292, 293


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def tiny_config() -> Qwen2VLConfig:
    """Head size 16 in both towers, two query heads for each key head, an untied head."""
    return Qwen2VLConfig(
        TextConfig(64, 3, 4, 2, 96, 300, mrope_section=(2, 3, 3)),
        VisionConfig(2, 64, 4, 2, hidden_size=64),
        image_token_id=IMAGE,
        video_token_id=VIDEO,
        vision_start_token_id=START,
        vision_end_token_id=END,
        bos_token_id=294,
        eos_token_ids=(295, 294),
        pad_token_id=294,
    )


@pytest.fixture(scope="session")
def tied_config(tiny_config: Qwen2VLConfig) -> Qwen2VLConfig:
    return replace(tiny_config, text=replace(tiny_config.text, tie_word_embeddings=True))


def random_model(config: Qwen2VLConfig) -> Qwen2VLNetwork:
    """Weights large enough that attention, biases and norms all matter to the logits."""
    generator = torch.Generator().manual_seed(1)
    model = Qwen2VLNetwork(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            centre = 1.0 if parameter.ndim == 1 and bool((parameter == 1).all()) else 0.0
            parameter.normal_(centre, 0.15, generator=generator)
    return model


@pytest.fixture(scope="session")
def model(tiny_config: Qwen2VLConfig) -> Qwen2VLNetwork:
    return random_model(tiny_config)


@pytest.fixture
def tied_model(tied_config: Qwen2VLConfig) -> Qwen2VLNetwork:
    return random_model(tied_config)


@pytest.fixture(scope="session")
def reference(model: Qwen2VLNetwork) -> Any:
    """transformers' implementation with eager attention and the weights of ``model``."""
    from transformers import Qwen2VLConfig as ReferenceConfig
    from transformers import Qwen2VLForConditionalGeneration

    config = ReferenceConfig(**model.config.to_dict())
    config._attn_implementation = "eager"
    peer = Qwen2VLForConditionalGeneration(config).eval()
    weights = {reference_name(n): p.detach() for n, p in model.named_parameters()}
    peer.load_state_dict(weights, strict=True)
    return peer


def reference_name(name: str) -> str:
    if name.startswith("visual."):
        return f"model.{name}"
    return name.replace("model.", "model.language_model.", 1)


@dataclass
class Prompt:
    """One sequence: ids, patches and grids of its images or its videos."""

    ids: Tensor
    patches: Tensor | None = None
    grids: Tensor | None = None
    video: bool = False

    def ours(self) -> dict[str, Any]:
        if self.patches is None:
            return {}
        kind = "video_" if self.video else ""
        return {f"{kind}patches": self.patches, f"{kind}grid_thw": self.grids}

    def theirs(self) -> dict[str, Any]:
        types = (self.ids == IMAGE).int() + 2 * (self.ids == VIDEO).int()
        found: dict[str, Any] = {"mm_token_type_ids": types}
        if self.patches is not None:
            values, grid = ("pixel_values", "image_grid_thw")
            if self.video:
                values, grid = ("pixel_values_videos", "video_grid_thw")
            found |= {values: self.patches, grid: self.grids}
        return found


def text(count: int, seed: int = 0) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 280, (count,), generator=generator).tolist()


def prompt(*grids: tuple[int, int, int], seed: int = 0, video: bool = False) -> Prompt:
    """Text, then each image or video followed by text."""
    generator = torch.Generator().manual_seed(seed)
    ids = text(5, seed)
    for number, (t, h, w) in enumerate(grids):
        ids += [START, *[VIDEO if video else IMAGE] * (t * h * w // 4), END]
        ids += text(4 + number, seed + number + 1)
    if not grids:
        return Prompt(torch.tensor([ids + text(12, seed + 1)]))
    grid_thw = torch.tensor(grids)
    count = int(grid_thw.prod(-1).sum())
    patches = torch.randn(count, 1176, generator=generator)
    return Prompt(torch.tensor([ids]), patches, grid_thw, video)


@pytest.fixture(scope="session")
def build_prompt() -> Callable[..., Prompt]:
    return prompt


@pytest.fixture(scope="session")
def build_model() -> Callable[[Qwen2VLConfig], Qwen2VLNetwork]:
    return random_model


CORPUS = ["click the button now and then\n", '✿FUNCTION✿: click\n✿ARGS✿: {"x": 1}\n'] * 20


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(CORPUS, 320)


@pytest.fixture(scope="module")
def config(tiny_config: Qwen2VLConfig, tokenizer: Tokenizer) -> Qwen2VLConfig:
    special = tokenizer.special_id
    return replace(
        tiny_config,
        text=replace(tiny_config.text, vocab_size=tokenizer.vocab_size),
        image_token_id=special("<|image_pad|>"),
        video_token_id=special("<|video_pad|>"),
        vision_start_token_id=special("<|vision_start|>"),
        vision_end_token_id=special("<|vision_end|>"),
        eos_token_ids=tokenizer.eos_ids,
    )


@pytest.fixture(scope="module")
def network(
    config: Qwen2VLConfig, build_model: Callable[[Qwen2VLConfig], Qwen2VLNetwork]
) -> Qwen2VLNetwork:
    return build_model(config)


@pytest.fixture
def session(network: Qwen2VLNetwork, tokenizer: Tokenizer) -> Session:
    return Session(network, tokenizer, reserved_tokens=16)  # small: it has to grow


@pytest.fixture(scope="module")
def only_text(config: Qwen2VLConfig) -> Tensor:
    """Permits every token but the control ones, so that answers have their full length."""
    permitted = torch.ones(config.text.vocab_size, dtype=torch.bool)
    permitted[-14:] = False
    return permitted
