"""`eyehand train measure`: how well a checkpoint reads, points, and answers packed documents."""

import argparse
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyehand.agent.cli import arguments as shared
from eyehand.agent.cli.train import options
from eyehand.agent.outcome import EXIT_SUCCESS

if TYPE_CHECKING:
    from eyehand.model.hub import Qwen2VL
    from eyehand.model.training.characters import CharacterHead

SUMMARY = "measure how well a checkpoint of the embedded kind reads and points"


def add_arguments(measure: argparse.ArgumentParser) -> None:
    """Declare the part's arguments."""
    measure.add_argument(
        "--model", type=Path, metavar="DIR",
        help="a checkpoint folder (default: the one that comes with eyehand)",
    )  # fmt: skip
    measure.add_argument(
        "--data", type=Path, metavar="DIR",
        help="shards: also measure the characters of their screens and the answers that are exact",
    )  # fmt: skip
    options.add_number(measure, "--pages", 3840, "drawn for the head that names characters")
    options.add_number(measure, "--questions", 200, "where a word is, on drawn screens")
    options.add_number(measure, "--screens", 200, "of the shards, drawn at random")


def execute(arguments: argparse.Namespace) -> int:
    """Measure, and print the figures."""
    import torch

    from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
    from eyehand.model.hub import Qwen2VL
    from eyehand.model.training.documents import shards
    from eyehand.model.training.gates import fit_head, measure_pointing
    from eyehand.model.training.pages import HELD_OUT_FONTS, check_drawing
    from eyehand.model.training.reading import measure

    check_drawing()
    packed = shards(arguments.data) if arguments.data else []
    loaded = Qwen2VL.load(arguments.model or EMBEDDED_CHECKPOINT, dtype=torch.float32)
    tower = loaded.network.visual
    head = fit_head(tower, arguments.pages, shared.say)
    found: dict[str, Any] = {
        "reading": measure(tower, head, tower.config),
        "other_fonts": measure(tower, head, tower.config, fonts=HELD_OUT_FONTS),
    }
    shared.say(f"asking where {arguments.questions} words are ...")
    found["pointing"] = measure_pointing(loaded, arguments.questions)
    if packed:
        found["documents"] = _documents(loaded, head, packed, arguments.screens)
    if arguments.json:
        shared.print_json(found)
    else:
        shared.print_text("\n".join(_lines(found)))
    return EXIT_SUCCESS


def _documents(
    loaded: "Qwen2VL", head: "CharacterHead", packed: list[Path], screens: int
) -> dict[str, list[int]]:
    """Return counts of what is right on some documents of shards, and of all there."""
    from eyehand.model.training.batching import Encoder
    from eyehand.model.training.documents import Shard
    from eyehand.model.training.gates import exact_answers, screen_characters

    places = [(shard, index) for shard in map(Shard, packed) for index in range(len(shard))]
    chosen = random.Random(0).sample(places, min(screens, len(places)))
    documents = [shard.document(index) for shard, index in chosen]
    encoder = Encoder(loaded.tokenizer, loaded.network.config, loaded.settings)
    shared.say(f"{len(documents)} documents ...")
    characters = screen_characters(loaded.network.visual, head, documents, encoder)
    return {"characters": characters, **exact_answers(loaded, documents, encoder)}


def _lines(found: dict[str, Any]) -> list[str]:
    lines = []
    for name, told in (("reading", "held-out words"), ("other_fonts", "fonts never trained on")):
        read = found[name]
        lines.append(
            f"{told}: {read['characters']:.1%} of {read['n_characters']} characters "
            f"({read['characters_near']:.1%} there or in a cell beside), "
            f"{read['words']:.1%} of {read['n_words']} words"
        )
    pointing = found["pointing"]
    lines.append(
        f'"Where is WORD?": {pointing["inside"]:.1%} of {pointing["questions"]} inside the '
        f"word's box; another word's place: {pointing['chance']:.1%}"
    )
    for name, (right, count) in found.get("documents", {}).items():
        lines.append(f"documents, {name}: {right} of {count}")
    return lines
