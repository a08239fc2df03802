"""The training loop: documents in, a checkpoint out, stages counted in tokens.

A warm-up, a constant rate, and a decay whenever a checkpoint is to be measured, in a branch of its
own if the run is to go on. Step k is a function of the plan, the source and k, and the state on
disk holds all else: a run that was interrupted goes on bit by bit.
"""

import itertools
import json
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from eyehand.errors import UsageError
from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.training.batching import Batch, Encoded, Encoder, collate
from eyehand.model.training.characters import CharacterHead, CharacterLoss
from eyehand.model.training.optimizer import BETAS, parameter_groups, rate_share
from eyehand.model.training.positions import LookLoss, PositionLoss
from eyehand.model.training.precision import fast_dtype
from eyehand.model.training.sources import DocumentSource
from eyehand.model.training.state import read_state, write_state

Follow = Callable[[dict[str, float]], None]
"""Receives the counts so far: steps, documents, tokens, answer tokens, losses, CPU seconds."""

POOL_BATCHES = 8
"""So many batches are drawn together and sorted by length, so that little is padding."""
LOG_STEPS = 20


@dataclass(frozen=True)
class TrainingPlan:
    """What fixes a run but the documents.

    Attributes:
        tokens: The run ends when it has seen so many tokens.
        decay_tokens: In so many last tokens the learning rate falls to zero.
        warmup_tokens: In so many first tokens it rises.
        batch: Documents a step.
        branches: At most so many branches of a document, drawn anew each time.
        learning_rate: Of AdamW, at its highest.
        weight_decay: Of the matrices.
        seed: Of the order of documents, of the branches and of the weights.
        guide_weight: Weight of the auxiliary losses that teach pointing; 0 for none.
        character_weight: Weight of the loss that teaches reading; 0 for none.
        freeze_tower: Whether the vision tower stays as it is.
        save_s: Seconds between two states on disk.
    """

    tokens: int = 20_000_000
    decay_tokens: int = 0
    warmup_tokens: int = 200_000
    batch: int = 8
    branches: int = 8
    learning_rate: float = 0.001
    weight_decay: float = 0.05
    seed: int = 0
    guide_weight: float = 1.0
    character_weight: float = 1.0
    freeze_tower: bool = False
    save_s: float = 300.0

    def rate(self, tokens: int) -> float:
        """Return the share of the learning rate after so many tokens: up, level, down to zero."""
        return rate_share(tokens, self.tokens, self.warmup_tokens, self.decay_tokens)


class Pools(Dataset[list[Batch]]):
    """The batches of a run, some of them together, by number.

    Args:
        source: The documents.
        encoder: Turns documents into tensors.
        plan: Gives the batch size, the branches and the seed.
        pad_id: Fills up short rows.
        dtype: Of the patches; half of float32's bytes travel where the network reads bfloat16.
    """

    def __init__(
        self, source: DocumentSource, encoder: Encoder, plan: TrainingPlan, pad_id: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:  # fmt: skip
        self._source, self._encoder, self._plan, self._pad_id = source, encoder, plan, pad_id
        self._dtype = dtype

    def __getitem__(self, pool: int) -> list[Batch]:
        """Return the batches of the steps from `pool * POOL_BATCHES` on."""
        collated = (collate(documents, self._pad_id) for documents in self._drawn(pool))
        return [replace(batch, patches=batch.patches.to(self._dtype)) for batch in collated]

    def _drawn(self, pool: int) -> list[list[Encoded]]:
        size = self._plan.batch
        count = size * POOL_BATCHES
        encoded = [self._encoded(pool * count + index) for index in range(count)]
        encoded.sort(key=lambda document: (len(document.cells), len(document.ids)))
        batches = [encoded[first : first + size] for first in range(0, count, size)]
        random.Random(f"pool/{self._plan.seed}/{pool}").shuffle(batches)
        return batches

    def _encoded(self, number: int) -> Encoded:
        document = self._source.document(number)
        if len(document.branches) > self._plan.branches:
            draw = random.Random(f"branches/{self._plan.seed}/{number}")
            document.branches = draw.sample(document.branches, self._plan.branches)
        return self._encoder.encode(document)


def batches(pools: Pools, step: int, workers: int) -> Iterator[Batch]:
    """Yield the batches of a run from a step on, for ever.

    Args:
        pools: Where they come from.
        step: The first one's step, from 0.
        workers: Processes that make them ahead; 0 makes them here. The batches are the same.
    """
    first, passed_over = divmod(step, POOL_BATCHES)
    loader = DataLoader(
        pools, batch_size=None, sampler=_NumbersFrom(first), num_workers=workers,
        prefetch_factor=2 if workers else None,
    )  # fmt: skip
    for pool in loader:
        yield from pool[passed_over:]
        passed_over = 0


class _NumbersFrom(Sampler[int]):
    def __init__(self, first: int) -> None:
        self._first = first

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self._first)


