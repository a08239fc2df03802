import io
import struct

import numpy as np
import pytest
from PIL import Image

from eyehand.envs.android.capture import Frame, read_png, read_raw
from eyehand.envs.env import Pixels

PIXELS: Pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)


def raw(pixels: Pixels, header: int = 16, pixel_format: int = 1) -> bytearray:
    height, width = pixels.shape[:2]
    colours = pixels[..., ::-1] if pixel_format == 5 else pixels
    four = np.dstack([colours, np.full((height, width), 255, np.uint8)])
    numbers = struct.pack("<4I", width, height, pixel_format, 1)[:header]
    return bytearray(numbers + four.tobytes())


def png(pixels: Pixels) -> bytearray:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return bytearray(buffer.getvalue())


@pytest.mark.parametrize("header", [12, 16])
@pytest.mark.parametrize("pixel_format", [1, 2, 5])
def test_a_raw_capture_is_read_whatever_its_header_and_order(
    header: int, pixel_format: int
) -> None:
    frame = read_raw(raw(PIXELS, header, pixel_format))
    assert frame.size == (4, 6)
    assert np.array_equal(frame.pixels(), PIXELS)


def test_a_png_is_read_after_the_warning_about_several_displays() -> None:
    frame = read_png(bytearray(b"[Warning] Multiple displays were found\n") + png(PIXELS))
    assert np.array_equal(frame.pixels(), PIXELS)


@pytest.mark.parametrize("kept", [0, 5, 12, 16, 40, 111])
def test_a_raw_capture_that_was_cut_off_is_no_screen(kept: int) -> None:
    frame = read_raw(raw(PIXELS)[:kept])
    assert frame.failure
    with pytest.raises(ValueError, match="no pixels"):
        frame.pixels()


def test_every_cut_of_a_png_is_noticed() -> None:
    data = png(PIXELS)
    assert all(read_png(data[:kept]).failure for kept in range(len(data)))


def test_a_png_with_a_broken_middle_is_noticed() -> None:
    data = png(PIXELS)
    data[50] ^= 255
    assert read_png(data).failure


def test_an_error_message_is_no_raw_capture_and_is_shown() -> None:
    frame = read_raw(bytearray(b"/system/bin/sh: screencap: not found"))
    assert frame.unsupported
    assert "not found" in frame.failure


def test_an_unreadable_pixel_format_asks_for_png() -> None:
    assert read_raw(raw(PIXELS, pixel_format=4)).unsupported
    assert not read_raw(raw(PIXELS)[:-1]).unsupported


@pytest.mark.parametrize("read", [lambda p: read_raw(raw(p)), lambda p: read_png(png(p))])
def test_the_share_of_changed_pixels_is_counted(read: "type[Frame]") -> None:
    other = PIXELS.copy()
    other[0, :3] ^= 255
    one, two = read(PIXELS), read(other)  # type: ignore[call-arg,arg-type]
    assert one.changed_share(two) == 3 / 24
    assert one.same(read(PIXELS))  # type: ignore[call-arg,arg-type]
    assert not one.same(two)


def test_frames_of_different_sizes_differ_wholly() -> None:
    assert read_raw(raw(PIXELS)).changed_share(read_raw(raw(PIXELS[:3]))) == 1.0
