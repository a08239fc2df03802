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
import warnings
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
from eyehand.model.training.replicas import Replicas
from eyehand.model.training.sources import DocumentSource
from eyehand.model.training.state import read_state, write_state

Follow = Callable[[dict[str, float]], None]
"""Receives the counts so far: steps, documents, tokens, answer tokens, losses, CPU seconds."""

POOL_BATCHES = 8
"""So many batches are drawn together and sorted by length, so that little is padding."""
LOG_STEPS = 20

_ALONE = Replicas()


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
        character_weight: Weight of the loss that teaches a tower that learns to read; 0 for none.
        freeze_tower: Whether the vision tower stays as it is.
        adapted: Whether adapters are trained beside weights that stay as they are: they alone are
            the run's state.
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
    adapted: bool = False
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
        replicas: Processes that share every batch.
    """

    def __init__(
        self, source: DocumentSource, encoder: Encoder, plan: TrainingPlan, pad_id: int,
        dtype: torch.dtype = torch.float32, replicas: Replicas = _ALONE,
    ) -> None:  # fmt: skip
        self._source, self._encoder, self._plan, self._pad_id = source, encoder, plan, pad_id
        self._dtype, self._replicas = dtype, replicas

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
        return [self._replicas.part(batch) for batch in batches]

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
    with warnings.catch_warnings():
        # How many processes there are is the caller's choice, also where cores are fewer.
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        loader = DataLoader(
            pools, batch_size=None, sampler=_NumbersFrom(first), num_workers=workers,
            prefetch_factor=2 if workers else None,
            # A fork would copy what libraries of this process do not survive, such as threads.
            multiprocessing_context="forkserver" if workers else None,
        )  # fmt: skip
        made = iter(loader)
    for pool in made:
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
        replicas: Processes that train together, see `Replicas`.

    Raises:
        UsageError: the folder's state belongs to another plan, or the processes cannot share a
            batch.
    """

    def __init__(
        self, model: Qwen2VLNetwork, tokenizer: Tokenizer, source: DocumentSource, folder: Path,
        plan: TrainingPlan, settings: ImageSettings, head: CharacterHead | None = None,
        workers: int = 0, replicas: Replicas = _ALONE,
    ) -> None:  # fmt: skip
        replicas.check_batch(plan.batch)
        torch.manual_seed(plan.seed)
        self.model, self.plan, self.folder, self._workers = model, plan, folder, workers
        self._replicas = replicas
        self._dtype = self._agreed(fast_dtype(model.device))
        encoder = self._make_encoder(tokenizer, settings)
        self._pools = Pools(source, encoder, plan, tokenizer.pad_id, self._dtype, replicas)
        if plan.freeze_tower:
            model.visual.requires_grad_(False)
        self._positions = PositionLoss(model) if plan.guide_weight else None
        self._looks = LookLoss(model) if plan.guide_weight else None
        reads = plan.character_weight and not plan.freeze_tower
        self._characters = CharacterLoss(model, head) if reads else None
        for module in self._heads().values():
            module.to(model.device)
        self.optimizer = self._make_optimizer()
        self._counts: dict[str, float] = dict.fromkeys(
            ("steps", "documents", "tokens", "answer_tokens", "cpu_s"), 0
        )
        self._losses: dict[str, float] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._restore()

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
        while not self._has_ended():
            self._step(ahead)
            if self._counts["steps"] % LOG_STEPS == 0:
                self._log(follow)
            if time.monotonic() - saved > self.plan.save_s:
                self._save()
                saved = time.monotonic()
        self.model.eval()
        self._save()
        self._log(follow)
        return self.summary()

    def close(self) -> None:
        """Take the losses' hooks off the model."""
        for loss in (self._positions, self._looks, self._characters):
            if loss:
                loss.close()

    def summary(self) -> dict[str, float]:
        """Return the counts and the mean losses so far."""
        losses = {name: round(value, 4) for name, value in self._losses.items()}
        return {**self._counts, "cpu_s": round(self._counts["cpu_s"]), **losses}

    def _agreed(self, dtype: torch.dtype) -> torch.dtype:
        """Return bfloat16 where every process measured that it is fast there, else float32."""
        of_all, processes = self._replicas.total(dtype == torch.bfloat16, 1)
        return torch.bfloat16 if of_all == processes else torch.float32

    def _make_encoder(self, tokenizer: Tokenizer, settings: ImageSettings) -> Encoder:
        return Encoder(tokenizer, self.model.config, settings)

    def _has_ended(self) -> bool:
        return self._counts["tokens"] >= self.plan.tokens

    def _rate_share(self) -> float:
        return self.plan.rate(int(self._counts["tokens"]))

    def _places(self, batch: Batch) -> Tensor:
        """(3, B, L): what the second and third are ahead of the first is a row and a column."""
        return batch.positions

    def _step(self, ahead: Iterator[Batch]) -> None:
        begun = time.process_time()
        batch = next(ahead).to(self.model.device)
        share = self._rate_share()
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.learning_rate * share
        losses = self._forward(batch)
        answers = int((batch.targets >= 0).sum())
        of_all, tokens = self._replicas.total(answers, batch.tokens)
        (self._weighted(losses) * (answers / of_all)).backward()  # type: ignore[no-untyped-call]
        self._replicas.add_gradients(self._parameters())
        nn.utils.clip_grad_norm_(self._parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._count(int(tokens), int(of_all), losses, time.process_time() - begun)

    def _forward(self, batch: Batch) -> dict[str, Tensor]:
        with torch.autocast(
            self.model.device.type, self._dtype, enabled=self._dtype != torch.float32
        ):
            loss = self.model.loss(
                batch.ids, batch.targets, patches=batch.patches, grid_thw=batch.grid_thw,
                position_ids=batch.positions, attention_mask=batch.mask,
            )  # fmt: skip
            losses = {"loss": loss}
            if self._positions and self._looks:
                losses["position_loss"] = self._positions(batch.ids, self._places(batch))
                losses["look_loss"] = self._looks(batch.looks)
            if self._characters:
                losses["character_loss"] = self._characters(batch.cells)
            return losses

    def _weighted(self, losses: Mapping[str, Tensor]) -> Tensor:
        total = losses["loss"]
        if self._positions:
            guides = losses["position_loss"] + losses["look_loss"]
            total = total + self.plan.guide_weight * guides
        if self._characters:
            total = total + self.plan.character_weight * losses["character_loss"]
        return total

    def _count(
        self, tokens: int, answer_tokens: int, losses: Mapping[str, Tensor], cpu_s: float
    ) -> None:
        added = {
            "steps": 1, "documents": self.plan.batch, "tokens": tokens,
            "answer_tokens": answer_tokens, "cpu_s": cpu_s,
        }  # fmt: skip
        for name, value in added.items():
            self._counts[name] += value
        for name, loss in losses.items():
            now = float(loss.detach())
            old = self._losses.get(name, math.nan)
            self._losses[name] = now if math.isnan(old) else 0.98 * old + 0.02 * now

    def _log(self, follow: Follow) -> None:
        if self._replicas.rank:
            return
        line = {**self.summary(), "rate": round(self._rate_share(), 4)}
        with (self.folder / "training_log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        follow(line)

    def _heads(self) -> dict[str, nn.Module]:
        losses = {"positions": self._positions, "characters": self._characters}
        return {name: loss.head for name, loss in losses.items() if loss}

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

    def _save(self) -> None:
        if not self._replicas.rank:
            write_state(self.folder, self._state())

    def _weights(self) -> dict[str, Tensor]:
        """What is trained; what a run leaves as it was is no part of its state."""
        trained = {name for name, p in self.model.named_parameters() if p.requires_grad}
        everything = not self.plan.adapted
        state: dict[str, Tensor] = self.model.state_dict()
        return {name: state[name] for name in state if everything or name in trained}

    def _state(self) -> dict[str, Any]:
        return {
            "plan": asdict(self.plan), "counts": self._counts, "losses": self._losses,
            "dtype": str(self._dtype), "model": self._weights(),
            "heads": {name: head.state_dict() for name, head in self._heads().items()},
            "optimizer": self.optimizer.state_dict(),
        }  # fmt: skip

    def _restore(self) -> None:
        state = read_state(self.folder)
        if state is None:
            return
        for name in ("seed", "batch", "branches", "freeze_tower", "adapted"):
            now, before = getattr(self.plan, name), state["plan"].get(name, False)
            if now != before:
                raise UsageError(
                    f"{self.folder} was begun with {name} {before}, not {now}: "
                    "name another folder, or the same plan"
                )
        self.model.load_state_dict(state["model"], strict=not self.plan.adapted)
        for name, head in self._heads().items():
            head.load_state_dict(state["heads"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self._counts, self._losses = state["counts"], state["losses"]
        self._dtype = getattr(torch, state["dtype"].removeprefix("torch."))
