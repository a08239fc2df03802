"""The training loop: documents in, a checkpoint out, a log line every few steps."""

import json
import math
import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from eyehand.errors import UsageError
from eyehand.model.image_settings import ImageSettings
from eyehand.model.qwen2vl import Qwen2VL
from eyehand.model.tokenizer import Tokenizer
from eyehand.model.training.batching import Batch, Encoded, Encoder, collate
from eyehand.model.training.documents import Document, read_shard, shards
from eyehand.model.training.positions import LookLoss, PositionLoss
from eyehand.model.weights import save_checkpoint

Follow = Callable[[dict[str, float]], None]
"""Receives the counts so far: steps, documents, answer tokens, loss, minutes."""

MIXED_SHARDS = 8
"""Shards that are shuffled together; 8 of 400 screens each take about half a gigabyte."""


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that fixes a run but the data.

    Attributes:
        minutes: Wall time; the learning rate follows it to zero.
        batch: Documents a step.
        branches: At most so many branches of a document, drawn anew each time.
        learning_rate: Of AdamW, at its highest.
        weight_decay: Of the matrices.
        warmup: Share of the time in which the rate rises.
        decay: Share of the time in which it falls to zero at the end.
        seed: Of the order of documents, of the branches and of the weights.
        save_minutes: A checkpoint is written this often.
        guide_weight: Weight of the auxiliary losses that teach pointing; 0 for none.
        steps: At most so many steps; the learning rate then follows whichever limit is nearer.
    """

    minutes: float = 60.0
    batch: int = 8
    branches: int = 5
    learning_rate: float = 0.001
    weight_decay: float = 0.05
    warmup: float = 0.02
    decay: float = 0.5
    seed: int = 0
    save_minutes: float = 10.0
    guide_weight: float = 0.0
    steps: int | None = None


def document_stream(
    folder: Path, generator: random.Random, only: Collection[str] = ()
) -> Iterator[Document]:
    """Yield documents for ever, shards in random order, `MIXED_SHARDS` of them mixed at a time.

    Shards that appear while training runs are read in the next round.

    Args:
        folder: The shards.
        generator: Source of the order.
        only: Sources to take documents from; all where it is empty.

    Raises:
        UsageError: the folder holds no shard, or none of the sources.
    """
    while True:
        paths = shards(folder)
        if not paths:
            raise UsageError(f"no shards in {folder}; make some: eyehand train collect")
        generator.shuffle(paths)
        found = False
        for first in range(0, len(paths), MIXED_SHARDS):
            read = (d for path in paths[first : first + MIXED_SHARDS] for d in read_shard(path))
            documents = [d for d in read if not only or d.source in only]
            generator.shuffle(documents)
            found = found or bool(documents)
            yield from documents
        if not found:
            raise UsageError(f"{folder} holds no document of {', '.join(sorted(only))}")


def mixed(
    first: Iterator[Document], second: Iterator[Document], share: float, seed: int
) -> Iterator[Document]:
    """Yield documents of two endless streams; `share` of them, 0 to 1, from the second."""
    generator = random.Random(seed)
    while True:
        yield next(second if generator.random() < share else first)


def batches(
    documents: Iterator[Document],
    encoder: Encoder,
    plan: TrainingPlan,
    pad_id: int,
    pool: int = 8,
) -> Iterator[Batch]:
    """Yield batches of documents of similar length.

    Args:
        documents: The documents, without end.
        encoder: Turns documents into tensors.
        plan: Gives the batch size, the branches and the seed.
        pad_id: Fills up short rows.
        pool: So many batches are sorted by length together.
    """
    generator = random.Random(plan.seed)
    while True:
        drawn: list[Encoded] = []
        for _ in range(plan.batch * pool):
            document = next(documents)
            if len(document.branches) > plan.branches:
                document.branches = generator.sample(document.branches, plan.branches)
            drawn.append(encoder.encode(document))
        drawn.sort(key=lambda encoded: len(encoded.ids))
        starts = list(range(0, len(drawn), plan.batch))
        generator.shuffle(starts)
        for start in starts:
            yield collate(drawn[start : start + plan.batch], pad_id)


def make_optimizer(
    model: Qwen2VL, plan: TrainingPlan, further: Iterable[nn.Parameter] = ()
) -> torch.optim.Optimizer:
    """Return AdamW; only matrices decay, embeddings, norms and biases do not.

    Args:
        model: Its parameters are optimised.
        plan: Gives the learning rate and the decay.
        further: Parameters outside the model, without decay.
    """
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = list(further)
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim > 1 and not name.endswith("embed_tokens.weight")
        (decayed if is_matrix else free).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": plan.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=plan.learning_rate, betas=(0.9, 0.95))


def rate(progress: float, plan: TrainingPlan) -> float:
    """Return the share of the learning rate at `progress`, 0 to 1: up, level, down to zero."""
    if progress < plan.warmup:
        return max(0.01, progress / plan.warmup)
    left = (1.0 - progress) / plan.decay
    return max(0.0, min(1.0, left))


def train(
    model: Qwen2VL,
    tokenizer: Tokenizer,
    documents: Iterator[Document],
    out: Path,
    plan: TrainingPlan,
    settings: ImageSettings,
    follow: Follow = lambda now: None,
) -> dict[str, float]:
    """Train a model in place and write checkpoints to `out`.

    Args:
        model: Trained in place.
        tokenizer: Its tokenizer.
        documents: The documents, without end.
        out: The folder of checkpoint and log (`training_log.jsonl`).
        plan: How.
        settings: How the model sees a screen.
        follow: Called with the counts so far whenever a line is logged.

    Returns:
        Steps, documents, answer tokens, the last mean loss and the minutes it took.
    """
    torch.manual_seed(plan.seed)
    encoder = Encoder(tokenizer, model.config, settings)
    guides = (PositionLoss(model), LookLoss(model)) if plan.guide_weight else None
    optimizer = make_optimizer(model, plan, guides[0].head.parameters() if guides else ())
    run = _Run(out, plan, follow)
    model.train()
    for batch in batches(documents, encoder, plan, tokenizer.pad_id):
        progress = run.progress()
        if progress >= 1.0:
            break
        share = rate(progress, plan)
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * share
        loss = model.loss(
            batch.ids,
            batch.targets,
            patches=batch.patches,
            grid_thw=batch.grid_thw,
            position_ids=batch.positions,
            attention_mask=batch.mask,
        )
        total = loss
        if guides is not None:
            position, look = guides[0](batch.ids, batch.positions), guides[1](batch.looks)
            run.guided = {"position_loss": position.item(), "look_loss": look.item()}
            total = loss + plan.guide_weight * (position + look)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        run.count(batch, float(loss.detach()), share)
        if run.save_is_due():
            save_checkpoint(model, out, dtype=torch.bfloat16)
    for guide in guides or ():
        guide.close()
    model.eval()
    save_checkpoint(model, out, dtype=torch.bfloat16)
    return run.finish()


class _Run:
    """Counts, logs and times one run."""

    def __init__(self, out: Path, plan: TrainingPlan, follow: Follow) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._plan = plan
        self._follow = follow
        self._log = out / "training_log.jsonl"
        self._write({"plan": asdict(plan)})
        self._start = self._saved = time.monotonic()
        self._steps = self._documents = self._answers = 0
        self._mean = math.nan
        self.guided: dict[str, float] = {}

    def progress(self) -> float:
        """Return how much of the nearer limit is used up; 1 is the end."""
        timed = (time.monotonic() - self._start) / (self._plan.minutes * 60)
        return timed if self._plan.steps is None else max(timed, self._steps / self._plan.steps)

    def count(self, batch: Batch, loss: float, share: float) -> None:
        self._steps += 1
        self._documents += len(batch.ids)
        self._answers += int((batch.targets >= 0).sum())
        self._mean = loss if math.isnan(self._mean) else 0.98 * self._mean + 0.02 * loss
        if self._steps % 20 == 0:
            self._write({**self.summary(), "rate": round(share, 4)})
            self._follow(self.summary())

    def save_is_due(self) -> bool:
        now = time.monotonic()
        if now - self._saved < self._plan.save_minutes * 60:
            return False
        self._saved = now
        return True

    def finish(self) -> dict[str, float]:
        self._write(self.summary())
        return self.summary()

    def summary(self) -> dict[str, float]:
        return {
            "steps": self._steps,
            "documents": self._documents,
            "answer_tokens": self._answers,
            "loss": round(self._mean, 4),
            **{name: round(value, 4) for name, value in self.guided.items()},
            "minutes": round((time.monotonic() - self._start) / 60, 2),
        }

    def _write(self, line: Mapping[str, object]) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
