"""A checkpoint's own patches, limits and colours, all the way from its folder to its answer."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.model.replies import only, reply
from transformers import Qwen2VLConfig as ReferenceConfig
from transformers import Qwen2VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from eyehand.errors import BadConfig, UsageError
from eyehand.model.hub import Qwen2VL
from eyehand.model.inference.session import Session
from eyehand.model.inputs.image import UInt8Array, preprocess, resize
from eyehand.model.inputs.image_settings import PUBLISHED, ImageSettings, read_image_settings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.inputs.video import preprocess_video
from eyehand.model.qwen2vl.config import Qwen2VLConfig, VisionConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.training.batching import Encoder
from eyehand.model.training.documents import Document, DocumentPart

VISION = VisionConfig(32, 1280, 16, 4, hidden_size=1536)
PATCHES = [(7, 2, 2), (14, 2, 2), (16, 2, 2), (14, 1, 2), (5, 3, 1)]


def noise(seed: int, height: int, width: int) -> UInt8Array:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def settings_for(patches: tuple[int, int, int]) -> ImageSettings:
    patch, merge, span = patches
    factor = patch * merge
    return ImageSettings(
        patch, merge, span, min_pixels=4 * factor**2, max_pixels=30 * factor**2,
        mean=(1.0, 1.0, 1.0), std=(0.5, 0.25, 0.4),
    )  # fmt: skip


def processor_for(settings: ImageSettings) -> Any:
    return Qwen2VLImageProcessorPil(
        patch_size=settings.patch_size,
        merge_size=settings.merge_size,
        temporal_patch_size=settings.temporal_patch_size,
        size={"shortest_edge": settings.min_pixels, "longest_edge": settings.max_pixels},
        image_mean=list(settings.mean),
        image_std=list(settings.std),
    )


def config_for(config: Qwen2VLConfig, settings: ImageSettings) -> Qwen2VLConfig:
    vision = replace(
        config.vision,
        patch_size=settings.patch_size,
        spatial_merge_size=settings.merge_size,
        temporal_patch_size=settings.temporal_patch_size,
    )
    return replace(config, vision=vision)


def write_folder(
    folder: Path, config: Qwen2VLConfig, tokenizer: Tokenizer, settings: ImageSettings
) -> Any:
    """A checkpoint written by transformers alone, but for the tokenizer; returns its model."""
    torch.manual_seed(5)
    values = ReferenceConfig(**config_for(config, settings).to_dict())
    values._attn_implementation = "eager"
    peer = Qwen2VLForConditionalGeneration(values).eval()
    with torch.no_grad():
        for weight in peer.parameters():
            weight.normal_(float(weight.ndim == 1), 0.15)
    peer.save_pretrained(folder)
    processor_for(settings).save_pretrained(folder)
    tokenizer.save(folder)
    return peer


@pytest.mark.parametrize("patches", PATCHES)
@pytest.mark.parametrize("size", [(224, 280), (31, 97), (3, 500)])
def test_patches_equal_transformers_for_every_patch_size(
    patches: tuple[int, int, int], size: tuple[int, int]
) -> None:
    settings = settings_for(patches)
    picture = noise(1, *size)
    ours = preprocess(picture, settings)
    theirs = processor_for(settings)(
        picture, return_tensors="pt", input_data_format="channels_last"
    )
    assert [list(ours.grid)] == theirs["image_grid_thw"].tolist()
    assert torch.equal(ours.patches, theirs["pixel_values"])


@pytest.mark.parametrize("patches", PATCHES)
@torch.no_grad()
def test_a_folder_of_transformers_answers_as_it_does_there(
    patches: tuple[int, int, int],
    config: Qwen2VLConfig,
    tokenizer: Tokenizer,
    only_text: torch.Tensor,
    tmp_path: Path,
) -> None:
    settings = settings_for(patches)
    peer = write_folder(tmp_path, config, tokenizer, settings)
    loaded = Qwen2VL.load(tmp_path, device="cpu")
    assert loaded.settings == settings
    pictures = [noise(2, 150, 210), noise(3, 97, 40)]
    session = loaded.session()
    for picture in pictures:
        session.append_image(picture)
    session.append_text("what now?")
    prompt = torch.tensor([session.token_ids])
    logits = session.read_pending(session.encode_pending())
    seen = processor_for(settings)(pictures, return_tensors="pt")
    types = (prompt == config.image_token_id).int()
    expected = peer(prompt, mm_token_type_ids=types, **seen).logits[0, -1]
    allowed = only_text
    gap = (logits - expected)[allowed].abs().max() / expected[allowed].abs().max()
    assert gap < 1e-4
    answer = reply(session, 8, constraint=only(only_text), stop=()).token_ids
    step = list(answer[:1])
    assert step == [int(expected.masked_fill(~allowed, -torch.inf).argmax())]


@pytest.mark.parametrize("patches", [(7, 2, 2), (16, 2, 2), (14, 2, 4), (14, 2, 1)])
def test_a_video_has_the_patches_of_its_pictures(patches: tuple[int, int, int]) -> None:
    settings = settings_for(patches)
    span, area = settings.temporal_patch_size, settings.patch_size**2
    frames = np.stack([noise(seed, 90, 120) for seed in range(5)])
    ours = preprocess_video(frames, settings)
    assert len(ours.frame_indices) % span == 0
    rows = ours.patches.view(ours.grid[0], -1, 3, span, area)
    one_frame = processor_for(replace(settings, temporal_patch_size=1, min_pixels=1))
    one_frame.size = {"shortest_edge": 1, "longest_edge": 10**9}
    for number, index in enumerate(ours.frame_indices):
        still = resize(frames[index], ours.resized_size)
        theirs = one_frame(still, return_tensors="pt")["pixel_values"].view(-1, 3, area)
        assert torch.equal(rows[number // span, :, :, number % span], theirs)
    height, width = ours.resized_size
    assert height % settings.factor == width % settings.factor == 0
    assert 0 < height * width <= settings.max_pixels
    assert ours.num_tokens == ours.patches.shape[0] // settings.merge_size**2


def test_a_session_takes_the_models_patches_and_refuses_others(
    config: Qwen2VLConfig,
    tokenizer: Tokenizer,
    build_model: Callable[[Qwen2VLConfig], Qwen2VLNetwork],
) -> None:
    small = ImageSettings(patch_size=7)
    network = build_model(config_for(config, small))
    session = Session(network, tokenizer)
    assert session.settings == small
    tokens, positions = session.cost_of(session.append_image(noise(1, 140, 210)))
    assert (tokens, positions) == (10 * 15, 15)
    session.append_text("x")
    assert reply(session, 2).token_ids
    with pytest.raises(UsageError, match="patch_size: the pictures have 14, the model needs 7"):
        Session(network, tokenizer, settings=PUBLISHED)


def test_training_looks_where_the_point_lies_at_every_patch_size(
    config: Qwen2VLConfig, tokenizer: Tokenizer
) -> None:
    screen = noise(1, 112, 168)
    parts = [DocumentPart("screen", screen=0), DocumentPart("plain", "[999, 999]", learned=True)]
    for settings, columns, tokens in (
        (ImageSettings(patch_size=7), 12, 8 * 12),
        (ImageSettings(patch_size=7, merge_size=4), 6, 4 * 6),
        (ImageSettings(), 6, 4 * 6),
    ):
        encoder = Encoder(tokenizer, config_for(config, settings), settings)
        encoded = encoder.encode(Document("drawn", 0, parts, images=[screen]))
        assert encoded.images[0].num_tokens == tokens
        assert int(encoded.looks.max()) == tokens, "the last token of the screen, after its mark"
        assert int(encoded.positions[2].max()) >= columns
    with pytest.raises(UsageError, match="patch_size"):
        Encoder(tokenizer, config, ImageSettings(patch_size=7))


LIMITS: list[tuple[dict[str, Any], tuple[int, int]]] = [
    ({"min_pixels": 3136, "max_pixels": 12845056}, (3136, 12845056)),
    ({"size": {"shortest_edge": 784, "longest_edge": 7840}}, (784, 7840)),
    ({"size": {"min_pixels": 784, "max_pixels": 7840}}, (784, 7840)),
    ({"min_pixels": 1568, "size": {"min_pixels": 784, "max_pixels": 7840}}, (1568, 7840)),
    ({"min_pixels": 784.0, "max_pixels": 7840.0}, (784, 7840)),
    ({"min_pixels": None, "size": {"shortest_edge": 784}}, (784, PUBLISHED.max_pixels)),
    ({"size": None}, (PUBLISHED.min_pixels, PUBLISHED.max_pixels)),
    ({}, (PUBLISHED.min_pixels, PUBLISHED.max_pixels)),
]


@pytest.mark.parametrize("nested", [False, True], ids=["preprocessor", "processor"])
@pytest.mark.parametrize(("written", "expected"), LIMITS)
def test_limits_are_read_in_every_spelling(
    tmp_path: Path, written: dict[str, Any], expected: tuple[int, int], nested: bool
) -> None:
    assert read_image_settings(tmp_path, VISION) == PUBLISHED
    name = "processor_config.json" if nested else "preprocessor_config.json"
    values = {"image_processor": written, "processor_class": "x"} if nested else written
    (tmp_path / name).write_text(json.dumps(values))
    found = read_image_settings(tmp_path, VISION)
    assert (found.min_pixels, found.max_pixels) == expected


def test_the_newer_file_wins_as_in_transformers_and_an_old_style_one_does_not(
    tmp_path: Path,
) -> None:
    (tmp_path / "preprocessor_config.json").write_text('{"max_pixels": 7840}')
    (tmp_path / "processor_config.json").write_text('{"processor_class": "Qwen2VLProcessor"}')
    assert read_image_settings(tmp_path, VISION).max_pixels == 7840
    (tmp_path / "processor_config.json").write_text('{"image_processor": {"max_pixels": 78400}}')
    assert read_image_settings(tmp_path, VISION).max_pixels == 78400


def test_switched_off_scaling_and_normalising_are_heeded(tmp_path: Path) -> None:
    processor = Qwen2VLImageProcessorPil(do_normalize=False, rescale_factor=1 / 128)
    processor.save_pretrained(tmp_path)
    picture = noise(4, 60, 80)
    ours = preprocess(picture, read_image_settings(tmp_path, VISION))
    assert torch.equal(ours.patches, processor(picture, return_tensors="pt")["pixel_values"])


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("{", "JSON"),
        ("[]", "JSON object"),
        ('{"min_pixels": 9, "max_pixels": 3}', "min_pixels <= max_pixels"),
        ('{"max_pixels": 7840.5}', "whole number"),
        ('{"max_pixels": NaN}', "whole number"),
        ('{"max_pixels": "many"}', "whole number"),
        ('{"size": {"height": 224, "width": 224}}', "size"),
        ('{"size": 224}', "size"),
        ('{"patch_size": 16}', "patch_size: the pictures have 16, the model needs 14"),
        ('{"merge_size": 0}', "merge_size"),
        ('{"image_mean": [0.5, 0.5]}', "image_mean"),
        ('{"image_std": [0.5, 0.5, 0.0]}', "std"),
        ('{"image_std": "white"}', "image_std"),
        ('{"image_mean": [NaN, 0, 0]}', "mean"),
        ('{"rescale_factor": 0}', "scale"),
        ('{"do_resize": false}', "do_resize"),
        ('{"do_normalize": "no"}', "do_normalize"),
        ('{"resample": 2}', "resample"),
    ],
)
def test_what_cannot_be_is_named_in_one_line(tmp_path: Path, written: str, problem: str) -> None:
    (tmp_path / "preprocessor_config.json").write_text(written)
    with pytest.raises(BadConfig, match=problem) as caught:
        read_image_settings(tmp_path, VISION)
    assert "preprocessor_config.json" in str(caught.value)
    assert "\n" not in str(caught.value)
