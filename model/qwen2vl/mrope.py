"""Multimodal rotary position ids (M-RoPE): pure functions from token ids and grids to positions.

Every token has three ids: time, height, width. Text advances all three together. A vision block
that starts at ``s`` has ``s + frame``, ``s + row`` and ``s + column`` on the merged grid, and what
follows starts one past the largest id on any axis (paper arXiv 2409.12191, section 2.1).
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.qwen2vl.config import Qwen2VLConfig

Grid = Sequence[int]
"""Patches in time, height and width: (t, h, w), before merging."""


def token_count(grid: Grid, config: Qwen2VLConfig) -> int:
    """Return how many placeholder tokens an image or video of this patch grid needs."""
    frames, rows, columns = (int(n) for n in grid)
    merge = config.vision.spatial_merge_size
    if min(frames, rows, columns) < 1 or rows % merge or columns % merge:
        raise UsageError(
            f"grid {(frames, rows, columns)}: expected t, h, w of at least 1 "
            f"with h and w divisible by {merge}"
        )
    return frames * rows * columns // config.vision.merge_area


def block_positions(grid: Grid, start: int, config: Qwen2VLConfig) -> Tensor:
    """Return the positions of one vision block that starts at ``start``: LongTensor (3, tokens)."""
    merge = config.vision.spatial_merge_size
    frames, rows, columns = (int(n) for n in grid)
    axes = torch.meshgrid(
        torch.arange(frames),
        torch.arange(rows // merge),
        torch.arange(columns // merge),
        indexing="ij",
    )
    return torch.stack(axes).reshape(3, -1) + start  # (3, t*h*w/4)


def position_ids(
    input_ids: Tensor, grids: Sequence[Grid], config: Qwen2VLConfig, start: int = 0
) -> tuple[Tensor, int]:
    """Return the positions of one sequence, or of a segment appended to one.

    Args:
        input_ids: LongTensor (L,), without padding.
        grids: patch grids of the images and videos, in their order in ``input_ids``.
        config: says which ids are placeholders and how patches merge.
        start: the first position; for a continuation, what the previous call returned.

    Returns:
        LongTensor (3, L) on the CPU, and the position of the token that would follow.

    Raises:
        UsageError: placeholders and grids do not match.
    """
    remaining = iter(grids)
    found, following = _walk(input_ids.cpu(), lambda _: next(remaining, None), config, start)
    _refuse_rest(remaining, "image or video")
    return found, following


def batch_position_ids(
    input_ids: Tensor,
    config: Qwen2VLConfig,
    *,
    image_grids: Tensor | Sequence[Grid] | None = None,
    video_grids: Tensor | Sequence[Grid] | None = None,
    attention_mask: Tensor | None = None,
    starts: Sequence[int] | None = None,
) -> tuple[Tensor, list[int]]:
    """Return the positions of a padded batch; padding has position 0.

    Args:
        input_ids: LongTensor (B, L).
        config: says which ids are placeholders and how patches merge.
        image_grids: (N, 3) patch grids of the images of all rows, in order.
        video_grids: the same for videos.
        attention_mask: (B, L), true for tokens and false for padding, on either side.
        starts: first position of each row, zeros by default.

    Returns:
        LongTensor (3, B, L) on the CPU, and the next position of each row.
    """
    ids = input_ids.cpu()
    images, videos = _grid_queue(image_grids), _grid_queue(video_grids)

    def take(token: int) -> Grid | None:
        return next(images if token == config.image_token_id else videos, None)

    positions = torch.zeros(3, *ids.shape, dtype=torch.long)
    following = []
    for row, row_ids in enumerate(ids):
        start = starts[row] if starts is not None else 0
        kept = slice(None) if attention_mask is None else attention_mask[row].bool().cpu()
        found, after = _walk(row_ids[kept], take, config, start)
        positions[:, row, kept] = found
        following.append(after)
    _refuse_rest(images, "image")
    _refuse_rest(videos, "video")
    return positions, following


def _grid_queue(grids: Tensor | Sequence[Grid] | None) -> Iterator[Grid]:
    if grids is None:
        return iter(())
    return iter(grids.tolist() if isinstance(grids, Tensor) else grids)


def _refuse_rest(remaining: Iterator[Grid], kind: str) -> None:
    rest = list(remaining)
    if rest:
        raise UsageError(
            f"{len(rest)} more {kind} grid(s) than placeholder blocks in input_ids; "
            f"the first without a block is {tuple(rest[0])}"
        )


def _walk(
    ids: Tensor, take: Callable[[int], Grid | None], config: Qwen2VLConfig, start: int
) -> tuple[Tensor, int]:
    """Positions of one unpadded row; ``take`` gives the next grid for a placeholder id."""
    is_vision = (ids == config.image_token_id) | (ids == config.video_token_id)
    places = is_vision.nonzero().flatten()
    pieces: list[Tensor] = []
    cursor, position, seen = 0, start, 0
    while seen < len(places):
        begin = int(places[seen])
        token = int(ids[begin])
        count, block = _next_block(take(token), position + begin - cursor, config)
        _check_run(ids, begin, count, token)
        pieces += [_text_positions(begin - cursor, position), block]
        cursor, position, seen = begin + count, int(block.max()) + 1, seen + count
    rest = len(ids) - cursor
    pieces.append(_text_positions(rest, position))
    return torch.cat(pieces, dim=1), position + rest


def _text_positions(count: int, start: int) -> Tensor:
    return torch.arange(start, start + count).expand(3, -1)


def _next_block(grid: Grid | None, start: int, config: Qwen2VLConfig) -> tuple[int, Tensor]:
    if grid is None:
        raise UsageError(
            "input_ids hold a vision placeholder block for which no grid was given; "
            "pass one (t, h, w) for every image and video"
        )
    return token_count(grid, config), block_positions(grid, start, config)


def _check_run(ids: Tensor, begin: int, count: int, token: int) -> None:
    present = int((ids[begin : begin + count] == token).sum())
    if present != count:
        raise UsageError(
            f"the grid needs {count} placeholder tokens (id {token}) from index {begin}, "
            f"input_ids have {present} there"
        )
