"""Images as Qwen2-VL reads them: naive dynamic resolution.

A picture keeps its own resolution: each side goes to the nearest multiple of 28 pixels and the
area stays within a budget (Qwen2-VL, arXiv 2409.12191, section 2.1). It is then cut into patches
of 14x14 pixels, ordered so that the four patches that the vision tower merges into one token
are neighbours. A still image counts as two identical frames. These are the published numbers;
a checkpoint may have others (`eyehand.model.inputs.image_settings`).

The numbers equal those of transformers' Pillow based image processor bit for bit.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps

from eyehand.errors import UsageError
from eyehand.model.inputs.image_settings import PUBLISHED, ImageSettings

MAX_ASPECT_RATIO = 200
"""The longer side may be at most this many times the shorter one."""

PATCHES_AT_ONCE = 64
"""So many are normalised at a time: they stay in the processor's cache."""

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
Picture = UInt8Array | Image.Image
Grid = tuple[int, int, int]

_TRANSPARENT = ("LA", "La", "PA", "RGBA", "RGBa")


@dataclass(frozen=True)
class ImageInput:
    """One picture, ready for the vision tower.

    Attributes:
        patches: float32 (t*h*w, 1176), normalised, in merge order.
        grid: (t, h, w) in patches; a still image has t = 1.
        original_size: (height, width) in pixels before resizing.
        resized_size: (height, width) in pixels as the model sees it, multiples of 28.
        merge_size: One token holds merge_size x merge_size patches.
    """

    patches: torch.Tensor
    grid: Grid
    original_size: tuple[int, int]
    resized_size: tuple[int, int]
    merge_size: int

    @property
    def num_tokens(self) -> int:
        """Placeholder tokens that this picture occupies in the prompt."""
        return tokens_of_grid(self.grid, self.merge_size)


def tokens_of_grid(grid: Sequence[int], merge_size: int) -> int:
    """Returns the number of tokens of a (t, h, w) grid of patches."""
    return math.prod(grid) // merge_size**2


def smart_resize(
    height_px: int, width_px: int, settings: ImageSettings = PUBLISHED
) -> tuple[int, int]:
    """Chooses the size at which the model sees a picture.

    Args:
        height_px: Height of the picture, at least 1.
        width_px: Width of the picture, at least 1.
        settings: Both results are multiples of its `factor`, their area is within its limits; an
            extremely narrow picture may exceed the largest area, because no side becomes smaller
            than `factor`.

    Returns:
        (height, width) in pixels.

    Raises:
        UsageError: A side is below 1, or the longer side is more than 200 times the shorter one.

    Examples:
        >>> smart_resize(720, 1280)
        (728, 1288)
    """
    _check_size(height_px, width_px)
    factor, min_pixels, max_pixels = settings.factor, settings.min_pixels, settings.max_pixels
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


def _check_size(height_px: int, width_px: int) -> None:
    if min(height_px, width_px) < 1:
        raise UsageError(
            f"a picture needs at least 1x1 pixels, got {height_px}x{width_px} (height x width)"
        )
    if max(height_px, width_px) > MAX_ASPECT_RATIO * min(height_px, width_px):
        raise UsageError(
            f"the longer side of a picture may be at most {MAX_ASPECT_RATIO} times the shorter "
            f"one, got {height_px}x{width_px} pixels (height x width): crop or pad it"
        )


def preprocess(image: Picture, settings: ImageSettings = PUBLISHED) -> ImageInput:
    """Turns a picture into the vision tower's input.

    Args:
        image: uint8 (H, W, 3) RGB or (H, W, 4) RGBA, or any Pillow image. Transparency is
            composited on white.
        settings: How the model sees pictures.

    Returns:
        The patches with their grid and both sizes.

    Raises:
        UsageError: The array is no picture, or its size is not permitted.
    """
    rgb = to_rgb(image)
    original = (rgb.shape[0], rgb.shape[1])
    resized = smart_resize(*original, settings)
    patches = patchify(resize(rgb, resized)[None], settings)
    return ImageInput(patches, settings.grid(1, resized), original, resized, settings.merge_size)


def preprocess_bytes(image: Picture, settings: ImageSettings = PUBLISHED) -> torch.Tensor:
    """Cuts a picture into patches that are still bytes: an eighth of the patches' memory.

    The arguments and errors are those of `preprocess`.

    Returns:
        uint8 (t*h*w, 196, 3) in merge order, for `normalise_bytes`.
    """
    rgb = to_rgb(image)
    resized = smart_resize(rgb.shape[0], rgb.shape[1], settings)
    return torch.from_numpy(_cut(resize(rgb, resized)[None], settings))


