"""Tunes a model on recorded episodes: whole, or by adapters beside its weights.

The loss is that of the answers alone. Some episodes are held out: how well the model foresees what
was done in them is measured before and after.
"""

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from eyehand.actions.codecs import make_codec
from eyehand.agent.policies.models.checkpoint_files import Habits, read_habits
from eyehand.agent.training.demonstrations import EVALUATION_SEEDS
from eyehand.agent.training.embedded import check_device, trainable
from eyehand.agent.training.recorded_episodes import EpisodeDocuments, find_episodes
from eyehand.agent.trajectory.reader import Trajectory
from eyehand.errors import UsageError
from eyehand.model.folder import CONFIG_FILE, copy_beside, resolve
from eyehand.model.inputs.image_settings import read_image_settings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.json_object import read_object
from eyehand.model.packing import read_packing
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.training.adapters import add_adapters, save_adapters
from eyehand.model.training.batching import Encoder, collate
from eyehand.model.training.gates import answer_loss
from eyehand.model.training.replicas import Replicas
from eyehand.model.training.trainer import Follow, TrainingPlan, TrainingRun
from eyehand.model.weights import load_checkpoint, save_checkpoint
from eyehand.prompts.conversation import Layout

MOST_HELD_OUT = 200
"""Documents of held-out episodes that are measured at most."""

LORA_RATE, SMALL_RATE, LARGE_RATE = 0.0002, 0.0003, 0.00001
SMALL_MODEL = 100_000_000
"""Weights of a model that learns with `SMALL_RATE`."""

_WARM_UP_SHARE = 0.05
_DECAY_SHARE = 0.5


@dataclass(frozen=True)
class TuningPlan:
    """What fixes a run but the episodes.

    Attributes:
        rounds: How often every document is seen.
        learning_rate: Of AdamW, at its highest; it falls to zero in the second half. None is
            `LORA_RATE` for adapters, else `SMALL_RATE` or `LARGE_RATE` by the model's size.
        batch: Documents a step, over all processes.
        lora: Rank of the adapters; 0 trains the weights themselves.
        train_tower: Whether the vision tower learns too; without adapters only.
        screens: Steps that a document shows at most, where the model is shown several screens.
        held_out: Share of the episodes that are not learned from, 0 to 1.
        seed: Of the order, of which episodes are held out, and of the adapters.
        dtype: Of weights that stay as they are, where adapters are trained.
        save_s: Seconds between two states on disk.
    """

    rounds: int = 3
    learning_rate: float | None = None
    batch: int = 8
    lora: int = 0
    train_tower: bool = False
    screens: int = 4
    held_out: float = 0.1
    seed: int = 0
    dtype: torch.dtype = torch.float32
    save_s: float = 300.0


def tune(
    data: Sequence[Path],
    out: Path,
    model: str | Path,
    plan: TuningPlan,
    outcomes: Collection[str] = ("succeeded",),
    codec: str = "keyword",
    device: str = "cpu",
    follow: Follow = lambda now: None,
    begin: Callable[[str, int], None] = lambda line, tokens: None,
) -> dict[str, Any]:
    """Tune a model, and write its folder, or that of its adapters.

    A folder that holds the state of an interrupted run goes on with it, bit by bit.

    Args:
        data: Folders of recorded episodes.
        out: The checkpoint's folder, or the adapters'; the run's state and log lie there too.
        model: The checkpoint to begin with, a folder or a Hub id.
        plan: How.
        outcomes: How an episode ended that is learned from; empty for any way.
        codec: The dialect that the model is asked in, "keyword" or "tool_call".
        device: "cpu", "cuda", ... Under PyTorch's launcher each process has a GPU of its own.
        follow: Called every few steps with the counts so far.
        begin: Called once with what was found, in a line, and the tokens of the whole run.

    Returns:
        Counts: episodes, documents, those held out, their loss before and after, the run's own.

    Raises:
        UsageError: there is nothing to learn from, no such device, or the state is another run's.
        CheckpointError: the model cannot be used.
    """
    device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if device == "cuda" else device
    check_device(device)
    episodes, left_out = find_episodes(data, outcomes)
    folder = resolve(model)
    source, held = _documents(episodes, read_habits(folder), codec, plan)
    tokenizer = Tokenizer.from_folder(folder)
    replicas = Replicas.launched(torch.device(device))
    network = _network(folder, plan, device)
    settings = read_image_settings(folder, network.config.vision)
    encoder = Encoder(tokenizer, network.config, settings)
    tokens = _tokens(source, encoder, network.config)
    total = plan.rounds * tokens
    if not replicas.rank:
        begin(_found(episodes, left_out, len(source), tokens), total)
    before = _loss(network, held, encoder, tokenizer.pad_id)
    own = _training_plan(network, plan, total)
    run = TrainingRun(network, tokenizer, source, out, own, settings, replicas=replicas)
    summary: dict[str, Any] = dict(run.train(follow))
    after = _loss(network, held, encoder, tokenizer.pad_id)
    if not replicas.rank:
        _save(network, folder, out, str(model), plan)
    replicas.close()
    summary |= {"episodes": len(episodes), "left_out": dict(left_out)}
    return summary | {"held_out_loss_before": before, "held_out_loss": after}


