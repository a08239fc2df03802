"""Trains the embedded model: the recipe from documents to a checkpoint folder."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import torch

from eyehand.actions import ActionSpace
from eyehand.actions.web import WEB_ACTIONS
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_HABITS, write_habits
from eyehand.agent.training.texts.wordings import OtherWords
from eyehand.errors import UsageError
from eyehand.model.folder import read_config
from eyehand.model.inputs.image_settings import write_image_settings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.training.characters import CharacterHead
from eyehand.model.training.documents import shards
from eyehand.model.training.embedded import (
    SETTINGS,
    embedded_config,
    make_tokenizer,
    new_model,
)
from eyehand.model.training.screens import SIZES_PX, DrawnScreens
from eyehand.model.training.sources import DocumentSource, Mixture, ShardSource
from eyehand.model.training.tower import read_tower
from eyehand.model.training.trainer import Follow, TrainingPlan, TrainingRun
from eyehand.model.weights import load_checkpoint, save_checkpoint
from eyehand.prompts import render_system

_DRAWN_QUESTIONS = (
    'Where is ""? Where is the field ""? Where is the checkbox ""? Where is the radio button ""? '
    "What stands at [120, 340]? Where is the red blue olive lime black grey purple orange yellow "
    "cyan pink magenta green aqua box? Where is the 1st 2nd 3rd 4th 5th field checkbox? "
    'Write "" in capitals. Write "" in small letters.'
)


def prompt_texts() -> list[str]:
    """Return the system prompts over the whole web vocabulary, for the tokenizer to learn."""
    space = ActionSpace(WEB_ACTIONS)
    prompts = [render_system(space, codec, "en") for codec in ("keyword", "tool_call")]
    return [*prompts, _DRAWN_QUESTIONS]


def training_source(
    data: Path | None, seed: int, drawn_share: float, only: Collection[str] = (),
    other_words: float = 0.0, sizes: Sequence[tuple[int, int]] = SIZES_PX,
    weights: Mapping[str, float] | None = None,
) -> DocumentSource:  # fmt: skip
    """Return a run's documents: demonstrations, drawn screens, or a mixture.

    Args:
        data: Folder of the shards; None for drawn screens alone.
        seed: Of the order and of the drawings.
        drawn_share: Share of drawn screens, 0 to 1.
        only: Sources to take demonstrations from; all where it is empty.
        other_words: Share of the demonstrations' instructions that are said otherwise, 0 to 1.
        sizes: Widths and heights of drawn screens in pixels.
        weights: How much a source of demonstrations is shown beside the others; 1 where it is not
            named.

    Raises:
        UsageError: there are no shards, or none of them holds a source of `only` that has a
            weight.
    """
    check_data(data, drawn_share)
    if data is None:
        return DrawnScreens(seed, sizes)
    demonstrations: DocumentSource = ShardSource(data, seed, only, weights)
    if other_words:
        demonstrations = OtherWords(demonstrations, other_words, seed)
    if drawn_share == 0:
        return demonstrations
    drawn = DrawnScreens(seed, sizes)
    return Mixture({drawn: drawn_share, demonstrations: 1 - drawn_share}, seed)


def train_embedded(
    data: Path | None,
    out: Path,
    plan: TrainingPlan,
    initial: Path | None = None,
    tower: Path | None = None,
    drawn_share: float = 0.0,
    only: Collection[str] = (),
    follow: Follow = lambda now: None,
    device: str = "cpu",
    workers: int = 0,
    other_words: float = 0.0,
    sizes: Sequence[tuple[int, int]] = SIZES_PX,
    weights: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Train a network and write its checkpoint folder.

    A folder that holds the state of an interrupted run goes on with it.

    Args:
        data: Folder of the shards; None for drawn screens alone.
        out: The checkpoint's folder; made when it is missing.
        plan: How.
        initial: A checkpoint folder to go on from, with its tokenizer; None starts from scratch
            with a tokenizer made from the documents' texts.
        tower: A vision tower that can read, from `eyehand train read`.
        drawn_share: Share of drawn screens among the documents, 0 to 1.
        only: Sources to take demonstrations from; all where it is empty.
        follow: Called every few steps with the counts so far.
        device: Where the network is trained: "cpu", "cuda", ...
        workers: Processes that make batches ahead; the batches are the same for any number.
        other_words: Share of the demonstrations' instructions that are said otherwise, 0 to 1.
        sizes: Widths and heights of drawn screens in pixels.
        weights: How much a source of demonstrations is shown beside the others; 1 where it is not
            named.

    Returns:
        The counts at the end; see `TrainingRun.train`.

    Raises:
        UsageError: there are no shards, there is no such device, or the tower cannot be used.
        CheckpointError: the initial checkpoint cannot be used.
    """
    check_device(device)
    source = training_source(data, plan.seed, drawn_share, only, other_words, sizes, weights)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer, model = begin(data, out, plan.seed, initial)
    head = None if tower is None else _give_tower(model, tower)
    tokenizer.save(out)
    write_image_settings(out, SETTINGS)
    write_habits(out, EMBEDDED_HABITS)
    run = TrainingRun(model.to(device), tokenizer, source, out, plan, SETTINGS, head, workers)
    summary = run.train(follow)
    run.close()
    save_checkpoint(model.to("cpu"), out, dtype=torch.bfloat16)
    return summary


def check_data(data: Path | None, drawn_share: float) -> None:
    """Look whether there is something to learn from.

    Raises:
        UsageError: the folder holds no shard, or there is none and not all screens are drawn.
    """
    if data is not None:
        shards(data)
    elif drawn_share < 1:
        raise UsageError("without --data all screens are drawn: pass --drawn 1")


def check_device(device: str) -> None:
    """Try whether there is such a device.

    Raises:
        UsageError: there is none.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        problem = str(error).splitlines()[0]
        raise UsageError(f"nothing can be trained on {device!r} here: {problem}") from None


def begin(
    data: Path | None, out: Path, seed: int, initial: Path | None
) -> tuple[Tokenizer, Qwen2VLNetwork]:
    """Return what a run begins with: a checkpoint's tokenizer and network, or new ones.

    Args:
        data: Folder of the shards that a new tokenizer is made from; None for none.
        out: The run's folder; a tokenizer that lies there is kept.
        seed: Of new weights.
        initial: The checkpoint folder to go on from, or None.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    if initial is not None:
        known_words = Tokenizer.from_folder(initial)
        known_words.check_fits(read_config(initial))
        return known_words, trainable(load_checkpoint(initial, dtype=torch.float32))
    known = (out / "tokenizer.json").is_file()  # an interrupted run keeps its vocabulary
    tokenizer = Tokenizer.from_folder(out) if known else make_tokenizer(data, prompt_texts())
    return tokenizer, new_model(embedded_config(tokenizer), seed)


def _give_tower(model: Qwen2VLNetwork, path: Path) -> CharacterHead:
    weights = read_tower(path)
    head = CharacterHead(model.config.vision)
    try:
        model.visual.load_state_dict(weights["tower"])
        head.load_state_dict(weights["head"])
    except RuntimeError as error:
        raise UsageError(f"{path} is a tower of another size: {error}") from error
    return head


def trainable(model: Qwen2VLNetwork) -> Qwen2VLNetwork:
    """Give a loaded network's weights memory of their own: they lie on the checkpoint's file."""
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
        parameter.requires_grad_(True)
    return model
