"""The vision tower: flattened patches to tokens of the language model's width.

Patch embedding, blocks with 2D rotary attention inside each frame, and the 2 by 2 merger.
Parameter names and shapes are those of the published checkpoints (under ``visual.``).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eyehand.errors import UsageError
from eyehand.model.qwen2vl.attention import attend, inverse_frequencies, rotate
from eyehand.model.qwen2vl.config import VISION_ROPE_THETA, VisionConfig

NORM_EPS = 1e-6

Segments = Sequence[tuple[int, int]]
"""Runs of equal frames: (frames, patches in each frame), in patch order."""


def frame_segments(grid_thw: Tensor) -> list[tuple[int, int]]:
    """Group consecutive frames of equal size, so that each group is one dense attention."""
    runs: list[tuple[int, int]] = []
    for frames, rows, columns in grid_thw.tolist():
        size = rows * columns
        if runs and runs[-1][1] == size:
            frames += runs.pop()[0]
        runs.append((frames, size))
    return runs


def patch_coordinates(grid_thw: Tensor, merge: int) -> Tensor:
    """Return the (row, column) of every patch, in merge order: LongTensor (P, 2)."""
    pieces = []
    for frames, rows, columns in grid_thw.tolist():
        row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        both = torch.stack((row, column), dim=-1)
        blocks = both.view(rows // merge, merge, columns // merge, merge, 2).transpose(1, 2)
        pieces.append(blocks.reshape(-1, 2).repeat(frames, 1))
    return torch.cat(pieces)


class PatchEmbedding(nn.Module):
    """The patch convolution, applied as one matrix product over flattened patches.

    Kernel and stride are equal, so the two are the same sum; the product is faster on CPUs.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        kernel = (config.temporal_patch_size, config.patch_size, config.patch_size)
        self.proj = nn.Conv3d(config.in_channels, config.embed_dim, kernel, kernel, bias=False)

    def forward(self, patches: Tensor) -> Tensor:
        """(P, 1176) -> (P, E)."""
        weight = self.proj.weight.flatten(1)  # (E, 1176)
        return F.linear(patches.to(weight.dtype), weight)


class VisionAttention(nn.Module):
    """Full attention among the patches of each frame."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.qkv = nn.Linear(config.embed_dim, 3 * config.embed_dim)
        self.proj = nn.Linear(config.embed_dim, config.embed_dim)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, segments: Segments) -> Tensor:
        """(P, E) -> (P, E), with cos and sin (P, D/2)."""
        qkv = self.qkv(x).view(x.shape[0], 3, self.num_heads, -1)  # (P, 3, H, D)
        # Rotated in float32 even in half precision, as the reference does.
        turned = rotate(qkv[:, :2].float(), cos[:, None, None], sin[:, None, None]).to(x.dtype)
        q, k, v = turned[:, 0], turned[:, 1], qkv[:, 2]  # (P, H, D) each
        if len(segments) == 1:
            return self._project([self._within(q, k, v, *segments[0])])
        outputs, begin = [], 0
        for frames, size in segments:
            part = slice(begin, begin + frames * size)
            outputs.append(self._within(q[part], k[part], v[part], frames, size))
            begin = part.stop
        return self._project(outputs)

    def _within(self, q: Tensor, k: Tensor, v: Tensor, frames: int, size: int) -> Tensor:
        split = (frames, size, self.num_heads, -1)
        q, k, v = (x.reshape(split).transpose(1, 2) for x in (q, k, v))  # (frames, H, size, D)
        out = attend(q, k, v, None, causal=False)
        return out.transpose(1, 2).reshape(frames * size, -1)  # (frames*size, E)

    def _project(self, outputs: list[Tensor]) -> Tensor:
        projected: Tensor = self.proj(outputs[0] if len(outputs) == 1 else torch.cat(outputs))
        return projected


def activate(x: Tensor, name: str) -> Tensor:
    """Apply quick_gelu (``x * sigmoid(1.702 x)``), gelu or silu."""
    if name == "quick_gelu":
        return x * torch.sigmoid(1.702 * x)
    return F.gelu(x) if name == "gelu" else F.silu(x)


class VisionMlp(nn.Module):
    """Two linear layers with the configured activation."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.embed_dim, config.embed_dim * config.mlp_ratio)
        self.fc2 = nn.Linear(config.embed_dim * config.mlp_ratio, config.embed_dim)
        self.hidden_act = config.hidden_act

    def forward(self, x: Tensor) -> Tensor:
        """(P, E) -> (P, E)."""
        out: Tensor = self.fc2(activate(self.fc1(x), self.hidden_act))
        return out