class TrainingRun:
    """A network in training, from its first step to its last.

    Args:
        model: Trained in place.
        tokenizer: Its tokenizer.
        source: The documents.
        folder: Where state and log lie; a state that is there is gone on with.
        plan: How.
        settings: How the model sees a screen.
        head: The character head to begin with; a new one where there is none.
        workers: Processes that make batches ahead; 0 makes them in this one.

    Raises:
        UsageError: the folder's state belongs to another plan.
    """

    def __init__(
        self, model: Qwen2VLNetwork, tokenizer: Tokenizer, source: DocumentSource, folder: Path,
        plan: TrainingPlan, settings: ImageSettings, head: CharacterHead | None = None,
        workers: int = 0,
    ) -> None:  # fmt: skip
        torch.manual_seed(plan.seed)
        self.model, self.plan, self.folder, self._workers = model, plan, folder, workers
        self._dtype = fast_dtype(model.device)
        encoder = Encoder(tokenizer, model.config, settings)
        self._pools = Pools(source, encoder, plan, tokenizer.pad_id, self._dtype)
        model.visual.requires_grad_(not plan.freeze_tower)
        self._positions, self._looks = PositionLoss(model), LookLoss(model)
        self._characters = CharacterLoss(model, head)
        for module in self._heads().values():
            module.to(model.device)
        self.optimizer = self._make_optimizer()
        self._counts: dict[str, float] = dict.fromkeys(
            ("steps", "documents", "tokens", "answer_tokens", "cpu_s"), 0
        )
        self._losses: dict[str, float] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._restore()

    @property
    def head(self) -> CharacterHead:
        """The head that names characters; it is no part of a checkpoint."""
        return self._characters.head

    def train(self, follow: Follow = lambda now: None) -> dict[str, float]:
        """Go on to the plan's last token, and write the state.

        Args:
            follow: Called with the counts so far whenever a line is logged.

        Returns:
            Steps, documents, tokens, answer tokens, the mean losses and the CPU seconds.
        """
        saved = time.monotonic()
        self.model.train()
        ahead = batches(self._pools, int(self._counts["steps"]), self._workers)
        while self._counts["tokens"] < self.plan.tokens:
            self._step(ahead)
            if self._counts["steps"] % LOG_STEPS == 0:
                self._log(follow)
            if time.monotonic() - saved > self.plan.save_s:
                write_state(self.folder, self._state())
                saved = time.monotonic()
        self.model.eval()
        write_state(self.folder, self._state())
        self._log(follow)
        return self.summary()

    def close(self) -> None:
        """Take the losses' hooks off the model."""
        for loss in (self._positions, self._looks, self._characters):
            loss.close()

    def summary(self) -> dict[str, float]:
        """Return the counts and the mean losses so far."""
        losses = {name: round(value, 4) for name, value in self._losses.items()}
        return {**self._counts, "cpu_s": round(self._counts["cpu_s"]), **losses}

    def _step(self, ahead: Iterator[Batch]) -> None:
        begun = time.process_time()
        batch = next(ahead).to(self.model.device)
        share = self.plan.rate(int(self._counts["tokens"]))
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.learning_rate * share
        losses = self._forward(batch)
        self._weighted(losses).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._count(batch, losses, time.process_time() - begun)

    def _forward(self, batch: Batch) -> dict[str, Tensor]:
        with torch.autocast(
            self.model.device.type, self._dtype, enabled=self._dtype != torch.float32
        ):
            loss = self.model.loss(
                batch.ids, batch.targets, patches=batch.patches, grid_thw=batch.grid_thw,
                position_ids=batch.positions, attention_mask=batch.mask,
            )  # fmt: skip
            return {
                "loss": loss,
                "position_loss": self._positions(batch.ids, batch.positions),
                "look_loss": self._looks(batch.looks),
                "character_loss": self._characters(batch.cells),
            }

    def _weighted(self, losses: Mapping[str, Tensor]) -> Tensor:
        guides = losses["position_loss"] + losses["look_loss"]
        characters = losses["character_loss"] if not self.plan.freeze_tower else 0.0
        return (
            losses["loss"]
            + self.plan.guide_weight * guides
            + self.plan.character_weight * characters
        )

    def _count(self, batch: Batch, losses: Mapping[str, Tensor], cpu_s: float) -> None:
        added = {
            "steps": 1, "documents": len(batch.ids), "tokens": batch.tokens,
            "answer_tokens": int((batch.targets >= 0).sum()), "cpu_s": cpu_s,
        }  # fmt: skip
        for name, value in added.items():
            self._counts[name] += value
        for name, loss in losses.items():
            now = float(loss.detach())
            old = self._losses.get(name, math.nan)
            self._losses[name] = now if math.isnan(old) else 0.98 * old + 0.02 * now

    def _log(self, follow: Follow) -> None:
        line = {**self.summary(), "rate": round(self.plan.rate(int(self._counts["tokens"])), 4)}
        with (self.folder / "training_log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        follow(line)

    def _heads(self) -> dict[str, nn.Module]:
        return {"positions": self._positions.head, "characters": self._characters.head}

    def _parameters(self) -> Iterator[nn.Parameter]:
        for module in (self.model, *self._heads().values()):
            yield from (p for p in module.parameters() if p.requires_grad)

    def _make_optimizer(self) -> torch.optim.Optimizer:
        groups = parameter_groups(self.model, self._heads().values(), self.plan.weight_decay)
        return torch.optim.AdamW(
            groups,
            lr=self.plan.learning_rate,
            betas=BETAS,
            fused=self.model.device.type != "cpu",
        )

    def _state(self) -> dict[str, Any]:
        return {
            "plan": asdict(self.plan), "counts": self._counts, "losses": self._losses,
            "dtype": str(self._dtype), "model": self.model.state_dict(),
            "heads": {name: head.state_dict() for name, head in self._heads().items()},
            "optimizer": self.optimizer.state_dict(),
        }  # fmt: skip

    def _restore(self) -> None:
        state = read_state(self.folder)
        if state is None:
            return
        for name in ("seed", "batch", "branches", "freeze_tower"):
            now, before = getattr(self.plan, name), state["plan"][name]
            if now != before:
                raise UsageError(
                    f"{self.folder} was begun with {name} {before}, not {now}: "
                    "name another folder, or the same plan"
                )
        self.model.load_state_dict(state["model"])
        for name, head in self._heads().items():
            head.load_state_dict(state["heads"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self._counts, self._losses = state["counts"], state["losses"]
        self._dtype = getattr(torch, state["dtype"].removeprefix("torch."))
