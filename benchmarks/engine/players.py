"""The sides that play on a device: several conversations at once, each shown a screen a step."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from benchmarks.engine.sides import Ours, never, shown, their_copy
from eyehand.model.hub import Qwen2VL
from eyehand.model.inference.decode import generate
from eyehand.model.inference.visual_cache import VisualEncoder
from eyehand.model.inputs.image import UInt8Array, smart_resize
from eyehand.model.qwen2vl.mrope import position_ids

UNBOUNDED = 2**62
WORDS_A_STEP = 100


@dataclass
class Lap:
    """A step of all conversations; seconds on the clock.

    Attributes:
        step_s: All of it.
        decode_s: From the first token of an answer to its last.
        patches: Of a screen.
        new: Tokens that each conversation read.
        held: Tokens that each conversation has in the end.
        answers: The ids of each.
        parts: Seconds by name, where the side says them.
    """

    step_s: float
    decode_s: float
    patches: int
    new: int
    held: int
    answers: Sequence[Sequence[int]]
    parts: dict[str, float] = field(default_factory=dict)


class Player(ABC):
    """A side.

    Args:
        checkpoint: The model.
        tokens: Tokens of each answer.
        steps: Most steps of an episode.

    Attributes:
        name: What stands in the table.
    """

    name: str

    def __init__(self, checkpoint: Qwen2VL, tokens: int, steps: int) -> None:
        self.checkpoint, self.tokens, self.steps = checkpoint, tokens, steps
        self.device = checkpoint.network.device

    @abstractmethod
    def begin(self, batch: int) -> None:
        """Forget the conversations, and begin so many."""

    @abstractmethod
    def step(self, screens: Sequence[UInt8Array]) -> Lap:
        """Show each conversation a screen, and let all answer."""

    def room(self, screen: UInt8Array) -> int:
        """Return how many tokens an episode with such screens takes at most."""
        settings = self.checkpoint.settings
        height, width = smart_resize(screen.shape[0], screen.shape[1], settings)
        a_step = height * width // settings.factor**2 + WORDS_A_STEP + self.tokens
        return -(-self.steps * a_step // 256) * 256

    def now_s(self) -> float:
        """Return seconds on the clock, after the device has finished its work."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


class Eyehand(Player):
    """Sessions that are answered together."""

    name = "eyehand"

    def begin(self, batch: int) -> None:
        """See `Player`."""
        self._batch = batch
        self._players: list[Ours] = []

    def step(self, screens: Sequence[UInt8Array]) -> Lap:
        """See `Player`."""
        if not self._players:
            self._make(screens[0])
        began_s = self.now_s()
        for player, screen in zip(self._players, screens, strict=True):
            player.show(screen, self.tokens)
        prepared_s = self.now_s()
        sessions = [player.session for player in self._players]
        visual, new = sessions[0].pending_visuals[0], sessions[0].num_pending
        config = self._players[0].config(self.tokens)
        written = generate(sessions, config, batch_size=len(sessions))
        ended_s = self.now_s()
        parts = {
            "preprocess": prepared_s - began_s, "vision": written[0].vision_s,
            "prefill": written[0].prefill_s, "decode": max(w.decode_s for w in written),
        }  # fmt: skip
        frames, rows, columns = visual.grid
        return Lap(
            ended_s - began_s, parts["decode"], frames * rows * columns, new,
            sessions[0].num_tokens, [w.token_ids for w in written], parts,
        )  # fmt: skip

    def _make(self, screen: UInt8Array) -> None:
        reserved, encoder = self.room(screen), VisualEncoder(self.checkpoint.network)
        made = [
            Ours(self.checkpoint, "full", UNBOUNDED, reserved, encoder)
            for _ in range(self._batch + 1)
        ]
        # One stays, as the read beginning of all conversations does in use: memory is kept with it.
        self._players, self._stays = made[1:], made[0]


