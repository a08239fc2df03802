"""Trains the embedded model with its documents in the device's memory, in two stages.

First the vision tower alone learns to read pages and screens; then everything is learned at once
from demonstrations, drawn screens, pages and texts. Steps count, not time; which documents have
come when a step draws its own depends on the machine, so a run is repeated in kind.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_HABITS, write_habits
from eyehand.agent.training.demonstrations import TRAINING_SEEDS
from eyehand.agent.training.embedded import begin, check_data, check_device
from eyehand.agent.training.feeding import Feeder, SourcedPool
from eyehand.agent.training.packers import Packer
from eyehand.agent.training.provision import Provision, provide
from eyehand.errors import UsageError
from eyehand.model.inputs.image_settings import write_image_settings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.training.batching import Encoder
from eyehand.model.training.embedded import SETTINGS
from eyehand.model.training.optimizer import rate_share
from eyehand.model.training.packing import Pool, Size
from eyehand.model.training.pages import check_drawing
from eyehand.model.training.recorded import CompiledBlocks, RecordedSteps
from eyehand.model.training.resident import Learner
from eyehand.model.training.trainer import Follow
from eyehand.model.weights import save_checkpoint

HEADS_FILE = "heads.pt"
"""The heads that are used in training only, for a run that goes on from the checkpoint."""

_TEXT_SHARE = 0.12
_PAGE_SHARE = 0.08
_SCREENS_SHARE = 1 - _TEXT_SHARE - _PAGE_SHARE
_USUAL_PATCHES = 1280
_LOG_S = 5.0


@dataclass(frozen=True)
class ResidentPlan:
    """What fixes a run but the documents.

    Attributes:
        steps: Of the second stage.
        reading_steps: Of the first stage, in which the tower alone is trained; 0 for none.
        batch: MiniWoB screens a step; of larger screens fewer, of pages more.
        learning_rate: Of AdamW, at its highest.
        drawn: Share of drawn screens among the screens at the beginning, 0 to 1; it falls to half.
        seed: Of weights and documents, 0 to 999,999.
        workers: Processes that make documents ready.
        weights: How much a source of demonstrations is shown beside the others; 1 where it is not
            named.
        other_words: Share of the demonstrations' instructions that are said otherwise, 0 to 1.
    """

    steps: int = 20_000
    reading_steps: int = 4_000
    batch: int = 32
    learning_rate: float = 0.0012
    drawn: float = 0.5
    seed: int = 0
    workers: int = max(1, (os.cpu_count() or 2) - 1)
    weights: Mapping[str, float] = field(default_factory=dict)
    other_words: float = 0.0

    def batch_of(self, size: Size, reading: bool = False) -> int:
        """Return how many documents of a size a step takes."""
        if not size.tokens:
            return self.batch * (8 if reading else 4)
        if not size.patches:
            return self.batch
        fitting = self.batch * _USUAL_PATCHES // size.patches
        return max(1, self.batch // 4, min(self.batch, fitting))


def train_resident(
    data: Path | None,
    out: Path,
    plan: ResidentPlan,
    initial: Path | None = None,
    device: str = "cuda",
    follow: Follow = lambda now: None,
) -> dict[str, float]:
    """Train a network and write its checkpoint folder.

    Args:
        data: Folder of the shards; None for drawn documents alone.
        out: The checkpoint's folder; made when it is missing.
        plan: How.
        initial: A checkpoint folder to go on from; None for a new network.
        device: Where the network is trained. Only on CUDA are steps recorded.
        follow: Called every few seconds with the steps so far and the mean losses.

    Returns:
        The counts at the end: steps, documents, the mean losses and the seconds.

    Raises:
        UsageError: there are no shards, no such device, or no fonts to draw with.
        CheckpointError: the initial checkpoint cannot be used.
        KeyboardInterrupt: the run was stopped; the checkpoint so far is written.
    """
    _check(data, plan, device)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer, model = begin(data, out, plan.seed, initial)
    learner = Learner(model.to(device), SETTINGS)
    if initial is not None:
        _give_heads(learner, initial / HEADS_FILE)
    encoder = Encoder(tokenizer, model.config, SETTINGS)
    needed = provide(
        data, plan.seed, plan.weights, encoder, model.config, model.device, _made(plan),
        plan.other_words,
    )  # fmt: skip
    run = _Run(learner, plan, needed, out, follow)
    packers = [
        Packer(needed.packing, encoder, SETTINGS, model.config, index, plan.workers)
        for index in range(plan.workers)
    ]
    try:
        with Feeder(packers) as feeder:
            run.train(feeder)
    finally:
        learner.close()
        if run.steps:  # whatever ended the run, what it has learned is kept
            _save(out, tokenizer, learner, model)
    return run.summary()


def _check(data: Path | None, plan: ResidentPlan, device: str) -> None:
    """Refuse what could fail later, before anything slow is begun."""
    if plan.seed not in TRAINING_SEEDS:
        raise UsageError(f"seed {plan.seed} is outside the training seeds 0 to 999,999")
    check_data(data, plan.drawn)
    check_device(device)
    check_drawing()


def _made(plan: ResidentPlan) -> dict[str, int]:
    """Return how many pages, texts and drawn screens could be shown in all of a run's steps."""
    return {
        "pages": plan.batch * (8 * plan.reading_steps + plan.steps),
        "texts": plan.batch * plan.steps,
        "drawn": plan.batch * (plan.reading_steps + plan.steps) if plan.drawn else 0,
    }


