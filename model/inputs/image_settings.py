"""How a checkpoint sees pictures: its patches, its limits of area, its normalisation.

One value goes the whole way from the folder to the network, for answering and for training alike:
what a model was trained with is never guessed from constants.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from eyehand.errors import BadConfig, UsageError
from eyehand.model.json_object import read_object
from eyehand.model.qwen2vl.config import VisionConfig
from eyehand.model.shown import shown

PREPROCESSOR_FILE = "preprocessor_config.json"
"""Where the published folders, and transformers up to 4.x, write it."""
PROCESSOR_FILE = "processor_config.json"
"""Where transformers 5 writes it, under `image_processor`."""

# Mean and standard deviation of CLIP's training images, per channel, for values in 0..1.
_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_BICUBIC = 3

LARGEST_LEAST_TOKENS = 16384
"""Most tokens of the smallest picture: as many as the published checkpoints give the largest."""
LARGEST_LEAST_PIXELS = LARGEST_LEAST_TOKENS * 28 * 28
_LARGEST_COUNT = 2**53
_SMALLEST_VALUE, _LARGEST_VALUE = 1e-6, 1e6  # normalised values stay finite in float32

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class ImageSettings:
    """What happens to a picture before the network; the defaults are the published checkpoints'.

    Attributes:
        patch_size: Side of a patch in pixels.
        merge_size: The vision tower merges merge_size x merge_size patches into one token.
        temporal_patch_size: Frames that one patch spans.
        min_pixels: Smallest area at which the model sees a picture.
        max_pixels: Largest area at which the model sees a picture.
        mean: Of each channel, subtracted from values in 0..1.
        std: Of each channel, above 0; what is left is divided by it.
        scale: What a byte is multiplied by before that.
    """

    patch_size: int = 14
    merge_size: int = 2
    temporal_patch_size: int = 2
    min_pixels: int = 56 * 56
    max_pixels: int = 16384 * 28 * 28
    mean: Channels = _CLIP_MEAN
    std: Channels = _CLIP_STD
    scale: float = 1 / 255

    def __post_init__(self) -> None:
        for name in ("patch_size", "merge_size", "temporal_patch_size", "min_pixels", "max_pixels"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UsageError(
                    f"{name}: expected a whole number of at least 1, got {shown(value)}"
                )
            if value > _LARGEST_COUNT:
                raise UsageError(f"{name}: expected at most {_LARGEST_COUNT}, got {shown(value)}")
        if self.min_pixels > self.max_pixels:
            raise UsageError(
                "expected 1 <= min_pixels <= max_pixels, "
                f"got {shown(self.min_pixels)} and {shown(self.max_pixels)}"
            )
        self._check_least()
        for name, least in (("mean", -_LARGEST_VALUE), ("std", _SMALLEST_VALUE)):
            value = getattr(self, name)
            if len(value) != 3 or not all(least <= v <= _LARGEST_VALUE for v in value):
                wanted = "numbers above 0" if name == "std" else "numbers"
                raise UsageError(f"{name}: expected three {wanted}, got {value}")
        if not _SMALLEST_VALUE <= self.scale <= _LARGEST_VALUE:
            raise UsageError(f"scale: expected a number above 0, got {self.scale}")

    def _check_least(self) -> None:
        """Every picture is enlarged to the smallest area, however small it is."""
        least = max(self.min_pixels, self.factor**2)
        tokens = math.ceil(least / self.factor**2)
        if least > LARGEST_LEAST_PIXELS or tokens > LARGEST_LEAST_TOKENS:
            raise UsageError(
                f"min_pixels: expected a smallest picture of at most {LARGEST_LEAST_PIXELS} pixels "
                f"and {LARGEST_LEAST_TOKENS} tokens, got {shown(self.min_pixels)} pixels "
                f"with tokens of {shown(self.factor)}x{shown(self.factor)}"
            )

    @classmethod
    def of_model(cls, vision: VisionConfig) -> Self:
        """The published limits and normalisation, with the patches that a vision tower reads."""
        return cls(vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size)

    @property
    def factor(self) -> int:
        """Side of one token in pixels: every resized side is a multiple of it (28)."""
        return self.patch_size * self.merge_size

    @property
    def patch_values(self) -> int:
        """Values in one row of patches: channels x frames x height x width (1176)."""
        return 3 * self.temporal_patch_size * self.patch_size**2

    def grid(self, frames: int, size_px: tuple[int, int]) -> tuple[int, int, int]:
        """The (t, h, w) in patches of so many frames of (height, width) pixels."""
        height, width = size_px
        time = math.ceil(frames / self.temporal_patch_size)
        return time, height // self.patch_size, width // self.patch_size

    def check_fits(self, vision: VisionConfig) -> None:
        """Compares with what a vision tower reads.

        Raises:
            UsageError: The patches are not those that the tower was made for.
        """
        pairs = {
            "patch_size": (self.patch_size, vision.patch_size),
            "merge_size": (self.merge_size, vision.spatial_merge_size),
            "temporal_patch_size": (self.temporal_patch_size, vision.temporal_patch_size),
        }
        for name, (ours, needed) in pairs.items():
            if ours != needed:
                raise UsageError(f"{name}: the pictures have {ours}, the model needs {needed}")

    def to_dict(self) -> dict[str, Any]:
        """The contents of a `preprocessor_config.json`, with the fields of Qwen2-VL's folders."""
        return {
            "image_processor_type": "Qwen2VLImageProcessor",
            "min_pixels": self.min_pixels,
            "max_pixels": self.max_pixels,
            "patch_size": self.patch_size,
            "temporal_patch_size": self.temporal_patch_size,
            "merge_size": self.merge_size,
            "rescale_factor": self.scale,
            "image_mean": list(self.mean),
            "image_std": list(self.std),
        }


