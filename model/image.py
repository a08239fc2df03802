"""Images as Qwen2-VL reads them: naive dynamic resolution.

A picture keeps its own resolution: each side goes to the nearest multiple of 28 pixels and the
area stays within a budget (Qwen2-VL, arXiv 2409.12191, section 2.1). It is then cut into patches
of 14x14 pixels, ordered so that the four patches that the vision tower merges into one token
are neighbours. A still image counts as two identical frames.

The numbers equal those of transformers' Pillow based image processor bit for bit.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from eyehand.errors import UsageError

PATCH_SIZE = 14
"""Side of a patch in pixels."""
MERGE_SIZE = 2
"""The vision tower merges MERGE_SIZE x MERGE_SIZE patches into one token."""
TEMPORAL_PATCH_SIZE = 2
"""Frames that one patch spans."""
FACTOR = PATCH_SIZE * MERGE_SIZE
"""Side of one token in pixels: every resized side is a multiple of it."""
PATCH_DIM = 3 * TEMPORAL_PATCH_SIZE * PATCH_SIZE * PATCH_SIZE
"""Values in one patch row: channels x frames x height x width = 1176."""
MIN_PIXELS = 56 * 56
"""Default smallest area in pixels, as in the published checkpoints."""
MAX_PIXELS = 16384 * 28 * 28
"""Default largest area in pixels (16384 tokens), as in the published checkpoints."""
MAX_ASPECT_RATIO = 200
"""The longer side may be at most this many times the shorter one."""
# Mean and standard deviation of CLIP's training images, per channel, for values in 0..1.
IMAGE_MEAN = (0.48145466, 0.4578275, 0.40821073)
IMAGE_STD = (0.26862954, 0.26130258, 0.27577711)

UInt8Array = npt.NDArray[np.uint8]
Picture = UInt8Array | Image.Image
Grid = tuple[int, int, int]


@dataclass(frozen=True)
class ImageInput:
    """One picture, ready for the vision tower.

    Attributes:
        patches: float32 (t*h*w, 1176), normalised, in merge order.
        grid: (t, h, w) in patches; a still image has t = 1.
        original_size: (height, width) in pixels before resizing.
        resized_size: (height, width) in pixels as the model sees it, multiples of 28.
    """

    patches: torch.Tensor
    grid: Grid
    original_size: tuple[int, int]
    resized_size: tuple[int, int]

    @property
    def num_tokens(self) -> int:
        """Placeholder tokens that this picture occupies in the prompt."""
        return tokens_of_grid(self.grid)


def tokens_of_grid(grid: Sequence[int]) -> int:
    """Returns the number of tokens of a (t, h, w) grid of patches."""
    return math.prod(grid) // MERGE_SIZE**2


def smart_resize(
    height_px: int,
    width_px: int,
    *,
    factor: int = FACTOR,
    min_pixels: int = MIN_PIXELS,
    max_pixels: int = MAX_PIXELS,
) -> tuple[int, int]:
    """Chooses the size at which the model sees a picture.

    Args:
        height_px: Height of the picture, at least 1.
        width_px: Width of the picture, at least 1.
        factor: Both results are multiples of it.
        min_pixels: Smallest area of the result.
        max_pixels: Largest area of the result; an extremely narrow picture may exceed it,
            because no side becomes smaller than `factor`.

    Returns:
        (height, width) in pixels.

    Raises:
        UsageError: A side is below 1, the limits contradict each other, or the longer side is
            more than 200 times the shorter one.

    Examples:
        >>> smart_resize(720, 1280)
        (728, 1288)
    """
    _check_sizes(height_px, width_px, min_pixels, max_pixels)
    height = round(height_px / factor) * factor
    width = round(width_px / factor) * factor
    if height * width > max_pixels:
        shrink = math.sqrt((height_px * width_px) / max_pixels)
        # A narrow picture would lose its short side here (31x639 at 20 tokens: 0.96 tokens high).
        height = max(factor, math.floor(height_px / shrink / factor) * factor)
        width = max(factor, math.floor(width_px / shrink / factor) * factor)
    elif height * width < min_pixels:
        grow = math.sqrt(min_pixels / (height_px * width_px))
        height = math.ceil(height_px * grow / factor) * factor
        width = math.ceil(width_px * grow / factor) * factor
    return height, width


def _check_sizes(height_px: int, width_px: int, min_pixels: int, max_pixels: int) -> None:
    if min(height_px, width_px) < 1:
        raise UsageError(
            f"a picture needs at least 1x1 pixels, got {height_px}x{width_px} (height x width)"
        )
    if not 1 <= min_pixels <= max_pixels:
        raise UsageError(
            f"expected 1 <= min_pixels <= max_pixels, got {min_pixels} and {max_pixels}"
        )
    if max(height_px, width_px) > MAX_ASPECT_RATIO * min(height_px, width_px):
        raise UsageError(
            f"the longer side of a picture may be at most {MAX_ASPECT_RATIO} times the shorter "
            f"one, got {height_px}x{width_px} pixels (height x width): crop or pad it"
        )


def num_image_tokens(
    height_px: int,
    width_px: int,
    *,
    min_pixels: int = MIN_PIXELS,
    max_pixels: int = MAX_PIXELS,
) -> int:
    """Returns how many placeholder tokens a picture of this size becomes.

    Args:
        height_px: Height of the picture before resizing.
        width_px: Width of the picture before resizing.
        min_pixels: See `smart_resize`.
        max_pixels: See `smart_resize`.

    Examples:
        >>> num_image_tokens(720, 1280)
        1196
    """
    height, width = smart_resize(height_px, width_px, min_pixels=min_pixels, max_pixels=max_pixels)
    return height * width // FACTOR**2


def preprocess(
    image: Picture, *, min_pixels: int = MIN_PIXELS, max_pixels: int = MAX_PIXELS
) -> ImageInput:
    """Turns a picture into the vision tower's input.

    Args:
        image: uint8 (H, W, 3) RGB or (H, W, 4) RGBA, or any Pillow image. Transparency is
            composited on white.
        min_pixels: Smallest area that the model sees.
        max_pixels: Largest area that the model sees.

    Returns:
        The patches with their grid and both sizes.

    Raises:
        UsageError: The array is no picture, or its size is not permitted.
    """
    rgb = to_rgb(image)
    original = (rgb.shape[0], rgb.shape[1])
    resized = smart_resize(*original, min_pixels=min_pixels, max_pixels=max_pixels)
    pixels = resize(rgb, resized)
    patches = patchify(pixels[None])
    grid = (1, resized[0] // PATCH_SIZE, resized[1] // PATCH_SIZE)
    return ImageInput(patches, grid, original, resized)


def preprocess_batch(
    images: Iterable[Picture], *, min_pixels: int = MIN_PIXELS, max_pixels: int = MAX_PIXELS
) -> list[ImageInput]:
    """Preprocesses several pictures, of any sizes; see `preprocess`."""
    return [preprocess(image, min_pixels=min_pixels, max_pixels=max_pixels) for image in images]


def concatenate(inputs: Sequence[ImageInput]) -> tuple[torch.Tensor, torch.Tensor]:
    """Joins pictures into the network's two arguments.

    Args:
        inputs: At least one picture, in the order of their placeholders.

    Returns:
        patches, float32 (sum of t*h*w, 1176), and grid_thw, int64 (pictures, 3).
    """
    patches = torch.cat([item.patches for item in inputs])
    return patches, torch.tensor([item.grid for item in inputs], dtype=torch.int64)


def to_rgb(image: Picture) -> UInt8Array:
    """Returns a picture as uint8 (H, W, 3), transparency composited on white.

    Raises:
        UsageError: Not a Pillow image nor a uint8 array of three or four channels.
    """
    if isinstance(image, Image.Image):
        return _pillow_to_rgb(image)
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (3, 4):
        raise UsageError(
            "a picture is uint8 of shape (height, width, 3 or 4), "
            f"got {array.dtype} of shape {array.shape}"
        )
    if array.shape[2] == 4 and array.size:
        return _pillow_to_rgb(Image.fromarray(array))
    return np.ascontiguousarray(array[..., :3])


def _pillow_to_rgb(image: Image.Image) -> UInt8Array:
    if "A" in image.getbands() or image.info.get("transparency") is not None:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, rgba)
    return np.array(image.convert("RGB"), dtype=np.uint8)


def resize(rgb: UInt8Array, size: tuple[int, int]) -> UInt8Array:
    """Resizes uint8 (H, W, 3) to (height, width), bicubic; the same array when it fits already."""
    if rgb.shape[:2] == size:
        return rgb
    height, width = size
    resized = Image.fromarray(rgb).resize((width, height), resample=Image.Resampling.BICUBIC)
    return np.asarray(resized)


def _normalisation_table() -> npt.NDArray[np.float32]:
    """The normalised value of every byte, float32 (3 channels, 256).

    Looking a byte up is exact and faster than arithmetic on every pixel. The roundings are
    those of the reference: scale in float64, then subtract and divide in float32.
    """
    scaled = (np.arange(256, dtype=np.float64) * (1 / 255)).astype(np.float32)
    mean = np.array(IMAGE_MEAN, dtype=np.float32)[:, None]
    std = np.array(IMAGE_STD, dtype=np.float32)[:, None]
    table: npt.NDArray[np.float32] = (scaled[None] - mean) / std
    return table


_TABLE = _normalisation_table()


def patchify(frames: UInt8Array) -> torch.Tensor:
    """Normalises frames and cuts them into rows of patches in merge order.

    Args:
        frames: uint8 (T, H, W, 3), sides multiples of 28; T is 1 (a still image, which counts
            as two identical frames) or even.

    Returns:
        float32 (t*h*w, 1176) with t = ceil(T/2), h = H/14, w = W/14. Rows run over frame
        pairs, then 2x2 blocks of patches, then within the block; a row is (channel, frame,
        y, x).
    """
    num_frames, height, width, _ = frames.shape
    pair = min(num_frames, TEMPORAL_PATCH_SIZE)
    blocks = frames.reshape(
        num_frames // pair, pair, height // FACTOR, MERGE_SIZE, PATCH_SIZE,
        width // FACTOR, MERGE_SIZE, PATCH_SIZE, 3,
    )  # fmt: skip
    # (t, pair, H, mh, y, W, mw, x, c) -> (t, H, W, mh, mw, c, pair, y, x)
    ordered = blocks.transpose(0, 2, 5, 3, 6, 8, 1, 4, 7)
    pixels = ordered.reshape(-1, 3, pair, PATCH_SIZE**2)  # (P, 3, pair, 196)
    rows = np.empty((len(pixels), 3, TEMPORAL_PATCH_SIZE, PATCH_SIZE**2), dtype=np.float32)
    for channel in range(3):
        rows[:, channel] = np.take(_TABLE[channel], pixels[:, channel])  # a still image broadcasts
    return torch.from_numpy(rows.reshape(-1, PATCH_DIM))  # (P, 1176)