class _Run:
    """The two stages of a run over pools that fill up meanwhile."""

    def __init__(
        self, learner: Learner, plan: ResidentPlan, needed: Provision, out: Path, follow: Follow
    ) -> None:
        self._learner, self._plan, self._out, self._follow = learner, plan, out, follow
        self._packing, self._lock = needed.packing, threading.Lock()
        model = learner.model
        self._pools = {
            size: SourcedPool(Pool(size, capacity, model.device, model.config))
            for size, capacity in needed.capacities.items()
        }
        self._drawn_size = self._packing.screens.get(needed.drawn_grid)
        self._compiled = CompiledBlocks(model) if model.device.type == "cuda" else None
        self._generator = np.random.default_rng(plan.seed)
        self._began_s = self._logged_s = time.monotonic()
        self.steps = self._documents = 0
        self._losses: dict[str, float] = {}

    def train(self, feeder: Feeder) -> None:
        """Take all steps."""
        self._learner.model.train()
        feeder.fill(self._pools, self._lock)
        if self._plan.reading_steps:
            page = self._pools[self._packing.page].pool
            feeder.wait_for(lambda: page.count > 0)
            self._stage(self._read(), self._plan.reading_steps, feeder, tower_only=True)
        feeder.wait_for_demonstrations()
        self._stage(self._mixed(), self._plan.steps, feeder, tower_only=False)

    def summary(self) -> dict[str, float]:
        """Return the counts and the mean losses so far."""
        seconds = round(time.monotonic() - self._began_s)
        return {"steps": self.steps, "documents": self._documents, **self._losses, "s": seconds}

    def _stage(
        self, batches: "Iterator[_Batch]", steps: int, feeder: Feeder, tower_only: bool
    ) -> None:
        learner, plan = self._learner, self._plan
        trained = learner.model.visual if tower_only else learner.model
        heads = [learner.characters] if tower_only else list(learner.heads.values())
        losses = learner.read if tower_only else learner.losses
        recorded = RecordedSteps(
            losses, trained, heads, learner.model.device, compiled=self._compiled, lock=self._lock
        )
        rising, falling = min(300, 1 + steps // 10), 1 + steps // 2
        for step in range(steps):
            size, places = next(batches)
            pool = self._pools[size].pool
            recorded.record(pool, len(places), compiled=size in self._often())
            share = rate_share(step, steps, rising, falling)
            recorded.step(pool, places, plan.learning_rate * share)
            self._count(len(places), recorded.means, feeder)
        self._losses = recorded.means()
        self._log()
        recorded.close()

    def _read(self) -> "Iterator[_Batch]":
        """Yield pages, and from a third of the stage on every third time screens."""
        page, drawn = (
            self._pools[self._packing.page],
            self._pools.get(self._drawn_size or Size(0, 0)),
        )
        for step in range(self._plan.reading_steps):
            late = step > self._plan.reading_steps // 3 and step % 3 == 0
            pool = drawn if late and drawn and drawn.pool.count else page
            size = pool.pool.size
            count = self._plan.batch_of(size, reading=True)
            yield size, pool.any_of(self._generator, count)

    def _mixed(self) -> "Iterator[_Batch]":
        """Yield documents of all kinds by their shares."""
        weights, plan = self._plan.weights, self._plan
        screens = [size for size in self._packing.screens.values() if self._pools[size].pool.count]
        shown = np.array([self._pools[size].weight(weights) for size in screens])
        rest = [
            size
            for size in (self._packing.text, self._packing.page)
            if self._pools[size].pool.count
        ]
        apart = {self._packing.text: _TEXT_SHARE, self._packing.page: _PAGE_SHARE}
        for step in range(plan.steps):
            drawn = plan.drawn * (1 - 0.5 * step / plan.steps) if shown.sum() else 1.0
            of_shown = (1 - drawn) * shown / max(shown.sum(), 1e-9)
            is_drawn = np.array([drawn * (size == self._drawn_size) for size in screens])
            shares = [*(_SCREENS_SHARE * (of_shown + is_drawn)), *(apart[size] for size in rest)]
            sizes = [*screens, *rest]
            chosen = int(self._generator.choice(len(sizes), p=np.array(shares) / sum(shares)))
            size, pool = sizes[chosen], self._pools[sizes[chosen]]
            count = plan.batch_of(size)
            if size in apart:
                yield size, pool.any_of(self._generator, count)
            else:
                within = is_drawn[chosen] / max(of_shown[chosen] + is_drawn[chosen], 1e-9)
                yield size, pool.choose(self._generator, count, weights, within)

    def _often(self) -> set[Size]:
        """Return the sizes that are worth compiling for: pages, and the most frequent screens."""
        screens = list(self._packing.screens.values())
        return {self._packing.page, *([self._drawn_size] if self._drawn_size else screens[:1])}

    def _count(self, documents: int, means: Callable[[], dict[str, float]], feeder: Feeder) -> None:
        self.steps += 1
        self._documents += documents
        now_s = time.monotonic()
        if self.steps == 1 or now_s - self._logged_s > _LOG_S:
            feeder.check()
            self._logged_s, self._losses = now_s, means()
            self._log()

    def _log(self) -> None:
        line = self.summary()
        with (self._out / "training_log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        self._follow(line)


_Batch = tuple[Size, NDArray[np.int64]]
"""A size, and the places of a step's documents in its pool."""


def _give_heads(learner: Learner, path: Path) -> None:
    if not path.is_file():
        return
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        for name, head in learner.heads.items():
            head.load_state_dict(stored[name])
    except Exception as error:  # torch raises a dozen kinds for a damaged file
        reason = str(error).partition("\n")[0]
        raise UsageError(
            f"{path} does not hold this network's heads: {reason}; take it away to begin with new "
            "ones"
        ) from error


def _save(out: Path, tokenizer: Tokenizer, learner: Learner, model: Qwen2VLNetwork) -> None:
    """Write the checkpoint's folder, and the heads beside it."""
    tokenizer.save(out)
    write_image_settings(out, SETTINGS)
    write_habits(out, EMBEDDED_HABITS)
    heads = {
        name: {key: weight.cpu() for key, weight in head.state_dict().items()}
        for name, head in learner.heads.items()
    }
    torch.save(heads, out / HEADS_FILE)
    save_checkpoint(model.eval().to("cpu"), out, dtype=torch.bfloat16)
