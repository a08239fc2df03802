"""Pictures from a run folder: of few formats, and no larger than a screen."""

import io
import struct
import warnings
import zlib

import numpy as np
from PIL import Image, UnidentifiedImageError

from eyehand.agent.trajectory.run_folder import RunFolder
from eyehand.envs.env import Pixels
from eyehand.errors import UsageError

MOST_PIXELS = 40_000_000
"""Of a picture: more than the screens of three 4K monitors side by side."""

MOST_BYTES = 256 * 1024 * 1024
"""Of a picture's file: a screen of noise takes no more."""

SCREEN_FORMATS = ("PNG",)

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError)
"""What Pillow raises of broken pictures."""


def read_picture(folder: RunFolder, name: str, formats: tuple[str, ...]) -> Pixels:
    """Read a picture, RGB uint8 (H, W, 3).

    Args:
        folder: Where it lies.
        name: Its name there.
        formats: Those that are read, as Pillow names them.

    Raises:
        UsageError: it is missing, is no such picture or has more than `MOST_PIXELS`.
    """
    path = folder.path / name
    try:
        # Pillow's own bound is larger, and only warns.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(folder.read(name, MOST_BYTES)), formats=formats) as image:
                width, height = image.size
                if width * height > MOST_PIXELS:
                    raise UsageError(
                        f"{path} has {width} x {height} pixels, more than {MOST_PIXELS:,}"
                    )
                return np.asarray(image.convert("RGB"), dtype=np.uint8)
    except UnidentifiedImageError:
        raise UsageError(f"{path} is no {' or '.join(formats)}") from None
    except Image.DecompressionBombError:
        raise UsageError(f"{path} has more than {MOST_PIXELS:,} pixels") from None
    except _BROKEN as error:
        reason = getattr(error, "strerror", None) or str(error) or "it is broken"
        raise UsageError(f"cannot read {path}: {reason}") from None
