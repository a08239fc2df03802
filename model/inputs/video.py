"""Videos as Qwen2-VL reads them: two frames a second, two frames a patch, one token budget.

The resolution of the frames is chosen so that a whole video costs at most 16384 tokens
(Qwen2-VL, arXiv 2409.12191, section 2.1): a long video is seen coarsely rather than cut off.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from eyehand.errors import UsageError
from eyehand.model.inputs.image import (
    Grid,
    UInt8Array,
    patchify,
    resize,
    smart_resize,
    tokens_of_grid,
)
from eyehand.model.inputs.image_settings import PUBLISHED, ImageSettings

SAMPLED_FPS = 2.0
"""Frames that the model sees of one second."""
MIN_FRAMES = 4
"""Shorter videos repeat their last frame up to this many."""
MAX_FRAMES = 768
"""Longer videos are sampled more sparsely."""
MAX_VIDEO_TOKENS = 16384
"""Most tokens that one video may become."""
MIN_FRAME_PIXELS = 128 * 28 * 28
"""Small frames are enlarged to this area while the budget permits it."""
MAX_FRAME_PIXELS = 768 * 28 * 28
"""Largest area of a frame, however short the video."""


@dataclass(frozen=True)
class VideoInput:
    """One video, ready for the vision tower.

    Attributes:
        patches: float32 (t*h*w, 1176), normalised, in merge order.
        grid: (t, h, w) in patches; t counts pairs of frames.
        original_size: (height, width) of a frame in pixels before resizing.
        resized_size: (height, width) of a frame as the model sees it, multiples of 28.
        frame_indices: Which of the given frames were taken, in order; an even number, the last
            one repeated where that was needed.
        merge_size: One token holds merge_size x merge_size patches.
    """

    patches: torch.Tensor
    grid: Grid
    original_size: tuple[int, int]
    resized_size: tuple[int, int]
    frame_indices: tuple[int, ...]
    merge_size: int

    @property
    def num_tokens(self) -> int:
        """Placeholder tokens that this video occupies in the prompt."""
        return tokens_of_grid(self.grid, self.merge_size)


def preprocess_video(
    frames: UInt8Array,
    settings: ImageSettings = PUBLISHED,
    *,
    fps: float | None = None,
    sampled_fps: float = SAMPLED_FPS,
    max_tokens: int = MAX_VIDEO_TOKENS,
) -> VideoInput:
    """Turns the frames of a video into the vision tower's input.

    Args:
        frames: uint8 (T, H, W, 3) RGB, at least one frame.
        settings: How the model sees pictures; a checkpoint that asks for small pictures asks for
            small frames too.
        fps: Frames a second at which `frames` were recorded. None: they are already sampled,
            and all are taken as long as there are at most 768.
        sampled_fps: Frames a second that the model shall see.
        max_tokens: Most tokens that the video may become.

    Returns:
        The patches with their grid, both sizes and the frames taken.

    Raises:
        UsageError: The array is no video, a rate is no number above 0, the frames are too narrow,
            or the budget is smaller than one token a pair of frames.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or not len(frames):
        raise UsageError(
            "a video is uint8 of shape (at least 1 frame, height, width, 3), "
            f"got {frames.dtype} of shape {frames.shape}"
        )
    indices = sample_indices(
        len(frames), fps=fps, sampled_fps=sampled_fps, span=settings.temporal_patch_size
    )
    original = (frames.shape[1], frames.shape[2])
    resized = frame_size(*original, settings, num_frames=len(indices), max_tokens=max_tokens)
    distinct = {index: resize(frames[index], resized) for index in set(indices)}
    patches = patchify(np.stack([distinct[index] for index in indices]), settings)
    grid = settings.grid(len(indices), resized)
    return VideoInput(patches, grid, original, resized, tuple(indices), settings.merge_size)


def sample_indices(
    total_frames: int,
    *,
    fps: float | None = None,
    sampled_fps: float = SAMPLED_FPS,
    span: int = PUBLISHED.temporal_patch_size,
) -> list[int]:
    """Chooses evenly spaced frames.

    Args:
        total_frames: Frames that there are, at least 1.
        fps: Frames a second of the recording; None takes every frame while they are few enough.
        sampled_fps: Frames a second to take.
        span: Frames that one patch spans.

    Returns:
        Ascending indices: a multiple of `span` of them (an even number), from 4 to 768. A video
        that has too few frames, or an odd number where all are taken, repeats its last one.

    Raises:
        UsageError: No frame, or a rate that is no number above 0.
    """
    if total_frames < 1:
        raise UsageError(f"a video needs at least 1 frame, got {total_frames}")
    for rate in (sampled_fps if fps is None else fps, sampled_fps):
        if not (math.isfinite(rate) and rate > 0):
            raise UsageError(f"a frame rate must be a positive number, got {rate}")
    wanted: float = total_frames if fps is None else total_frames / fps * sampled_fps
    if total_frames < max(MIN_FRAMES, span) or (fps is None and total_frames <= MAX_FRAMES):
        indices = list(range(total_frames))
    else:
        largest = min(MAX_FRAMES, total_frames)
        count = math.floor(min(max(wanted, MIN_FRAMES), largest) / span) * span
        # Clamped as well as floored: rounding may place the last index one past the end.
        indices = [min(int(i * total_frames / count), total_frames - 1) for i in range(count)]
    whole = math.ceil(max(MIN_FRAMES, len(indices)) / span) * span
    return indices + indices[-1:] * (whole - len(indices))


def frame_size(
    height_px: int,
    width_px: int,
    settings: ImageSettings = PUBLISHED,
    *,
    num_frames: int,
    max_tokens: int = MAX_VIDEO_TOKENS,
) -> tuple[int, int]:
    """Chooses the size of the frames so that the whole video stays within its budget.

    Args:
        height_px: Height of a frame.
        width_px: Width of a frame.
        settings: How the model sees pictures.
        num_frames: Frames that the model will see, an even number.
        max_tokens: Most tokens that the video may become.

    Returns:
        (height, width) in pixels, multiples of 28.

    Raises:
        UsageError: See `preprocess_video`.
    """
    pairs = math.ceil(num_frames / settings.temporal_patch_size)
    frame_tokens = max_tokens // pairs
    if frame_tokens < 1:
        raise UsageError(
            f"{num_frames} frames need at least {pairs} tokens, "
            f"max_tokens is {max_tokens}: take fewer frames"
        )
    factor = settings.factor
    largest = min(MAX_FRAME_PIXELS, settings.max_pixels, frame_tokens * factor**2)
    smallest = min(MIN_FRAME_PIXELS, largest)
    seen = replace(settings, min_pixels=smallest, max_pixels=largest)
    size = smart_resize(height_px, width_px, seen)
    if size[0] * size[1] > largest:
        # Enlarging to `smallest` rounds up and may pass the largest area, which wins.
        size = smart_resize(height_px, width_px, replace(seen, min_pixels=1))
    # One token high (or wide) and still too long: shorten it, or a ribbon would break the budget.
    longest = max(largest // min(size) // factor, 1) * factor
    return min(size[0], longest), min(size[1], longest)
