"""The vision tower behind a memory: a screen that was already seen is not encoded again.

Entries are found by their content, never by name or order: two screens are the same only when
all their bytes are.
"""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eyehand.model.inputs.image import (
    Grid,
    Picture,
    normalise_bytes,
    preprocess,
    preprocess_bytes,
    smart_resize,
    to_rgb,
    tokens_of_grid,
)
from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.model.inputs.video import VideoInput
from eyehand.model.memory import check_room, vision_bytes
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

MAX_BYTES = 256 * 2**20
"""Default memory for embeddings: about 70 screens of 720p for the 2B model in bfloat16."""

MOST_PATCHES = 2**15
"""Patches that go through the tower at once on a GPU: about seven screens of 720p."""


@dataclass
class Visual:
    """A picture or video on its way into the network.

    Attributes:
        key: Hash of the content.
        grid: (t, h, w) in patches.
        merge_size: One token holds merge_size x merge_size patches.
        is_video: Which placeholder it takes.
        patches: float32 (t*h*w, 1176), or the bytes of them, uint8 (t*h*w, 196, 3); None once the
            embeddings are there.
        embeds: (tokens, width); None until encoded.
        settings: How bytes become patches.
    """

    key: bytes
    grid: Grid
    merge_size: int
    is_video: bool = False
    patches: Tensor | None = None
    embeds: Tensor | None = None
    settings: ImageSettings | None = None

    @property
    def num_tokens(self) -> int:
        """Placeholder tokens that it occupies."""
        return tokens_of_grid(self.grid, self.merge_size)

    @property
    def num_positions(self) -> int:
        """Positions that it takes (M-RoPE): what follows it stands past its longest axis."""
        frames, rows, columns = self.grid
        return max(frames, rows // self.merge_size, columns // self.merge_size)


class VisualEncoder:
    """Encodes pictures and videos, the least recently used results forgotten first.

    Several sessions of one model may share an encoder. It is not meant for several threads.

    Attributes:
        hits: Pictures that needed no encoding.
        misses: Pictures that went through the vision tower.
        uploads_bytes: Whether pictures are brought to the network's device as bytes, and normalised
            there: an eighth of what patches take.
    """

    def __init__(self, network: Qwen2VLNetwork, max_bytes: int = MAX_BYTES) -> None:
        """Starts with an empty memory.

        Args:
            network: Whose vision tower is used; its weights must not change afterwards.
            max_bytes: Memory for embeddings; 0 remembers nothing.
        """
        self._network = network
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, Tensor] = OrderedDict()
        self._held_bytes = 0
        self.hits = 0
        self.misses = 0
        self.uploads_bytes = network.device.type != "cpu"

    def read_image(self, image: Picture, settings: ImageSettings) -> Visual:
        """Prepares a picture; one that is remembered is not even resized.

        Raises:
            UsageError: See `eyehand.model.inputs.image.preprocess`.
        """
        rgb = to_rgb(image)
        height_px, width_px, _ = rgb.shape
        grid = settings.grid(1, smart_resize(height_px, width_px, settings))
        digest = hashlib.blake2b(rgb.data.cast("B"), digest_size=16)
        # Not the limits: they decide nothing but the grid.
        colours = (settings.mean, settings.std, settings.scale)
        digest.update(f"pixels {rgb.shape} {grid} {settings.factor} {colours}".encode())
        key = digest.digest()
        visual = Visual(key, grid, settings.merge_size, embeds=self._entries.get(key))
        if visual.embeds is None and self.uploads_bytes:
            visual.patches, visual.settings = preprocess_bytes(rgb, settings), settings
        elif visual.embeds is None:
            visual.patches = preprocess(rgb, settings).patches
        return visual

    def read_video(self, video: VideoInput) -> Visual:
        """Prepares a video."""
        digest = hashlib.blake2b(video.patches.numpy().data.cast("B"), digest_size=16)
        digest.update(f"patches {video.grid}".encode())
        key = digest.digest()
        held = self._entries.get(key)
        return Visual(key, video.grid, video.merge_size, True, video.patches, held)

    def encode(self, visuals: Sequence[Visual]) -> None:
        """Gives every visual its embeddings; what is new goes through the tower, once each."""
        new: dict[bytes, Visual] = {}
        for visual in visuals:
            if visual.embeds is None:
                visual.embeds = self._entries.get(visual.key)
            if visual.embeds is None:
                new.setdefault(visual.key, visual)
        self.misses += len(new)
        self.hits += len(visuals) - len(new)
        for batch in self._batches(list(new.values())):
            self._run_tower(batch)
        for visual in visuals:
            if visual.embeds is None:
                visual.embeds = new[visual.key].embeds
            visual.patches = None
            if visual.embeds is not None:
                self._remember(visual.key, visual.embeds)

    def _run_tower(self, visuals: list[Visual]) -> None:
        patches = torch.cat([self._patches_of(visual) for visual in visuals])
        grids = torch.tensor([visual.grid for visual in visuals])
        needed = vision_bytes(self._network.config, len(patches), self._network.dtype.itemsize)
        check_room(needed, self._network.device, "to look at the pictures")
        embeds = self._network.encode_images(patches, grids)
        pieces = torch.split(embeds, [visual.num_tokens for visual in visuals])
        for visual, piece in zip(visuals, pieces, strict=True):
            # A view would keep the whole batch alive for as long as one picture is remembered.
            visual.embeds = piece.clone() if len(visuals) > 1 else piece

    def _patches_of(self, visual: Visual) -> Tensor:
        patches = visual.patches
        assert patches is not None
        if visual.settings is not None:
            patches = normalise_bytes(patches.to(self._network.device), visual.settings)
        return patches.to(self._network.dtype)

    def _batches(self, visuals: list[Visual]) -> Iterator[list[Visual]]:
        """Yield who goes through the tower together: those of one size side by side.

        Each by itself on the CPU, where more at once is not faster, and where a picture's bits
        would depend on the others.
        """
        if self._network.device.type == "cpu":
            yield from ([visual] for visual in visuals)
            return
        batch, patches = list[Visual](), 0
        for visual in sorted(visuals, key=lambda visual: visual.grid):
            count = math.prod(visual.grid)
            if batch and patches + count > MOST_PATCHES:
                yield batch
                batch, patches = [], 0
            batch.append(visual)
            patches += count
        if batch:
            yield batch

    def _remember(self, key: bytes, embeds: Tensor) -> None:
        if key not in self._entries:
            self._entries[key] = embeds
            self._held_bytes += embeds.nbytes
        self._entries.move_to_end(key)
        while self._held_bytes > self._max_bytes:
            _, forgotten = self._entries.popitem(last=False)
            self._held_bytes -= forgotten.nbytes


def join_embeds(visuals: Sequence[Visual], *, is_video: bool) -> Tensor | None:
    """Returns the embeddings of all pictures (or videos), (tokens, width); None without any."""
    embeds = [v.embeds for v in visuals if v.is_video == is_video and v.embeds is not None]
    return torch.cat(embeds) if embeds else None