def limits(
    least: int, most: int, min_pixels: int | None, max_pixels: int | None
) -> tuple[int, int]:
    """Returns the smallest and the largest area: what was asked for, else what a model has.

    Where only one is asked for, it holds beside the other one of the model.

    Args:
        least: The model's own smallest area.
        most: Its largest.
        min_pixels: What was asked for; None is the model's.
        max_pixels: The same for the largest.
    """
    highest = max_pixels or max(most, min_pixels or 0)
    return min_pixels or min(least, highest), highest


PUBLISHED = ImageSettings()
"""Those of the published checkpoints."""


def read_image_settings(folder: Path, vision: VisionConfig) -> ImageSettings:
    """Reads what a checkpoint's folder says about its pictures.

    Read are `image_processor` in `processor_config.json`, as transformers 5 writes it, or else
    `preprocessor_config.json`. Limits of area are `min_pixels` and `max_pixels`, at the top or in
    `size`, or `shortest_edge` and `longest_edge` there, which are areas too. What no file says is
    as the published checkpoints have it, the patches as the model has them.

    Args:
        folder: The checkpoint's.
        vision: Its vision tower.

    Raises:
        BadConfig: A file is not what it should be, or contradicts the model's configuration.
    """
    path, values = _stored(folder)
    try:
        settings = _settings(values, vision)
        settings.check_fits(vision)
    except UsageError as error:
        raise BadConfig(f"{path}: {error}") from error
    return settings


def write_image_settings(folder: Path, settings: ImageSettings) -> None:
    """Writes `preprocessor_config.json`."""
    text = json.dumps(settings.to_dict(), indent=2) + "\n"
    (folder / PREPROCESSOR_FILE).write_text(text, encoding="utf-8")


def _stored(folder: Path) -> tuple[Path, Mapping[str, Any]]:
    """The file that holds and what it says; transformers reads the newer one first, too."""
    newer, older = folder / PROCESSOR_FILE, folder / PREPROCESSOR_FILE
    if newer.is_file():
        nested = read_object(newer).get("image_processor")
        if isinstance(nested, dict):
            return newer, nested
    return older, read_object(older) if older.is_file() else {}


def _settings(values: Mapping[str, Any], vision: VisionConfig) -> ImageSettings:
    _refuse_unsupported(values)
    size = values.get("size") or {}
    if not isinstance(size, Mapping) or not size.keys() <= _AREAS:
        raise UsageError(f"size: expected {' or '.join(sorted(_AREAS))}, got {shown(size)}")
    scaled, normalised = _switch(values, "do_rescale"), _switch(values, "do_normalize")
    return ImageSettings(
        patch_size=_whole("patch_size", vision.patch_size, values.get("patch_size")),
        merge_size=_whole("merge_size", vision.spatial_merge_size, values.get("merge_size")),
        temporal_patch_size=_whole(
            "temporal_patch_size", vision.temporal_patch_size, values.get("temporal_patch_size")
        ),
        min_pixels=_whole(
            "min_pixels", PUBLISHED.min_pixels,
            values.get("min_pixels"), size.get("min_pixels"), size.get("shortest_edge"),
        ),
        max_pixels=_whole(
            "max_pixels", PUBLISHED.max_pixels,
            values.get("max_pixels"), size.get("max_pixels"), size.get("longest_edge"),
        ),
        mean=_channels(values, "image_mean", PUBLISHED.mean) if normalised else (0.0, 0.0, 0.0),
        std=_channels(values, "image_std", PUBLISHED.std) if normalised else (1.0, 1.0, 1.0),
        scale=_number(values, "rescale_factor", PUBLISHED.scale) if scaled else 1.0,
    )  # fmt: skip


_AREAS = {"min_pixels", "max_pixels", "shortest_edge", "longest_edge"}


def _refuse_unsupported(values: Mapping[str, Any]) -> None:
    if not _switch(values, "do_resize"):
        raise UsageError("do_resize: pictures are always resized to whole patches, got False")
    resample = values.get("resample")
    if resample not in (None, _BICUBIC):
        raise UsageError(f"resample: expected {_BICUBIC} (bicubic), got {shown(resample)}")


def _switch(values: Mapping[str, Any], name: str) -> bool:
    value = values.get(name)
    if value is not None and not isinstance(value, bool):
        raise UsageError(f"{name}: expected true or false, got {shown(value)}")
    return value is not False


def _whole(name: str, default: int, *given: Any) -> int:
    """The first value that is set; a float without a fraction is a whole number, too."""
    value = next((v for v in given if v is not None), default)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{name}: expected a whole number, got {shown(value)}")
    return value


def _number(values: Mapping[str, Any], name: str, default: float) -> float:
    value = values.get(name)
    value = default if value is None else value
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise UsageError(f"{name}: expected a number, got {shown(value)}")
    return _float(value)


def _float(value: float) -> float:
    """A number; one that no float can hold is infinite, and refused as such."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _channels(values: Mapping[str, Any], name: str, default: Channels) -> Channels:
    """Three numbers, one a channel; a single one stands for all."""
    value = values.get(name)
    value = default if value is None else value
    items = value if isinstance(value, Sequence) and not isinstance(value, str) else [value] * 3
    if len(items) != 3 or any(
        isinstance(v, bool) or not isinstance(v, (int, float)) for v in items
    ):
        raise UsageError(f"{name}: expected three numbers, got {shown(value)}")
    red, green, blue = (_float(v) for v in items)
    return red, green, blue
