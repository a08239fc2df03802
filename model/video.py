"""Videos as Qwen2-VL reads them: two frames a second, two frames a patch, one token budget.

The resolution of the frames is chosen so that a whole video costs at most 16384 tokens
(Qwen2-VL, arXiv 2409.12191, section 2.1): a long video is seen coarsely rather than cut off.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from eyehand.errors import UsageError
from eyehand.model.image import (
    FACTOR,
    PATCH_SIZE,
    TEMPORAL_PATCH_SIZE,
    Grid,
    UInt8Array,
    patchify,
    resize,
    smart_resize,
    tokens_of_grid,
)

SAMPLED_FPS = 2.0
"""Frames that the model sees of one second."""
MIN_FRAMES = 4
"""Shorter videos repeat their last frame up to this many."""
MAX_FRAMES = 768
"""Longer videos are sampled more sparsely."""
MAX_VIDEO_TOKENS = 16384
"""Most tokens that one video may become."""
MIN_FRAME_PIXELS = 128 * FACTOR**2
"""Small frames are enlarged to this area while the budget permits it."""
MAX_FRAME_PIXELS = 768 * FACTOR**2
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
    """

    patches: torch.Tensor
    grid: Grid
    original_size: tuple[int, int]
    resized_size: tuple[int, int]
    frame_indices: tuple[int, ...]

    @property
    def num_tokens(self) -> int:
        """Placeholder tokens that this video occupies in the prompt."""
        return tokens_of_grid(self.grid)


def preprocess_video(
    frames: UInt8Array,
    *,
    fps: float | None = None,
    sampled_fps: float = SAMPLED_FPS,
    max_tokens: int = MAX_VIDEO_TOKENS,
    max_frame_pixels: int = MAX_FRAME_PIXELS,
) -> VideoInput:
    """Turns the frames of a video into the vision tower's input.

    Args:
        frames: uint8 (T, H, W, 3) RGB, at least one frame.
        fps: Frames a second at which `frames` were recorded. None: they are already sampled,
            and all are taken as long as there are at most 768.
        sampled_fps: Frames a second that the model shall see.
        max_tokens: Most tokens that the video may become.
        max_frame_pixels: Largest area of a frame; a checkpoint that asks for small pictures asks
            for small frames too.

    Returns:
        The patches with their grid, both sizes and the frames taken.

    Raises:
        UsageError: The array is no video, a rate is not positive, the frames are too narrow,
            or the budget is smaller than one token a pair of frames.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or not len(frames):
        raise UsageError(
            "a video is uint8 of shape (at least 1 frame, height, width, 3), "
            f"got {frames.dtype} of shape {frames.shape}"
        )
    indices = sample_indices(len(frames), fps=fps, sampled_fps=sampled_fps)
    original = (frames.shape[1], frames.shape[2])
    resized = frame_size(
        *original,
        num_frames=len(indices),
        max_tokens=max_tokens,
        max_frame_pixels=max_frame_pixels,
    )
    distinct = {index: resize(frames[index], resized) for index in set(indices)}
    patches = patchify(np.stack([distinct[index] for index in indices]))
    grid = (
        len(indices) // TEMPORAL_PATCH_SIZE,
        resized[0] // PATCH_SIZE,
        resized[1] // PATCH_SIZE,
    )
    return VideoInput(patches, grid, original, resized, tuple(indices))


def sample_indices(
    total_frames: int, *, fps: float | None = None, sampled_fps: float = SAMPLED_FPS
) -> list[int]:
    """Chooses evenly spaced frames.

    Args:
        total_frames: Frames that there are, at least 1.
        fps: Frames a second of the recording; None takes every frame while they are few enough.
        sampled_fps: Frames a second to take.

    Returns:
        Ascending indices: an even number of them, from 4 to 768. A video that has too few
        frames, or an odd number where all are taken, repeats its last one.

    Raises:
        UsageError: No frame, or a rate that is not positive.
    """
    if total_frames < 1:
        raise UsageError(f"a video needs at least 1 frame, got {total_frames}")
    if (fps is not None and fps <= 0) or sampled_fps <= 0:
        raise UsageError(f"frame rates must be positive, got {fps} and {sampled_fps}")
    wanted: float = total_frames if fps is None else total_frames / fps * sampled_fps
    if total_frames < MIN_FRAMES or (fps is None and total_frames <= MAX_FRAMES):
        indices = list(range(total_frames))
    else:
        largest = min(MAX_FRAMES, total_frames)
        count = math.floor(min(max(wanted, MIN_FRAMES), largest) / 2) * 2
        # Clamped as well as floored: rounding may place the last index one past the end.
        indices = [min(int(i * total_frames / count), total_frames - 1) for i in range(count)]
    padding = max(MIN_FRAMES - len(indices), len(indices) % TEMPORAL_PATCH_SIZE)
    return indices + indices[-1:] * padding


def frame_size(
    height_px: int,
    width_px: int,
    *,
    num_frames: int,
    max_tokens: int = MAX_VIDEO_TOKENS,
    max_frame_pixels: int = MAX_FRAME_PIXELS,
) -> tuple[int, int]:
    """Chooses the size of the frames so that the whole video stays within its budget.

    Args:
        height_px: Height of a frame.
        width_px: Width of a frame.
        num_frames: Frames that the model will see, an even number.
        max_tokens: Most tokens that the video may become.
        max_frame_pixels: Largest area of a frame; above 768 tokens it changes nothing.

    Returns:
        (height, width) in pixels, multiples of 28.

    Raises:
        UsageError: See `preprocess_video`.
    """
    frame_tokens = max_tokens * TEMPORAL_PATCH_SIZE // num_frames
    if frame_tokens < 1:
        raise UsageError(
            f"{num_frames} frames need at least {num_frames // TEMPORAL_PATCH_SIZE} tokens, "
            f"max_tokens is {max_tokens}: take fewer frames"
        )
    largest = min(MAX_FRAME_PIXELS, max_frame_pixels, frame_tokens * FACTOR**2)
    smallest = min(MIN_FRAME_PIXELS, largest)
    size = smart_resize(height_px, width_px, min_pixels=smallest, max_pixels=largest)
    if size[0] * size[1] > largest:
        # Enlarging to `smallest` rounds up and may pass the largest area, which wins.
        size = smart_resize(height_px, width_px, min_pixels=1, max_pixels=largest)
    # One token high (or wide) and still too long: shorten it, or a ribbon would break the budget.
    longest = largest // min(size) // FACTOR * FACTOR
    return min(size[0], longest), min(size[1], longest)
