"""Position ids and token counts of the paper's scheme."""

import pytest
import torch
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.qwen2vl.attention import inverse_frequencies
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.language import rotations
from eyehand.model.qwen2vl.mrope import batch_position_ids, position_ids, token_count

IMAGE, VIDEO = 151655, 151656


@pytest.fixture(scope="module")
def config() -> Qwen2VLConfig:
    return Qwen2VLConfig.qwen2vl_2b()


def digits(positions: Tensor) -> list[str]:
    return ["".join(str(p) for p in axis) for axis in positions.tolist()]


def test_a_video_and_the_text_after_it_get_the_published_positions(config: Qwen2VLConfig) -> None:
    ids = torch.tensor([VIDEO] * 12 + [1, 2, 3, 4, 5])
    found, following = position_ids(ids, [(3, 4, 4)], config)
    assert digits(found) == [
        "00001111222234567",
        "00110011001134567",
        "01010101010134567",
    ]
    assert following == 8


def test_text_alone_has_equal_positions_on_all_axes(config: Qwen2VLConfig) -> None:
    found, following = position_ids(torch.arange(6), [], config)
    assert digits(found) == ["012345"] * 3
    assert following == 6


@pytest.mark.parametrize(
    ("grid", "following"), [((1, 4, 8), 4), ((1, 8, 4), 4), ((5, 4, 4), 5), ((1, 2, 2), 1)]
)
def test_text_after_a_block_follows_the_largest_axis(
    config: Qwen2VLConfig, grid: tuple[int, int, int], following: int
) -> None:
    ids = torch.tensor([IMAGE] * token_count(grid, config))
    assert position_ids(ids, [grid], config)[1] == following


@pytest.mark.parametrize(
    ("grid", "tokens"),
    [
        ((1, 16, 16), 64),
        ((1, 36, 36), 324),
        ((1, 2, 28), 14),
        ((1, 78, 586), 11427),
        ((1, 16, 2), 8),
        ((1, 52, 92), 1196),
        ((1, 78, 138), 2691),
        ((1, 172, 78), 3354),
        ((3, 4, 4), 12),
    ],
)
def test_token_counts(config: Qwen2VLConfig, grid: tuple[int, int, int], tokens: int) -> None:
    assert token_count(grid, config) == tokens


@pytest.mark.parametrize("cut", [2, 3, 11, 13, 20])
def test_a_segment_continues_where_the_last_one_ended(config: Qwen2VLConfig, cut: int) -> None:
    # Two text tokens, a 2 by 4 image (8 tokens from index 3), text, a 1 by 2 image, text.
    ids = torch.tensor([1, 2, 3, *[IMAGE] * 8, 4, 5, *[IMAGE] * 2, 6, 7, 8, 9, 10, 11, 12])
    grids = [(1, 4, 8), (1, 2, 4)]
    whole, following = position_ids(ids, grids, config, start=9)
    seen = int(cut >= 11) + int(cut >= 15)
    first, middle = position_ids(ids[:cut], grids[:seen], config, start=9)
    second, end = position_ids(ids[cut:], grids[seen:], config, start=middle)
    assert torch.equal(torch.cat((first, second), dim=1), whole)
    assert end == following


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_does_not_move_positions(config: Qwen2VLConfig, side: str) -> None:
    rows = [[1, VIDEO, 2, IMAGE, 3], [IMAGE, 4]]
    pad = [0] * 3
    second = pad + rows[1] if side == "left" else rows[1] + pad
    ids = torch.tensor([rows[0], second])
    mask = torch.ones(2, 5, dtype=torch.bool)
    mask[1] = torch.tensor(second) != 0
    found, following = batch_position_ids(
        ids,
        config,
        image_grids=torch.tensor([[1, 2, 2], [1, 2, 2]]),
        video_grids=[(1, 2, 2)],
        attention_mask=mask,
        starts=[0, 7],
    )
    assert digits(found[:, 0]) == ["01234"] * 3
    assert found[0, 1, mask[1]].tolist() == [7, 8]
    assert following == [5, 9]


def test_blocks_without_text_between_them_are_told_apart(config: Qwen2VLConfig) -> None:
    found, following = position_ids(torch.tensor([IMAGE] * 3), [(1, 2, 4), (1, 2, 2)], config)
    assert digits(found) == ["002", "002", "012"]
    assert following == 3


@pytest.mark.parametrize(
    ("ids", "grids", "message"),
    [
        ([IMAGE], [], "no grid was given"),
        ([1, 2], [(1, 2, 2)], r"1 more image or video grid.*\(1, 2, 2\)"),
        ([IMAGE, IMAGE, 1], [(1, 4, 4)], "needs 4 placeholder tokens.*have 2"),
        ([IMAGE], [(1, 3, 2)], "divisible by 2"),
    ],
)
def test_mismatches_are_explained(
    config: Qwen2VLConfig, ids: list[int], grids: list[tuple[int, int, int]], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        position_ids(torch.tensor(ids), grids, config)


def test_sections_give_time_height_and_width_their_frequencies(config: Qwen2VLConfig) -> None:
    positions = torch.tensor([2, 3, 5]).view(3, 1, 1)
    cos, sin = rotations(positions, config.text, torch.float32)
    axes = torch.tensor([2.0] * 16 + [3.0] * 24 + [5.0] * 24)
    angles = axes * inverse_frequencies(64, 1e6, torch.device("cpu"))
    assert torch.allclose(cos.flatten(), angles.cos())
    assert torch.allclose(sin.flatten(), angles.sin())
