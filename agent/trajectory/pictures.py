"""Pictures from a run folder: of few formats, and no larger than a screen."""

import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from eyehand.agent.trajectory.run_folder import RunFolder
from eyehand.envs.env import Pixels
from eyehand.errors import UsageError

MOST_PIXELS = 25_000_000
"""Of a picture: the screens of three 4K monitors side by side, twice what a model ever sees."""

MOST_SIDE_PX = 65_535
"""Of a picture's sides: a line of millions of pixels takes twice the memory of a screen."""

MOST_BYTES = 4 * MOST_PIXELS
"""Of a picture's file: the largest screen, of noise, takes three quarters of it."""

_STRIP_PIXELS = 1_000_000

SCREEN_FORMATS = ("PNG",)

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError)
"""What Pillow raises of broken pictures."""


def read_picture(folder: RunFolder, name: str, formats: tuple[str, ...]) -> Pixels:
    """Read a picture, RGB uint8 (H, W, 3). Takes at most 200 MB of memory meanwhile.

    Args:
        folder: Where it lies.
        name: Its name there.
        formats: Those that are read, as Pillow names them.

    Raises:
        UsageError: it is missing, is no such picture or has more than `MOST_PIXELS`.
    """
    path = folder.path / name
    try:
        with warnings.catch_warnings(), folder.reading(name) as file:
            # Pillow's own bound is larger, and only warns.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            if os.fstat(file.fileno()).st_size > MOST_BYTES:
                raise UsageError(f"{path} is larger than {MOST_BYTES:,} bytes")
            with Image.open(file, formats=formats) as image:
                _require_size(path, *image.size)
                return _rgb(image)
    except UnidentifiedImageError:
        raise UsageError(f"{path} is no {' or '.join(formats)}") from None
    except Image.DecompressionBombError:
        raise UsageError(f"{path} has more than {MOST_PIXELS:,} pixels") from None
    except _BROKEN as error:
        reason = getattr(error, "strerror", None) or str(error) or "it is broken"
        raise UsageError(f"cannot read {path}: {reason}") from None


def _require_size(path: Path, width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise UsageError(f"{path} has {width} x {height} pixels, more than {MOST_PIXELS:,}")
    if max(width, height) > MOST_SIDE_PX:
        raise UsageError(f"{path} is {width} x {height}, more than {MOST_SIDE_PX:,} pixels a side")


def _rgb(image: Image.Image) -> Pixels:
    """Convert strip by strip: Pillow's own copies of a whole picture take twice its memory."""
    width, height = image.size
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(height, top + rows)))
        pixels[top : top + rows] = np.asarray(strip.convert("RGB"))
    return pixels