def normalise_bytes(pixels: torch.Tensor, settings: ImageSettings = PUBLISHED) -> torch.Tensor:
    """Makes patches of their bytes, on the device where these lie: the bits of `preprocess`.

    Args:
        pixels: uint8 (t*h*w, 196, 3).
        settings: Those that they were cut with.

    Returns:
        float32 (t*h*w, 1176), normalised.
    """
    values = np.tile(np.arange(256, dtype=np.float32), (1, 3, 1, 1))
    _normalise(values, settings)
    table = torch.from_numpy(values).flatten().to(pixels.device)
    channels = 256 * torch.arange(3, device=pixels.device)[:, None]
    values_of = table[pixels.transpose(1, 2).int() + channels]  # (P, 3, 196)
    both = values_of[:, :, None].expand(-1, -1, settings.temporal_patch_size, -1)
    return both.reshape(len(pixels), settings.patch_values)


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
    """Returns a picture as uint8 (H, W, 3), upright, transparency composited on white.

    Raises:
        UsageError: Not a Pillow image nor a uint8 array of three or four channels; a file that is
            cut off or damaged; more than 16 bits a channel.
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
    try:
        image.load()  # Pillow reads a file's pixels only now
        upright = ImageOps.exif_transpose(image)
        return np.array(_eight_bit(upright).convert("RGB"), dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(f"the picture cannot be read: {error}") from error


def _eight_bit(image: Image.Image) -> Image.Image:
    """Brings a picture to eight bits a channel, without transparency.

    Pillow itself would clip what is above 255, and so turn nearly everything white.
    """
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
        if image.mode == "F" or not 0 <= low <= high <= 255:
            raise UsageError(
                f"a picture has 8 or 16 bits a channel, got one of 32 bits from {low:g} to "
                f"{high:g}: scale it to 0..255 first"
            )
    if image.mode not in _TRANSPARENT and image.info.get("transparency") is None:
        return image
    rgba = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, rgba)


def resize(rgb: UInt8Array, size: tuple[int, int]) -> UInt8Array:
    """Resizes uint8 (H, W, 3) to (height, width), bicubic; the same array when it fits already."""
    if rgb.shape[:2] == size:
        return rgb
    height, width = size
    resized = Image.fromarray(rgb).resize((width, height), resample=Image.Resampling.BICUBIC)
    return np.asarray(resized)


@functools.lru_cache(maxsize=8)
def _normalisation(settings: ImageSettings) -> tuple[FloatArray, FloatArray, float]:
    """Mean and standard deviation, float32 (3, 1, 1), and what a byte is divided by before.

    The roundings are those of the reference: scale in float64, then subtract and divide in
    float32. A float32 division by the scale's inverse, where there is a whole one, gives the very
    same numbers in less time; else the divisor is 0.
    """
    mean = np.array(settings.mean, dtype=np.float32).reshape(3, 1, 1)
    std = np.array(settings.std, dtype=np.float32).reshape(3, 1, 1)
    values, divisor = np.arange(256, dtype=np.float32), round(1 / settings.scale)
    exact = np.array_equal(values / np.float32(divisor or 1), _scaled(values, settings))
    return mean, std, divisor if exact else 0


def _scaled(values: FloatArray, settings: ImageSettings) -> FloatArray:
    return (values.astype(np.float64) * settings.scale).astype(np.float32)


def _normalise(values: FloatArray, settings: ImageSettings) -> None:
    """Normalises bytes, given as float32 (P, 3, t, 196), in place."""
    mean, std, divisor = _normalisation(settings)
    if divisor:
        values /= np.float32(divisor)
    else:
        values[...] = _scaled(values, settings)
    values -= mean
    values /= std


def patchify(frames: UInt8Array, settings: ImageSettings = PUBLISHED) -> torch.Tensor:
    """Normalises frames and cuts them into rows of patches in merge order.

    Args:
        frames: uint8 (T, H, W, 3), sides multiples of 28; T is 1 (a still image, which counts
            as two identical frames) or even. (28 and 2: `factor` and `temporal_patch_size`.)
        settings: How the model sees pictures.

    Returns:
        float32 (t*h*w, 1176) with t = ceil(T/2), h = H/14, w = W/14. Rows run over frame
        pairs, then 2x2 blocks of patches, then within the block; a row is (channel, frame,
        y, x).
    """
    given = min(len(frames), settings.temporal_patch_size)
    pixels = [_cut(frames[number::given], settings) for number in range(given)]
    cells = settings.patch_size**2
    rows = np.empty((len(pixels[0]), 3, settings.temporal_patch_size, cells), dtype=np.float32)
    space = np.empty((PATCHES_AT_ONCE, 3, given, cells), dtype=np.float32)
    for first in range(0, len(rows), PATCHES_AT_ONCE):
        some = slice(first, first + PATCHES_AT_ONCE)
        values = space[: len(rows[some])]
        for number, frame in enumerate(pixels):
            np.copyto(values[:, :, number], frame[some].transpose(0, 2, 1))
        _normalise(values, settings)
        rows[some] = values  # a still image broadcasts
    return torch.from_numpy(rows.reshape(-1, settings.patch_values))  # (P, 1176)


def _cut(frames: UInt8Array, settings: ImageSettings) -> UInt8Array:
    """Cuts uint8 (t, H, W, 3) into patches in merge order, (t*h*w, 196, 3)."""
    tubes, height, width, _ = frames.shape
    merge, patch = settings.merge_size, settings.patch_size
    # One row of one patch is moved as a whole.
    pieces = frames.reshape(tubes, height, width * 3).view(f"V{3 * patch}")
    blocks = pieces.reshape(
        tubes, height // settings.factor, merge, patch, width // settings.factor, merge
    )  # (t, H, mh, y, W, mw) -> (t, H, W, mh, mw, y)
    ordered = np.ascontiguousarray(blocks.transpose(0, 1, 4, 2, 5, 3))
    return ordered.view(np.uint8).reshape(-1, patch**2, 3)
