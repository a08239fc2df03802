import io

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from eyehand.errors import UsageError
from eyehand.model.inputs import image as images
from eyehand.model.inputs.image_settings import PUBLISHED, ImageSettings

RNG = np.random.default_rng(7)


def noise(height: int, width: int, channels: int = 3) -> images.UInt8Array:
    return RNG.integers(0, 256, (height, width, channels), dtype=np.uint8)


def reference(
    picture: images.Picture, min_pixels: int, max_pixels: int
) -> tuple[torch.Tensor, list[list[int]]]:
    processor = Qwen2VLImageProcessorPil(
        size={"shortest_edge": min_pixels, "longest_edge": max_pixels}
    )
    out = processor(picture, return_tensors="pt", input_data_format="channels_last")
    return out["pixel_values"], out["image_grid_thw"].tolist()


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [
        (224, 224, 64),
        (512, 512, 324),
        (400, 40, 14),
        (8204, 1092, 11427),
        (28, 224, 8),
        (1280, 720, 1196),
        (1920, 1080, 2691),
        (1080, 2400, 3354),
    ],
)
def test_token_counts_are_the_published_ones(width: int, height: int, tokens: int) -> None:
    resized = images.smart_resize(height, width)
    grid = PUBLISHED.grid(1, resized)
    assert images.tokens_of_grid(grid, PUBLISHED.merge_size) == tokens


def test_sizes_are_the_published_ones() -> None:
    assert images.smart_resize(512, 512) == (504, 504)
    assert images.smart_resize(40, 400) == (28, 392)
    assert images.smart_resize(720, 1280) == (728, 1288)


def test_size_that_is_already_right_is_kept() -> None:
    picture = noise(84, 140)
    assert images.resize(picture, images.smart_resize(84, 140)) is picture


def test_narrow_picture_keeps_a_side_when_it_is_shrunk() -> None:
    height, width = images.smart_resize(31, 639, ImageSettings(max_pixels=20 * 28 * 28))
    assert (height, width) == (28, 560)


@pytest.mark.parametrize("seed", range(20))
def test_resized_sides_are_multiples_and_area_is_within_budget(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(30, 3000, 2))
    low, high = 100 * 28 * 28, 1280 * 28 * 28
    new_height, new_width = images.smart_resize(
        height, width, ImageSettings(min_pixels=low, max_pixels=high)
    )
    assert new_height % 28 == new_width % 28 == 0
    assert new_height * new_width >= low
    assert new_height * new_width <= high or min(new_height, new_width) == 28


def test_one_by_four_hundred_picture_gives_one_clear_line() -> None:
    with pytest.raises(UsageError, match="200 times") as caught:
        images.preprocess(noise(1, 400))
    assert "1x400" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((10, 10), dtype=np.uint8),
        np.zeros((10, 10, 3), dtype=np.float32),
        np.zeros((10, 10, 2), dtype=np.uint8),
        np.zeros((0, 10, 3), dtype=np.uint8),
        np.zeros((0, 10, 4), dtype=np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(wrong: images.UInt8Array) -> None:
    with pytest.raises(UsageError, match="picture"):
        images.preprocess(wrong)


def test_contradicting_limits_are_refused() -> None:
    with pytest.raises(UsageError, match="min_pixels <= max_pixels"):
        ImageSettings(min_pixels=5000, max_pixels=4000)


@pytest.mark.parametrize(
    ("height", "width", "max_pixels"),
    [
        (224, 224, PUBLISHED.max_pixels),
        (720, 1280, PUBLISHED.max_pixels),
        (37, 411, PUBLISHED.max_pixels),
        (5, 9, PUBLISHED.max_pixels),
        (2, 400, PUBLISHED.max_pixels),
        (31, 639, 20 * 28 * 28),
        (301, 999, 64 * 28 * 28),
    ],
)
def test_patches_equal_the_pillow_processor_of_transformers(
    height: int, width: int, max_pixels: int
) -> None:
    picture = noise(height, width)
    settings = ImageSettings(max_pixels=max_pixels)
    ours = images.preprocess(picture, settings)
    patches, grids = reference(picture, PUBLISHED.min_pixels, max_pixels)
    assert [list(ours.grid)] == grids
    assert torch.equal(ours.patches, patches)
    assert ours.patches.dtype == torch.float32
    assert ours.num_tokens == len(patches) // 4
    assert (ours.original_size, ours.resized_size) == (
        (height, width),
        (ours.grid[1] * 14, ours.grid[2] * 14),
    )


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "L", "P", "1"])
def test_pillow_modes_equal_transformers(mode: str) -> None:
    picture = Image.fromarray(noise(60, 90, 4)).convert(mode)
    patches, _ = reference(picture, PUBLISHED.min_pixels, PUBLISHED.max_pixels)
    assert torch.equal(images.preprocess(picture).patches, patches)


def test_transparent_pixels_become_white() -> None:
    picture = np.zeros((56, 56, 4), dtype=np.uint8)
    assert images.to_rgb(picture).min() == 255


def test_alpha_of_an_array_equals_alpha_of_a_pillow_image() -> None:
    picture = noise(70, 70, 4)
    from_array = images.preprocess(picture)
    from_pillow = images.preprocess(Image.fromarray(picture))
    assert torch.equal(from_array.patches, from_pillow.patches)


