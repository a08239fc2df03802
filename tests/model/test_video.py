import numpy as np
import pytest
import torch
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from eyehand.errors import UsageError
from eyehand.model.inputs import video
from eyehand.model.inputs.image import UInt8Array

RNG = np.random.default_rng(3)


def clip(frames: int, height: int, width: int) -> UInt8Array:
    return RNG.integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("total", "fps", "count"),
    [(60, 30.0, 4), (300, 30.0, 20), (90, 30.0, 6), (36_000, 30.0, 768), (8, 1.0, 8)],
)
def test_two_frames_a_second_between_four_and_768(total: int, fps: float, count: int) -> None:
    indices = video.sample_indices(total, fps=fps)
    assert len(indices) == count
    # The published formula: a step of total / count from the first frame, rounded down.
    assert indices == torch.arange(0, total, total / count)[:count].int().tolist()


@pytest.mark.parametrize("total", range(1, 40))
@pytest.mark.parametrize("fps", [None, 0.5, 2.0, 3.0, 29.97])
def test_frames_are_even_ascending_and_exist(total: int, fps: float | None) -> None:
    indices = video.sample_indices(total, fps=fps)
    assert len(indices) % 2 == 0
    assert 4 <= len(indices) <= 768
    assert indices == sorted(indices)
    assert indices[0] == 0
    assert indices[-1] < total


def test_odd_number_of_sampled_frames_repeats_the_last() -> None:
    assert video.sample_indices(5) == [0, 1, 2, 3, 4, 4]
    assert video.sample_indices(1) == [0, 0, 0, 0]
    assert video.sample_indices(3, fps=2.0) == [0, 1, 2, 2]


def test_twenty_minutes_fit_the_budget() -> None:
    indices = video.sample_indices(20 * 60 * 30, fps=30.0)
    height, width = video.frame_size(720, 1280, num_frames=len(indices))
    assert len(indices) // 2 * (height // 28) * (width // 28) <= 16384


@pytest.mark.parametrize("num_frames", [4, 16, 48, 100, 400, 768])
@pytest.mark.parametrize("size", [(720, 1280), (2400, 1080), (20, 30), (10, 1900), (1000, 28)])
def test_no_shape_of_frame_breaks_the_budget(num_frames: int, size: tuple[int, int]) -> None:
    height, width = video.frame_size(*size, num_frames=num_frames)
    assert height % 28 == width % 28 == 0
    assert min(height, width) >= 28
    assert num_frames // 2 * (height // 28) * (width // 28) <= 16384


def test_short_video_is_capped_by_the_frame_and_long_one_by_the_budget() -> None:
    assert video.frame_size(720, 1280, num_frames=4) == (560, 1008)
    height, width = video.frame_size(720, 1280, num_frames=128)
    assert (height // 28) * (width // 28) <= 16384 // 64
    assert abs(width / height - 1280 / 720) < 0.15


@pytest.mark.parametrize("size", [(280, 420), (300, 455)])
def test_patches_of_each_frame_equal_the_image_processor_of_transformers(
    size: tuple[int, int],
) -> None:
    frames = clip(6, *size)
    ours = video.preprocess_video(frames)
    limits = {"shortest_edge": video.MIN_FRAME_PIXELS, "longest_edge": video.MAX_FRAME_PIXELS}
    out = Qwen2VLImageProcessorPil(size=limits)(list(frames), return_tensors="pt")
    stills = out["pixel_values"].view(6, -1, 3, 2, 196)  # a still is two equal frames
    rows = ours.patches.view(3, -1, 3, 2, 196)
    assert ours.grid == (3, *out["image_grid_thw"][0, 1:].tolist())
    assert torch.equal(rows[:, :, :, 0], stills[0::2, :, :, 0])
    assert torch.equal(rows[:, :, :, 1], stills[1::2, :, :, 1])


def test_odd_video_pads_with_its_last_frame() -> None:
    frames = clip(5, 308, 336)
    padded = np.concatenate([frames, frames[-1:]])
    ours = video.preprocess_video(frames)
    assert torch.equal(ours.patches, video.preprocess_video(padded).patches)
    assert ours.frame_indices == (0, 1, 2, 3, 4, 4)
    assert ours.num_tokens == 3 * 11 * 12
    assert ours.original_size == ours.resized_size == (308, 336)


def test_recorded_rate_decides_which_frames_are_seen() -> None:
    frames = clip(40, 308, 336)
    ours = video.preprocess_video(frames, fps=10.0)
    assert ours.frame_indices == (0, 5, 10, 15, 20, 25, 30, 35)
    assert torch.equal(ours.patches, video.preprocess_video(frames[::5]).patches)


@pytest.mark.parametrize("shape", [(0, 28, 28, 3), (28, 28, 3), (4, 28, 28, 4)])
def test_what_is_no_video_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="a video is"):
        video.preprocess_video(np.zeros(shape, dtype=np.uint8))


def test_rate_that_is_not_positive_is_refused() -> None:
    with pytest.raises(UsageError, match="positive"):
        video.sample_indices(10, fps=0.0)


def test_budget_below_one_token_a_pair_is_refused() -> None:
    with pytest.raises(UsageError, match="take fewer frames"):
        video.frame_size(100, 100, num_frames=100, max_tokens=49)


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -1.0, 0.0])
def test_a_frame_rate_that_is_no_number_above_0_is_said(rate: float) -> None:
    with pytest.raises(UsageError, match="a frame rate must be a positive number, got") as caught:
        video.preprocess_video(clip(5, 60, 60), fps=rate)
    with pytest.raises(UsageError, match="a frame rate must be a positive number, got"):
        video.preprocess_video(clip(5, 60, 60), fps=4.0, sampled_fps=rate)
    assert "\n" not in str(caught.value)
