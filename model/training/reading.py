"""The first stage: the vision tower alone learns to read drawn pages.

Warm-up, a constant rate, and a decay branch whenever a tower is to be measured. Step k is a
function of the plan and of k, and the state holds all else, so that a run that was interrupted
goes on bit by bit.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eyehand.model.inputs.image import concatenate, preprocess
from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.model.qwen2vl.config import VisionConfig
from eyehand.model.qwen2vl.vision import VisionTower
from eyehand.model.training.characters import Cells, CharacterHead, character_loss
from eyehand.model.training.embedded import WHITE_MEAN, WHITE_STD
from eyehand.model.training.optimizer import BETAS, parameter_groups
from eyehand.model.training.pages import FONTS, Page, draw_page, word_lists
from eyehand.model.training.precision import fast_dtype
from eyehand.model.training.state import read_state, write_state
from eyehand.model.training.tower import grow, initialise_tower

PAGE_SIZES_PX = ((112, 84), (112, 84), (168, 56), (84, 112), (224, 42), (56, 168))
"""Width and height of the pages of a batch: about 9,400 pixels, 48 tokens, in several shapes."""
EVALUATION_SEED = 1_000_000
_PAGE_PX = (112, 84)


@dataclass(frozen=True)
class ReadingPlan:
    """What fixes a reading run.

    Attributes:
        seed: Of the pages and of the weights, 0 to 999,999.
        pages: Pages a step.
        sizes: Widths and heights in pixels that a step's pages may have.
        learning_rate: Of AdamW, after the warm-up.
        warmup_steps: Steps in which the rate rises.
        weight_decay: Of the matrices.
        save_s: Seconds between two states on disk.
        evaluate_steps: Steps between two measurements on held-out words.
    """

    seed: int = 0
    pages: int = 16
    sizes: tuple[tuple[int, int], ...] = PAGE_SIZES_PX
    learning_rate: float = 0.0015
    warmup_steps: int = 60
    weight_decay: float = 0.05
    save_s: float = 300.0
    evaluate_steps: int = 1000


@dataclass(frozen=True)
class PageBatch:
    """Pages of one size as tensors.

    Attributes:
        patches: float32 (P, values of a patch), in merge order.
        grid_thw: LongTensor (N, 3).
        labels: LongTensor (V, cells of a token).
        spans: For each page and word the flat indices of its characters' cells in `labels`.
    """

    patches: Tensor
    grid_thw: Tensor
    labels: Tensor
    spans: list[list[int]]


def picture_settings(config: VisionConfig, max_pixels: int) -> ImageSettings:
    """Return how a reading tower sees pictures of up to so many pixels."""
    patches = ImageSettings.of_model(config)
    return replace(
        patches, min_pixels=patches.factor**2, max_pixels=max_pixels, mean=WHITE_MEAN, std=WHITE_STD
    )


def page_batch(pages: Sequence[Page], config: VisionConfig) -> PageBatch:
    """Turn pages of one size into tensors."""
    height_px, width_px = pages[0].image.shape[:2]
    cells = Cells(width_px, height_px, config)
    per_page = cells.rows * cells.columns * cells.of_token
    settings = picture_settings(config, width_px * height_px)
    pictures = [preprocess(page.image, settings) for page in pages]
    spans = [
        [index * per_page + place for place in span]
        for index, page in enumerate(pages)
        for span in cells.spans(word.characters for word in page.words)
    ]
    patches, grid_thw = concatenate(pictures)
    labels = np.concatenate([cells.labels(page.characters) for page in pages])
    return PageBatch(
        patches=patches,
        grid_thw=grid_thw,
        labels=torch.from_numpy(labels),
        spans=spans,
    )


class ReadingRun:
    """A tower that learns to read, from its first step to its last.

    Args:
        config: The tower's sizes.
        plan: How.
        folder: Where the state and the log lie.
        initial: Weights to begin from where the folder has no state yet; maybe of fewer blocks.
    """

    def __init__(
        self, config: VisionConfig, plan: ReadingPlan, folder: Path,
        initial: dict[str, dict[str, Tensor]] | None = None,
    ) -> None:  # fmt: skip
        self.config, self.plan, self.folder = config, plan, folder
        torch.manual_seed(plan.seed)
        self.tower, self.head = VisionTower(config), CharacterHead(config)
        initialise_tower(self.tower, plan.seed)
        if initial is not None:
            grow(self.tower, initial["tower"])
            self.head.load_state_dict(initial["head"])
        self.optimizer = self._make_optimizer()
        self._dtype = fast_dtype(torch.device("cpu"))
        self.step = self.characters = 0
        self.cpu_s = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        state = read_state(folder)
        if state is not None:
            self._restore(state)

    def train(
        self, steps: int, decay_steps: int = 0, follow: Callable[[dict[str, float]], None] = print
    ) -> dict[str, float]:
        """Go on until `steps` steps are taken, and write the state.

        Args:
            steps: Steps from the run's beginning, earlier sessions included.
            decay_steps: In so many last steps the rate falls to zero.
            follow: Receives each line of the log.

        Returns:
            The last measurement on held-out words.
        """
        saved = time.monotonic()
        measured: dict[str, float] = {}
        while self.step < steps:
            left = (steps - self.step) / decay_steps if decay_steps else 1.0
            loss = self.advance(min(1.0, left))
            if self.step % self.plan.evaluate_steps == 0 or self.step == steps:
                measured = self._log(loss, follow)
            if time.monotonic() - saved > self.plan.save_s or self.step == steps:
                write_state(self.folder, self._state())
                saved = time.monotonic()
        return measured

    def advance(self, share: float) -> float:
        """Take one step at a share of the learning rate, 0 to 1, and return its loss."""
        begun = time.process_time()
        batch = page_batch(training_pages(self.plan, self.step), self.config)
        rate = self.plan.learning_rate * share * min(1.0, (self.step + 1) / self.plan.warmup_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", self._dtype, enabled=self._dtype != torch.float32):
            loss = character_loss(self._logits(batch), batch.labels)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.characters += int((batch.labels > 0).sum())
        self.cpu_s += time.process_time() - begun
        return float(loss.detach())

    def _logits(self, batch: PageBatch) -> Tensor:
        logits: Tensor = self.head(self.tower(batch.patches, batch.grid_thw))
        return logits

    def _log(self, loss: float, follow: Callable[[dict[str, float]], None]) -> dict[str, float]:
        line = {
            "step": self.step, "characters_seen": self.characters, "cpu_s": round(self.cpu_s),
            "loss": round(loss, 4), **measure(self.tower, self.head, self.config),
        }  # fmt: skip
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        follow(line)
        return line

    def _parameters(self) -> Iterator[nn.Parameter]:
        yield from self.tower.parameters()
        yield from self.head.parameters()

    def _make_optimizer(self) -> torch.optim.Optimizer:
        groups = parameter_groups(self.tower, [self.head], self.plan.weight_decay)
        return torch.optim.AdamW(groups, lr=self.plan.learning_rate, betas=BETAS)

    def _state(self) -> dict[str, Any]:
        return {
            "plan": asdict(self.plan), "step": self.step, "characters": self.characters,
            "cpu_s": self.cpu_s, "dtype": str(self._dtype), "tower": self.tower.state_dict(),
            "head": self.head.state_dict(), "optimizer": self.optimizer.state_dict(),
        }  # fmt: skip

    def _restore(self, state: dict[str, Any]) -> None:
        self.step, self.characters = state["step"], state["characters"]
        self.cpu_s = state["cpu_s"]
        self._dtype = getattr(torch, state.get("dtype", "float32").removeprefix("torch."))
        self.tower.load_state_dict(state["tower"])
        self.head.load_state_dict(state["head"])
        self.optimizer.load_state_dict(state["optimizer"])


def training_pages(plan: ReadingPlan, step: int) -> list[Page]:
    """Return the pages of a step: a function of the plan's seed and of the step alone."""
    words, _ = word_lists()
    size = random.Random(f"size/{plan.seed}/{step}").choice(plan.sizes)
    first = step * plan.pages
    return [draw_page(plan.seed, first + n, size, words) for n in range(plan.pages)]


