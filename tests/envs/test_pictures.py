"""Pictures that were made to do harm: read as PNG, of a screen's size, or as a failed capture."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from eyehand.envs.android.capture import PNG, Frame, read_png
from eyehand.envs.png import decode_png, encode_png
from eyehand.errors import CaptureFailed

FORMATS = ("GIF", "BMP", "TIFF", "JPEG", "WEBP", "PPM", "ICO")


def written(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(buffer, kind)
    return buffer.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, body: bytes) -> bytes:
    """A PNG whose checksums are right, whatever its pixels are."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(body))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def test_a_png_is_read() -> None:
    assert decode_png(written("PNG")).shape == (16, 16, 3)
    assert np.array_equal(read_png(bytearray(written("PNG"))).pixels()[0, 0], [255, 0, 0])


def test_a_png_of_the_browsers_fast_compressor_is_read_as_pillow_reads_it() -> None:
    rng = np.random.default_rng(3)
    for height, width in ((1, 1), (1, 9), (40, 1), (37, 53)):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        above = np.concatenate([np.zeros((1, width, 3), np.uint8), pixels[:-1]])
        rows = (pixels - above).reshape(height, 3 * width)
        for first in (0, 2):  # nothing is above the first row
            marks = np.array([[first]] + [[2]] * (height - 1), np.uint8)
            data = png(width, height, np.hstack([marks, rows]).tobytes())
            read = decode_png(data)
            assert np.array_equal(read, pixels)
            assert np.array_equal(read, np.asarray(Image.open(io.BytesIO(data))))
            assert not read.flags.writeable


def test_what_is_written_as_png_is_read_back_by_everybody() -> None:
    rng = np.random.default_rng(4)
    for height, width in ((1, 1), (1, 9), (40, 1), (37, 53)):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        for shown in (pixels, pixels[::-1], np.asfortranarray(pixels)):
            data = encode_png(shown)
            assert np.array_equal(decode_png(data), shown)
            with Image.open(io.BytesIO(data)) as image:
                image.verify()  # the checksums too
            assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), shown)


def test_a_damaged_png_of_the_fast_compressor_is_a_failed_capture() -> None:
    whole = png(16, 16, (b"\2" + b"\1" * 48) * 16)
    for end in range(0, len(whole) - 20, 7):
        with pytest.raises(CaptureFailed, match="cannot be read"):
            decode_png(whole[:end])


@pytest.mark.parametrize("kind", FORMATS)
def test_no_other_decoder_is_reached(kind: str) -> None:
    with pytest.raises(CaptureFailed, match="cannot be read"):
        decode_png(written(kind))
    frame = Frame(bytearray(written(kind)), PNG, 16, 16)
    with pytest.raises(CaptureFailed, match="cannot be read"):
        frame.pixels()


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 2), (2, 2**31 - 1), (0, 5)])
def test_a_size_that_no_screen_has_is_a_failed_capture(size: tuple[int, int]) -> None:
    bomb = png(*size, b"\0" * 100)
    assert read_png(bytearray(bomb)).failure
    with pytest.raises(CaptureFailed, match="cannot be read"):
        decode_png(bomb)


@pytest.mark.parametrize("body", [b"", b"\0", b"\x09" + b"\0" * 48])
def test_pixels_that_are_not_all_there_are_a_failed_capture(body: bytes) -> None:
    broken = png(16, 16, body)
    with pytest.raises(CaptureFailed, match="cannot be read"):
        decode_png(broken)
    frame = read_png(bytearray(broken))
    with pytest.raises((CaptureFailed, ValueError), match=r"cannot be read|no pixels"):
        frame.pixels()
