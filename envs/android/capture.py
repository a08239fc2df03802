"""Captures: raw where the phone gives it, PNG where not, and a typed outcome for each.

`screencap` writes width, height and pixel format as 32-bit numbers (and, since Android 9, a
colour space) and then the pixels; see frameworks/base/cmds/screencap. The length of all is thus
known from the first bytes, and a capture that was cut off cannot pass for a screen.
"""

import io
import struct
from dataclasses import dataclass
from enum import Enum

import numpy as np
from PIL import Image

from eyehand.envs.android.link import DeviceLink
from eyehand.envs.env import Pixels
from eyehand.errors import CaptureFailed

RAW, PNG = "raw", "png"
_SHORT_HEADER, _LONG_HEADER = 12, 16
# android.graphics.PixelFormat
_RGBA_8888, _RGBX_8888, _BGRA_8888 = 1, 2, 5
# Where red, green and blue lie in the four bytes of a pixel.
_FORMATS = {_RGBA_8888: (0, 1, 2), _RGBX_8888: (0, 1, 2), _BGRA_8888: (2, 1, 0)}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"
_LARGEST_SIDE_PX = 16384
_MOST_PIXELS = 40_000_000  # four times an 8-megapixel screen, and below what Pillow warns of


class CaptureOutcome(Enum):
    """What became of a capture."""

    CAPTURED = "captured"
    FAILED = "failed"
    SECURE_SCREEN = "secure screen"
    WRONG_DISPLAY = "wrong display"
    BLACK = "black"
    """Nothing but black although no window forbids captures: off, or really black, or broken."""


@dataclass(frozen=True, eq=False)
class Frame:
    """What the phone sent for one capture.

    Attributes:
        data: The bytes; a frame equals another when these are equal.
        form: "raw" or "png".
        width_px: Width in pixels; 0 where it failed.
        height_px: Height in pixels; 0 where it failed.
        failure: Why it is no capture; empty where it is one.
        pixel_format: The raw format's number.
    """

    data: bytearray
    form: str
    width_px: int = 0
    height_px: int = 0
    failure: str = ""
    pixel_format: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width_px, self.height_px

    @property
    def unsupported(self) -> bool:
        """Whether the phone has no captures of this form, rather than this one having failed."""
        return self.form == RAW and self.failure.startswith("no raw capture")

    def pixels(self) -> Pixels:
        """Decode, RGB uint8 (H, W, 3), a copy of its own.

        Raises:
            ValueError: the frame is no capture.
            CaptureFailed: a PNG whose checksums are right cannot be decoded all the same.
        """
        if self.failure:
            raise ValueError(f"a failed capture has no pixels: {self.failure}")
        if self.form == PNG:
            return _decoded(self.data)
        shape = (self.height_px, self.width_px, 4)
        sent = np.frombuffer(self.data, np.uint8, offset=self._header()).reshape(shape)
        pixels = np.empty((*shape[:2], 3), np.uint8)
        # Channel by channel is several times faster than a copy of sent[:, :, :3].
        for channel, place in enumerate(_FORMATS[self.pixel_format]):
            pixels[:, :, channel] = sent[:, :, place]
        return pixels

    def same(self, other: "Frame | None") -> bool:
        """Return whether another frame shows exactly the same."""
        return other is not None and not self.failure and self.data == other.data

    def changed_share(self, other: "Frame") -> float:
        """Return the share of pixels that differ from another frame's, 0 to 1.

        Frames of different sizes differ wholly.
        """
        if self.size != other.size or self.failure or other.failure:
            return 1.0
        if self.form == RAW and other.form == RAW:
            mine, theirs = self._words(), other._words()
            return float(np.count_nonzero(mine != theirs) / mine.size)
        changed = np.any(self.pixels() != other.pixels(), axis=2)
        return float(np.count_nonzero(changed) / changed.size)

    def _header(self) -> int:
        return len(self.data) - self.width_px * self.height_px * 4

    def _words(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint32]]":
        return np.frombuffer(self.data, np.uint32, offset=self._header())