def measure(
    tower: VisionTower, head: CharacterHead, config: VisionConfig, pages: int = 96,
    fonts: Sequence[str] = FONTS,
) -> dict[str, float]:  # fmt: skip
    """Measure reading on pages of held-out words and evaluation seeds.

    Args:
        tower: The tower.
        head: Its character head.
        config: The tower's sizes.
        pages: How many pages of 112 x 84 pixels.
        fonts: Fonts that they are drawn with.

    Returns:
        `characters` and `words`, shares that are right of all characters, and of all words of two
        characters or more, 0 to 1; `characters_near`, the share that is named in its cell or in
        one beside it; `n_characters` and `n_words`, their counts.
    """
    _, held_out = word_lists()
    right = near = total = words_right = words_total = 0
    cells = Cells(*_PAGE_PX, config)
    for first in range(0, pages, 32):
        numbers = range(first, min(first + 32, pages))
        drawn = [draw_page(EVALUATION_SEED, n, _PAGE_PX, held_out, fonts) for n in numbers]
        batch = page_batch(drawn, config)
        with torch.inference_mode():
            named = head(tower(batch.patches, batch.grid_thw)).argmax(-1)
        good = (named == batch.labels).flatten()
        is_character = (batch.labels > 0).flatten()
        right += int(good[is_character].sum())
        near += int(_named_near(cells.rowwise(named), cells.rowwise(batch.labels)).sum())
        total += int(is_character.sum())
        longer = [span for span in batch.spans if len(span) > 1]
        words_right += sum(bool(good[span].all()) for span in longer)
        words_total += len(longer)
    return {
        "characters": round(right / total, 4), "characters_near": round(near / total, 4),
        "words": round(words_right / words_total, 4), "n_characters": total, "n_words": words_total,
    }  # fmt: skip


def _named_near(named: Tensor, labels: Tensor) -> Tensor:
    """Tell which cells' characters are named there or in a cell beside: bool (N, down, across)."""
    padded = F.pad(named, (1, 1, 1, 1))
    down, across = labels.shape[1:]
    found = torch.zeros_like(labels, dtype=torch.bool)
    for y, x in ((1, 1), (1, 0), (1, 2), (0, 1), (2, 1)):
        found |= padded[:, y : y + down, x : x + across] == labels
    return found & (labels > 0)