def test_read_only_and_strided_arrays_are_accepted() -> None:
    picture = noise(112, 112)
    picture.flags.writeable = False
    flipped = images.preprocess(picture[::-1, ::-1])
    assert torch.equal(
        flipped.patches, images.preprocess(np.ascontiguousarray(picture[::-1, ::-1])).patches
    )


@pytest.mark.parametrize("scale", [1 / 255, 1 / 127.5, 0.00391])
@pytest.mark.parametrize("size", [(56, 84, 7), (224, 280, 14)])
def test_bytes_become_the_same_patches(size: tuple[int, int, int], scale: float) -> None:
    height, width, patch = size
    settings = ImageSettings(patch_size=patch, scale=scale, min_pixels=1)
    picture = noise(height, width)
    pixels = images.preprocess_bytes(picture, settings)
    expected = images.preprocess(picture, settings).patches
    assert pixels.dtype == torch.uint8
    assert 8 * pixels.nbytes == expected.nbytes
    assert torch.equal(images.normalise_bytes(pixels, settings), expected)


def test_pictures_of_different_sizes_concatenate_in_order() -> None:
    batch = [images.preprocess(noise(56, 84)), images.preprocess(noise(112, 56))]
    patches, grids = images.concatenate(batch)
    assert grids.tolist() == [[1, 4, 6], [1, 8, 4]]
    assert torch.equal(patches[:24], batch[0].patches)
    assert torch.equal(patches[24:], batch[1].patches)


def test_both_frames_of_a_still_image_are_the_same() -> None:
    rows = images.preprocess(noise(56, 56)).patches.view(-1, 3, 2, 196)
    assert torch.equal(rows[:, :, 0], rows[:, :, 1])


def test_a_picture_that_is_cut_off_is_said_in_one_line() -> None:
    for kind in ("PNG", "JPEG", "GIF"):
        whole = io.BytesIO()
        Image.fromarray(noise(90, 120)).save(whole, kind)
        cut = Image.open(io.BytesIO(whole.getvalue()[: len(whole.getvalue()) // 2]))
        with pytest.raises(UsageError, match="the picture cannot be read") as caught:
            images.preprocess(cut)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_stands_as_its_camera_says(orientation: int) -> None:
    upright = noise(60, 90)
    written, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    undo = {6: 1, 8: 3}.get(orientation, 0)
    flips = {2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1]}
    flips |= {5: upright.swapaxes(0, 1), 7: upright[::-1, ::-1].swapaxes(0, 1)}
    stored = flips.get(orientation, np.rot90(upright, undo))
    Image.fromarray(np.ascontiguousarray(stored)).save(written, "PNG", exif=exif)
    seen = images.preprocess(Image.open(written))
    assert seen.original_size == (60, 90)
    assert torch.equal(seen.patches, images.preprocess(upright).patches)


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_a_grey_picture_of_16_bits_keeps_its_shades(dtype: str) -> None:
    shades = np.linspace(0, 65535, 56 * 56).reshape(56, 56)
    file = io.BytesIO()
    mode = "I;16" if dtype == "<u2" else "I;16B"
    raw = Image.frombytes(mode, (56, 56), shades.astype(dtype).tobytes())
    raw.save(file, "PNG" if dtype == "<u2" else "TIFF")
    grey = images.to_rgb(Image.open(file))[..., 0].astype(int)
    assert np.abs(grey - shades / 257).max() <= 1


def test_a_picture_of_32_bits_a_channel_is_refused_where_its_range_is_unknown() -> None:
    low = Image.fromarray(np.full((56, 56), 200, np.int32))
    assert images.to_rgb(low).max() == 200
    for wide in (np.full((56, 56), 70_000, np.int32), np.full((56, 56), 0.5, np.float32)):
        with pytest.raises(UsageError, match="32 bits"):
            images.preprocess(Image.fromarray(wide))


@pytest.mark.parametrize("mode", ["La", "RGBa", "PA", "CMYK", "YCbCr", "HSV", "LAB"])
def test_every_mode_of_pillow_is_read(mode: str) -> None:
    assert images.to_rgb(Image.new(mode, (60, 60))).shape == (60, 60, 3)


@pytest.mark.parametrize("scale", [1 / 255, 1 / 256, 0.0037, 2.0])
@pytest.mark.parametrize(("patch", "frames"), [(7, 1), (14, 1), (14, 4)])
def test_every_byte_is_normalised_with_the_roundings_of_the_reference(
    scale: float, patch: int, frames: int
) -> None:
    settings = ImageSettings(patch_size=patch, scale=scale)
    pixels = RNG.integers(0, 256, (frames, 168, 280, 3), dtype=np.uint8)
    merge, span = settings.merge_size, settings.temporal_patch_size
    pairs = pixels.reshape(max(frames // 2, 1), -1, 168, 280, 3)
    pairs = np.broadcast_to(pairs, (len(pairs), span, 168, 280, 3))
    blocks = pairs.reshape(
        len(pairs), span, 168 // (merge * patch), merge, patch, 280 // (merge * patch), merge,
        patch, 3,
    )  # fmt: skip
    ordered = blocks.transpose(0, 2, 5, 3, 6, 8, 1, 4, 7).reshape(-1, 3, span * patch**2)
    scaled = (ordered.astype(np.float64) * scale).astype(np.float32)
    mean, std = (np.array(v, np.float32)[:, None] for v in (settings.mean, settings.std))
    wanted = torch.from_numpy(((scaled - mean) / std).reshape(len(scaled), -1))
    assert torch.equal(images.patchify(pixels, settings), wanted)
