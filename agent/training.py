"""Trains the embedded model: the recipe from shards to a checkpoint folder."""

import random
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import torch

from eyehand.actions import ActionSpace
from eyehand.actions.web import WEB_ACTIONS
from eyehand.model.image_settings import read_image_settings, write_image_settings
from eyehand.model.qwen2vl import Qwen2VL
from eyehand.model.tokenizer import Tokenizer
from eyehand.model.training.documents import Document, read_shard, shards
from eyehand.model.training.embedded import (
    SETTINGS,
    embedded_config,
    make_tokenizer,
    new_model,
)
from eyehand.model.training.synthetic import synthetic_documents
from eyehand.model.training.trainer import (
    Follow,
    TrainingPlan,
    document_stream,
    mixed,
    train,
)
from eyehand.model.weights import load_checkpoint
from eyehand.prompts import render_system

# Drawn screens come from seeds of their own, away from the order of the demonstrations.
_DRAWN_SEED = 17


def prompt_texts() -> list[str]:
    """Return the system prompts over the whole web vocabulary, for the tokenizer to learn."""
    space = ActionSpace(WEB_ACTIONS)
    codecs, languages = ("keyword", "tool_call"), ("en", "zh")
    return [render_system(space, codec, language) for codec in codecs for language in languages]


def quoted_words(data: Path) -> list[str]:
    """Return what the instructions of a folder's shards put in quotes, sorted.

    These are the words that drawn screens show.
    """
    return sorted(
        {
            word
            for path in shards(data)
            for document in read_shard(path)
            for branch in document.branches
            for word in re.findall(r'"([^"]+)"', branch[0].text)
        }
    )


def training_documents(
    data: Path,
    seed: int,
    drawn_share: float,
    items_every: int = 0,
    only: Collection[str] = (),
) -> Iterator[Document]:
    """Yield demonstrations and drawn screens for ever.

    Args:
        data: Folder of the shards.
        seed: Of the order and of the drawings.
        drawn_share: Share of drawn screens, 0 to 1.
        items_every: See `synthetic_documents`.
        only: Sources to take demonstrations from; all where it is empty.

    Raises:
        UsageError: there are no shards, or none of them holds a source of `only`.
    """
    demonstrations = document_stream(data, random.Random(seed), only)
    if drawn_share == 0:
        return demonstrations
    drawn = synthetic_documents(seed + _DRAWN_SEED, quoted_words(data), items_every)
    return drawn if drawn_share == 1 else mixed(demonstrations, drawn, drawn_share, seed)


def train_embedded(
    data: Path,
    out: Path,
    plan: TrainingPlan,
    initial: Path | None = None,
    drawn_share: float = 0.0,
    items_every: int = 0,
    only: Collection[str] = (),
    follow: Follow = lambda now: None,
) -> dict[str, float]:
    """Train a network and write its checkpoint folder.

    Args:
        data: Folder of the shards.
        out: The checkpoint's folder; made when it is missing.
        plan: How.
        initial: A checkpoint folder to go on from, with its tokenizer and its view of a screen;
            None starts from scratch with a tokenizer trained on the shards' texts.
        drawn_share: Share of drawn screens among the documents, 0 to 1.
        items_every: See `synthetic_documents`.
        only: Sources to take demonstrations from; all where it is empty.
        follow: Called every few steps with the counts so far.

    Returns:
        The counts at the end: steps, documents, answer tokens, loss, minutes.

    Raises:
        UsageError: there are no shards.
        CheckpointError: the initial checkpoint cannot be used.
    """
    out.mkdir(parents=True, exist_ok=True)
    if initial is None:
        tokenizer = make_tokenizer(data, prompt_texts())
        model = new_model(embedded_config(tokenizer), plan.seed)
        settings = SETTINGS
    else:
        tokenizer = Tokenizer.from_folder(initial)
        model = _trainable(load_checkpoint(initial, dtype=torch.float32))
        settings = read_image_settings(initial, model.config.vision)
    tokenizer.save(out)
    write_image_settings(out, settings)
    documents = training_documents(data, plan.seed, drawn_share, items_every, only)
    return train(model, tokenizer, documents, out, plan, settings, follow)


def _trainable(model: Qwen2VL) -> Qwen2VL:
    """Give the weights memory of their own: loaded ones lie on the checkpoint's file."""
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
        parameter.requires_grad_(True)
    return model