class VisionBlock(nn.Module):
    """Pre-norm attention and MLP, both residual."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.embed_dim, eps=NORM_EPS)
        self.norm2 = nn.LayerNorm(config.embed_dim, eps=NORM_EPS)
        self.attn = VisionAttention(config)
        self.mlp = VisionMlp(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, segments: Segments) -> Tensor:
        """(P, E) -> (P, E)."""
        x = x + self.attn(self.norm1(x), cos, sin, segments)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class PatchMerger(nn.Module):
    """Concatenates each 2 by 2 block of patches and projects it to the language model's width."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.merged_dim = config.embed_dim * config.merge_area
        self.ln_q = nn.LayerNorm(config.embed_dim, eps=NORM_EPS)
        self.mlp = nn.Sequential(
            nn.Linear(self.merged_dim, self.merged_dim),
            nn.GELU(),
            nn.Linear(self.merged_dim, config.hidden_size),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(P, E) -> (P/4, hidden)."""
        out: Tensor = self.mlp(self.ln_q(x).view(-1, self.merged_dim))
        return out


class VisionTower(nn.Module):
    """Patches of any number of images and videos to tokens, in one pass."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbedding(config)
        self.blocks = nn.ModuleList(VisionBlock(config) for _ in range(config.depth))
        self.merger = PatchMerger(config)

    def forward(self, patches: Tensor, grid_thw: Tensor) -> Tensor:
        """Encode patches.

        Args:
            patches: (P, 1176) normalised values in merge order, float; cast to the weights' dtype.
            grid_thw: LongTensor (N, 3), patches in time, height, width of each image or video.

        Returns:
            (P/4, hidden), in the order of the patches.

        Raises:
            UsageError: the number or the size of the patches contradicts the grids.
        """
        self._check(patches, grid_thw)
        coordinates = patch_coordinates(grid_thw, self.config.spatial_merge_size)
        cos, sin = self.rotations(coordinates.to(patches.device))
        segments = frame_segments(grid_thw)
        x = self.patch_embed(patches)
        for block in self.blocks:
            x = block(x, cos, sin, segments)
        merged: Tensor = self.merger(x)
        return merged

    def rotations(self, coordinates: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosines and sines of patches at `patch_coordinates` (P, 2).

        Both are float32 (P, D/2): the first half by row, the second by column.
        """
        quarter = self.config.head_dim // 4
        frequencies = inverse_frequencies(quarter, VISION_ROPE_THETA, coordinates.device)
        angles = (coordinates[..., None] * frequencies).flatten(1)  # (P, 2, D/4) -> (P, D/2)
        return angles.cos(), angles.sin()

    def _check(self, patches: Tensor, grid_thw: Tensor) -> None:
        expected = (int(grid_thw.prod(dim=-1).sum()), self.config.patch_values)
        if tuple(patches.shape) != expected:
            raise UsageError(
                f"patches have shape {tuple(patches.shape)}, the grids {grid_thw.tolist()} "
                f"need {expected}"
            )
        merge = self.config.spatial_merge_size
        if bool((grid_thw[:, 1:] % merge).any()):
            raise UsageError(f"heights and widths in {grid_thw.tolist()} must divide by {merge}")