class ScreenCapture:
    """Captures one display, in the form that the device turned out to support.

    Args:
        link: The device.

    Attributes:
        form: "raw", or "png" once raw turned out not to be supported.
        capacity: About how many bytes a capture has; 0 before the first.
    """

    def __init__(self, link: DeviceLink) -> None:
        self._link = link
        self.form = RAW
        self.capacity = 0

    def capture(self, physical_display: str = "", timeout_s: float | None = None) -> Frame:
        """Capture once; where raw turns out not to be supported, as PNG, then and from then on.

        Args:
            physical_display: SurfaceFlinger's id of the display; empty takes the default one.
            timeout_s: Limit of the call.

        Returns:
            The frame, which may have failed: cut off, or no picture at all.

        Raises:
            DeviceTimeout: the capture took longer.
            DeviceDisconnected: the device is gone.
        """
        frame = self._take(self.form, physical_display, timeout_s)
        if frame.unsupported:
            other = self._take(PNG, physical_display, timeout_s)
            if not other.failure:
                self.form = PNG
            return other
        return frame

    def _take(self, form: str, display: str, timeout_s: float | None) -> Frame:
        argv = [
            "screencap",
            *(["-p"] if form == PNG else []),
            *(["-d", display] if display else []),
        ]
        data = self._link.stream(*argv, capacity=self.capacity, timeout_s=timeout_s)
        frame = read_raw(data) if form == RAW else read_png(data)
        if not frame.failure:
            # One byte more than it took, so that the end is seen without growing the buffer.
            self.capacity = len(data) + 1
        return frame


def read_raw(data: bytearray) -> Frame:
    """Read the header of a raw capture and check that all of it is there."""
    if len(data) < _SHORT_HEADER:
        return _failed(data, RAW, f"{len(data)} bytes came, not even a header: {_text(data)}")
    width, height, pixel_format = struct.unpack_from("<III", data)
    if not (0 < width <= _LARGEST_SIDE_PX and 0 < height <= _LARGEST_SIDE_PX):
        return _failed(data, RAW, f"no raw capture but {_text(data)}")
    if pixel_format not in _FORMATS:
        return _failed(data, RAW, f"no raw capture that can be read: pixel format {pixel_format}")
    expected = width * height * 4
    if len(data) - expected not in (_SHORT_HEADER, _LONG_HEADER):
        sizes = f"{len(data)} of about {expected + _LONG_HEADER} bytes"
        return _failed(data, RAW, f"a capture of {width}x{height} was cut off: {sizes} came")
    return Frame(data, RAW, width, height, "", pixel_format)


def read_png(data: bytearray) -> Frame:
    """Find the PNG, after a warning where the phone prints one, and check that it is complete."""
    start = data.find(_PNG_SIGNATURE)
    if start < 0 or len(data) < start + 24:
        return _failed(data, PNG, f"no PNG but {_text(data)}")
    if start:
        data = data[start:]
    width, height = struct.unpack_from(">II", data, 16)
    if width * height > _MOST_PIXELS:
        return _failed(data, PNG, f"a PNG of {width}x{height} pixels, which no screen has")
    if not data.rstrip(b"\r\n").endswith(_PNG_END):
        return _failed(data, PNG, f"a PNG of {width}x{height} was cut off: {len(data)} bytes came")
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            image.verify()  # the checksums, which decoding does not look at
    except (OSError, SyntaxError, ValueError) as error:
        return _failed(data, PNG, f"a broken PNG: {error}")
    return Frame(data, PNG, width, height)


def _decoded(png: bytes | bytearray) -> Pixels:
    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
            return np.array(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise CaptureFailed(f"the phone's picture cannot be read: {error}") from error


def is_black(pixels: Pixels) -> bool:
    """Return whether every pixel is black."""
    return not pixels.any()


def _failed(data: bytearray, form: str, why: str) -> Frame:
    return Frame(data, form, failure=why)


def _text(data: bytearray) -> str:
    """Return what came instead of a picture, for the message."""
    shown = bytes(data[:120]).decode("utf-8", "replace").strip()
    return repr(shown) if shown else "nothing"