def _network(folder: Path, plan: TuningPlan, device: str) -> Qwen2VLNetwork:
    if plan.lora and plan.train_tower:
        raise UsageError("adapters leave the vision tower as it is: --lora or --train-tower")
    if read_packing(read_object(folder / CONFIG_FILE)):
        raise UsageError(f"the weights of {folder} are packed in few bits: tune the plain model")
    dtype = plan.dtype if plan.lora else torch.float32
    network = trainable(load_checkpoint(folder, dtype=dtype, device=device))
    if plan.lora:
        torch.manual_seed(plan.seed)
        add_adapters(network, plan.lora)
    return network


def _training_plan(network: Qwen2VLNetwork, plan: TuningPlan, tokens: int) -> TrainingPlan:
    """Return how the trainer runs: on the answers alone, without losses that teach seeing."""
    return TrainingPlan(
        tokens=tokens, warmup_tokens=int(tokens * _WARM_UP_SHARE),
        decay_tokens=int(tokens * _DECAY_SHARE), batch=plan.batch,
        learning_rate=plan.learning_rate or _rate(network, plan), seed=plan.seed,
        guide_weight=0, character_weight=0,
        freeze_tower=not plan.train_tower, adapted=plan.lora > 0, save_s=plan.save_s,
    )  # fmt: skip


def _rate(network: Qwen2VLNetwork, plan: TuningPlan) -> float:
    if plan.lora:
        return LORA_RATE
    small = sum(parameter.numel() for parameter in network.parameters()) < SMALL_MODEL
    return SMALL_RATE if small else LARGE_RATE


def _documents(
    episodes: Sequence[Trajectory], habits: Habits, codec: str, plan: TuningPlan
) -> tuple[EpisodeDocuments, EpisodeDocuments | None]:
    """Return what is learned from, and what is held out."""
    layout = Layout(make_codec(codec), brief=habits.brief)
    order = torch.randperm(len(episodes), generator=torch.Generator().manual_seed(plan.seed))
    count = min(int(plan.held_out * len(episodes)), len(episodes) - 1)
    apart = {int(place) for place in order[:count]}
    learned = [episode for place, episode in enumerate(episodes) if place not in apart]
    held = [episode for place, episode in enumerate(episodes) if place in apart]

    def told(some: Sequence[Trajectory]) -> EpisodeDocuments:
        return EpisodeDocuments(some, layout, habits, plan.screens, plan.seed)

    return told(learned), told(held) if held else None


def _tokens(source: EpisodeDocuments, encoder: Encoder, config: Qwen2VLConfig) -> int:
    """Return the tokens of all documents; a broken picture or one that is too long ends here."""
    total, most = 0, config.text.max_position_embeddings
    for window in source.windows:
        encoded = encoder.encode(source.told(window))
        total += len(encoded.ids)
        needed = int(encoded.positions.max()) + 1
        if needed > most:
            raise UsageError(
                f"steps {window.first} to {window.stop - 1} of {window.trajectory.folder} need "
                f"{needed} positions, and the model has {most}: lower --screens"
            )
    return total


def _found(
    episodes: Sequence[Trajectory], left_out: Counter[str], documents: int, tokens: int
) -> str:
    said = [f"{len(episodes)} episodes, {documents} documents of {tokens:,} tokens"]
    if left_out:
        others = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        said.append(f"left out: {others}")
    if kept := sum(episode.episode.seed in EVALUATION_SEEDS for episode in episodes):
        said.append(f"{kept} of evaluation seeds: measure on others afterwards")
    return "; ".join(said)


def _loss(
    model: Qwen2VLNetwork, held: EpisodeDocuments | None, encoder: Encoder, pad_id: int
) -> float | None:
    """Return the mean loss of an answer's token over held-out documents; None without any."""
    if held is None:
        return None
    documents = map(held.told, held.windows[:MOST_HELD_OUT])
    batches = (collate([encoder.encode(document)], pad_id) for document in documents)
    return round(answer_loss(model, batches), 4)


def _save(network: Qwen2VLNetwork, base: Path, out: Path, name: str, plan: TuningPlan) -> None:
    """Write the adapters, or the whole folder with what lies beside the weights."""
    if plan.lora:
        save_adapters(network, out, plan.lora, name)
        return
    copy_beside(base, out)
    save_checkpoint(network.eval().to("cpu"), out, dtype=torch.bfloat16)