class Eager(Player):
    """transformers' `forward` with its cache kept and explicit positions, in one batch."""

    name = "transformers, eager"

    def __init__(self, checkpoint: Qwen2VL, tokens: int, steps: int) -> None:
        super().__init__(checkpoint, tokens, steps)
        self._peer = their_copy(checkpoint.network)
        self._never = torch.tensor(never(checkpoint), device=self.device)
        self._write = self._peer.forward

    def begin(self, batch: int) -> None:
        """See `Player`."""
        self._cache: Any = None
        self._next = 0
        self._ids: list[list[int]] = [[] for _ in range(batch)]

    @torch.no_grad()
    def step(self, screens: Sequence[UInt8Array]) -> Lap:
        """See `Player`."""
        began_s = self.now_s()
        if self._cache is None:
            self._cache = self._new_cache(self.room(screens[0]))
        first = not self._ids[0]
        seen = [shown(self.checkpoint, screen, first=first) for screen in screens]
        pending = [[*ids[-1:], *new] for ids, (new, _, _) in zip(self._ids, seen, strict=True)]
        patches = torch.cat([patches for _, patches, _ in seen])
        grids = torch.cat([grid for _, _, grid in seen])
        newest = self._read(torch.tensor(pending), patches, grids)
        read_s = self.now_s()
        answers = [newest]
        for _ in range(self.tokens - 1):
            newest = self._written(newest)
            answers.append(newest)
        ended_s = self.now_s()
        written = torch.stack(answers, dim=1).tolist()
        for ids, (new, _, _), answer in zip(self._ids, seen, written, strict=True):
            ids += [*new, *answer]
        return Lap(
            ended_s - began_s, ended_s - read_s, len(patches) // len(screens), len(pending[0]),
            len(self._ids[0]), written, {"until the first token": read_s - began_s},
        )  # fmt: skip

    def _new_cache(self, room: int) -> Any:
        from transformers import DynamicCache

        return DynamicCache()

    def _read(self, ids: Tensor, patches: Tensor, grids: Tensor) -> Tensor:
        """Read what is new, which is as long in each conversation; (B, L) -> (B,)."""
        config, network = self.checkpoint.network.config, self.checkpoint.network
        positions, self._next = position_ids(ids[0], grids[:1].tolist(), config, self._next)
        scores = self._peer(
            input_ids=ids.to(self.device),
            position_ids=positions[:, None].expand(-1, len(ids), -1).to(self.device),
            past_key_values=self._cache, use_cache=True, logits_to_keep=1,
            pixel_values=patches.to(network.dtype).to(self.device),
            image_grid_thw=grids.to(self.device),
            mm_token_type_ids=(ids == config.image_token_id).int().to(self.device),
        ).logits  # fmt: skip
        return self._best(scores)

    def _written(self, newest: Tensor) -> Tensor:
        positions = torch.full((3, len(newest), 1), self._next, device=self.device)
        self._next += 1
        scores = self._write(
            input_ids=newest[:, None], position_ids=positions, past_key_values=self._cache,
            use_cache=True, logits_to_keep=1,
        ).logits  # fmt: skip
        return self._best(scores)

    def _best(self, scores: Tensor) -> Tensor:
        return scores[:, -1].index_fill(-1, self._never, -torch.inf).argmax(-1)


class Compiled(Eager):
    """The same with a `StaticCache`, and the pass that writes a token compiled."""

    name = "transformers, static and compiled"

    def __init__(self, checkpoint: Qwen2VL, tokens: int, steps: int) -> None:
        super().__init__(checkpoint, tokens, steps)
        on_gpu = self.device.type == "cuda"
        self._kept: tuple[tuple[int, int], Any] = ((0, 0), None)
        how: dict[str, Any] = {"mode": "reduce-overhead"} if on_gpu else {"backend": "eager"}
        compiled: Any = torch.compile(self._peer.forward, dynamic=False, fullgraph=True, **how)

        def write(**given: Any) -> Any:
            if on_gpu:
                torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
            return compiled(**given)

        self._write = write

    def _new_cache(self, room: int) -> Any:
        from transformers import StaticCache

        wanted = len(self._ids), room
        if self._kept[0] != wanted:
            text = self._peer.config.get_text_config()
            self._kept = wanted, StaticCache(config=text, max_cache_len=room)
        else:  # the compiled pass knows where it lies
            self._kept[1].reset()
        return self._kept[1]


PLAYERS: tuple[type[Player], ...] = (Eyehand, Eager, Compiled)
"""In the order in which they are measured: the one that compiles for minutes comes last."""
