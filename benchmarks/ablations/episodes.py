"""The shipped checkpoint, tuned on recorded episodes that are told in one way or another."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.ablations.history import bounded
from benchmarks.ablations.timed import UNBOUNDED_TOKENS, Budget, Row, TimedRun
from benchmarks.playing import FAULT, played
from eyehand.actions.codecs import make_codec
from eyehand.agent.cli.arguments import say
from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.agent.policies.models.checkpoint_files import (
    EMBEDDED_CHECKPOINT,
    EMBEDDED_HABITS,
    Habits,
    write_habits,
)
from eyehand.agent.training.embedded import trainable
from eyehand.agent.training.recorded_episodes import EpisodeDocuments, find_episodes
from eyehand.agent.training.tuning import SMALL_RATE
from eyehand.agent.trajectory.reader import Trajectory
from eyehand.envs import make
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.training.batching import Batch, Encoder, collate
from eyehand.model.training.documents import Document
from eyehand.model.training.embedded import SETTINGS
from eyehand.model.training.gates import answer_loss
from eyehand.model.training.trainer import TrainingPlan
from eyehand.model.weights import load_checkpoint, save_checkpoint
from eyehand.prompts.conversation import Layout

FIRST_SEED = 1_000_000
MOST_STEPS = 8
MOST_TOKENS = 96
"""A thought and a call have about 60; a longer answer runs away."""
HELD_OUT_EVERY = 8
"""One recorded episode of so many is not learned from."""
MOST_HELD_OUT = 24
"""Documents on which the loss is measured."""
_BATCH, _BATCH_OF_EPISODES = 4, 2
_CALL = "✿FUNCTION✿"


@dataclass(frozen=True)
class Played:
    """What a row of episodes is trained on and measured with.

    Attributes:
        recorded: Folder of an expert's recorded episodes.
        episodes: So many are played of each task.
    """

    recorded: Path
    episodes: int


class BoundedRun(TimedRun):
    """A run on whole episodes in which old screens are out of sight.

    Attributes:
        screens: So many of the newest stay; None is all. Set it before `train`.
    """

    screens: int | None = None

    def _forward(self, batch: Batch) -> dict[str, Tensor]:
        return super()._forward(_seen(batch, self.model.config, self.screens))


@dataclass(frozen=True)
class Episodes:
    """What is told of an episode, and what the policy is shown.

    Attributes:
        thought: Whether the expert's thoughts are learned.
        history: "newest" shows the newest screen and tells the last three calls, as the shipped
            checkpoint is asked; else `--history` of the runtime: "window:N" or "full".
    """

    thought: bool = False
    history: str = "newest"

    @property
    def habits(self) -> Habits:
        """How a model of this row is asked."""
        return EMBEDDED_HABITS if self.history == "newest" else Habits(brief=True)

    @property
    def screens(self) -> int | None:
        """So many screens are seen at once; None is all."""
        kind, _, count = self.history.partition(":")
        return int(count) if kind == "window" else None

    def run(self, budget: Budget, seed: int, folder: Path, played: Played) -> Row:
        """Train in turns, and measure.

        Args:
            budget: Of the training.
            seed: Of the order of documents.
            folder: For the run's state and its checkpoint.
            played: The episodes.
        """
        learned, held = self.documents(played.recorded, seed)
        specs = sorted({window.trajectory.episode.spec for window in learned.windows})
        tokenizer = Tokenizer.from_folder(EMBEDDED_CHECKPOINT)
        model = trainable(load_checkpoint(EMBEDDED_CHECKPOINT, dtype=torch.float32))
        plan = TrainingPlan(
            tokens=UNBOUNDED_TOKENS, learning_rate=SMALL_RATE, seed=seed, guide_weight=0,
            batch=_BATCH if self.history == "newest" else _BATCH_OF_EPISODES, freeze_tower=True,
            character_weight=0, save_s=float("inf"),
        )  # fmt: skip
        run = BoundedRun(model, tokenizer, learned, folder, plan, SETTINGS)
        run.budget, run.screens = budget, self.screens
        while run.spent_s < budget.core_s:
            run.turn()
            yield run.spent_s
        self._write(model, folder)
        loss = self._loss(model, tokenizer, held)
        return {**run.work(), "loss": loss, **self._play(folder, specs, played)}

    def documents(self, recorded: Path, seed: int) -> tuple[EpisodeDocuments, EpisodeDocuments]:
        """Return what is learned from, and what is held out: every eighth episode.

        Raises:
            UsageError: the folder holds no episode that succeeded.
        """
        found, _ = find_episodes([recorded])
        told = [one if self.thought else without_thoughts(one) for one in found]
        layout = Layout(make_codec("keyword"), brief=True)

        def documents(some: Sequence[Trajectory]) -> EpisodeDocuments:
            return EpisodeDocuments(some, layout, self.habits, MOST_STEPS, seed)

        apart = told[::HELD_OUT_EVERY]
        learned = [one for number, one in enumerate(told) if number % HELD_OUT_EVERY]
        return documents(learned), documents(apart)

    def _loss(self, model: Qwen2VLNetwork, tokenizer: Tokenizer, held: EpisodeDocuments) -> float:
        """Return the loss of calls, given the expert's thoughts where there are any."""
        encoder = Encoder(tokenizer, model.config, SETTINGS)

        def batches() -> Iterator[Batch]:
            for window in held.windows[:: -(-len(held) // MOST_HELD_OUT)]:
                batch = collate([encoder.encode(calls_alone(held.told(window)))], tokenizer.pad_id)
                yield _seen(batch, model.config, self.screens)

        return round(answer_loss(model, batches()), 4)

    def _write(self, model: Qwen2VLNetwork, folder: Path) -> None:
        """Write the row's checkpoint: the shipped folder with other weights and habits."""
        shutil.copytree(EMBEDDED_CHECKPOINT, folder, dirs_exist_ok=True)
        write_habits(folder, self.habits)
        save_checkpoint(model, folder, dtype=torch.bfloat16)

    def _play(self, folder: Path, specs: Sequence[str], played: Played) -> dict[str, Any]:
        history = None if self.history == "newest" else self.history
        policy = VlmPolicy(folder, history=history, max_new_tokens=MOST_TOKENS)
        tasks = {}
        for spec in specs:
            tasks[spec] = _rate(policy, spec, range(FIRST_SEED, FIRST_SEED + played.episodes))
            say(f"{spec}: {tasks[spec][0]} of {tasks[spec][1]}")
        return {"succeeded": [sum(column) for column in zip(*tasks.values(), strict=True)],
                "tasks": tasks}  # fmt: skip


def without_thoughts(trajectory: Trajectory) -> Trajectory:
    """Return an episode whose steps hold their actions alone."""
    steps = [step.model_copy(update={"thought": ""}) for step in trajectory.steps]
    return replace(trajectory, steps=steps)


def calls_alone(document: Document) -> Document:
    """Return a document of which thoughts are read and calls alone are to be foreseen."""
    trunk = []
    for part in document.trunk:
        thought, found, call = part.text.partition(_CALL)
        if part.learned and found and thought:
            trunk.append(replace(part, text=thought, learned=False))
            part = replace(part, text=found + call)
        trunk.append(part)
    return replace(document, trunk=trunk)


def _seen(batch: Batch, config: Qwen2VLConfig, screens: int | None) -> Batch:
    return batch if screens is None else bounded(batch, config, screens)


def _rate(policy: VlmPolicy, spec: str, seeds: range) -> list[int]:
    """Play a task; return how many episodes succeeded, and of how many that met no fault."""
    outcomes = []
    with make(spec) as environment:
        for seed in seeds:
            outcome = played(policy, environment, seed, MOST_STEPS).outcome
            if outcome != FAULT:
                outcomes.append(outcome == "succeeded")
    return [sum(outcomes), len(outcomes)]
