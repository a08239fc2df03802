"""`screencap`: the screen as raw pixels or PNG."""

import io
import time

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eyehand.envs.phone.shell.system import CommandFailed, CommandRecord, Invocation, PhoneSystem
from eyehand.errors import EyehandError

RGBA_8888 = 1
DATASPACE_SRGB = 1
RAW_HEADER = (0, 0, RGBA_8888, DATASPACE_SRGB)  # width, height, pixel format, colour space
OPAQUE = np.uint32(0xFF000000)
DISPLAY_WARNING = (
    "[Warning] Multiple displays were found, but no display id was specified! Defaulting to the "
    "first display found, however this default is not guaranteed to be consistent across "
    "captures. A display id should be specified.\n"
    "A display ID can be specified with the [-d display-id] option.\n"
    'See "dumpsys SurfaceFlinger --display-id" for valid display IDs.'
)
USAGE = "usage: screencap [-hp] [-d display-id] [FILENAME]"


def screencap(call: Invocation) -> int:
    """`screencap [-p] [-d ID] [FILE]`: the header of 16 bytes and RGBA, or with -p a PNG."""
    as_png, display, path = _options(call)
    if display is None and call.system.faults.displays > 1:
        call.complain(DISPLAY_WARNING)
    try:
        pixels = capture(call.system, call.record, _display_index(call.system, display))
    except EyehandError as error:
        raise CommandFailed(f"Failed to take screenshot. Status: -22 ({error})") from error
    data: bytes | memoryview
    data = to_png(pixels) if as_png or path.endswith(".png") else to_raw(pixels)
    if call.system.faults.truncated_png:
        data = data[: len(data) // 2]
    if not path:
        call.stdout.write(data)
    elif not call.system.files.write(path, bytes(data)):
        raise CommandFailed(f"Error opening file: {path}")
    return 0


def capture(system: PhoneSystem, record: CommandRecord, display: int = 0) -> NDArray[np.uint8]:
    """Return a display's pixels, RGB uint8 (H, W, 3); black where a phone's would be."""
    start = time.perf_counter()
    try:
        unlit = display != system.faults.active_display % system.faults.displays
        if unlit or system.faults.black_frame or system.screen.secure:
            width, height = system.screen.current_size
            return np.zeros((height, width, 3), np.uint8)
        return system.screen.capture()
    finally:
        record.capture_s += time.perf_counter() - start


def to_rgba(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Add an opaque alpha: RGB (H, W, 3) to RGBA (H, W, 4), both uint8."""
    words = _opaque_words(pixels, 0)
    return words.view(np.uint8).reshape(*pixels.shape[:2], 4)


def to_raw(pixels: NDArray[np.uint8]) -> memoryview:
    """Return what `screencap` without -p writes for RGB pixels (H, W, 3)."""
    height, width = pixels.shape[:2]
    words = _opaque_words(pixels, len(RAW_HEADER))
    words[: len(RAW_HEADER)] = (width, height, *RAW_HEADER[2:])
    return words.data.cast("B")


def _opaque_words(pixels: NDArray[np.uint8], header: int) -> NDArray[np.uint32]:
    """Return `header` free words and then a little-endian word for each pixel, H * W of them.

    Each pixel is read as four bytes, its own three and the next one's first, which the alpha
    then covers: ten times as fast as copying three bytes at a time.
    """
    pixels = np.ascontiguousarray(pixels)
    count = pixels.shape[0] * pixels.shape[1]
    words = np.empty(header + count, "<u4")
    last = words.size - 1
    overlapping = np.ndarray((count - 1,), np.dtype("<u4"), buffer=pixels.data, strides=(3,))
    np.bitwise_or(overlapping, OPAQUE, out=words[header:last])
    words[last:].view(np.uint8)[:] = (*pixels[-1, -1], 255)
    return words


def to_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return what `screencap -p` writes for RGB pixels (H, W, 3)."""
    file = io.BytesIO()
    Image.fromarray(to_rgba(pixels)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _options(call: Invocation) -> tuple[bool, str | None, str]:
    as_png, display, path = False, None, ""
    words = iter(call.arguments)
    for word in words:
        if word == "-p":
            as_png = True
        elif word == "-d":
            display = next(words, "")
        elif word.startswith("-"):
            raise CommandFailed(USAGE)
        else:
            path = word
    return as_png, display, path


def _display_index(system: PhoneSystem, display: str | None) -> int:
    if display is None:
        return 0
    ids = [str(number) for number in system.faults.display_ids()]
    if display not in ids:
        raise CommandFailed(f"Display Id '{display}' is not valid.\n{USAGE}")
    return ids.index(display)
