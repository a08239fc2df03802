"""Measures what it costs and what it changes when the model decides for several episodes at once.

    python -m benchmarks.trials.batching speed
    python -m benchmarks.trials.batching differ FOLDER FOLDER [FOLDER ...]

`speed` prints the tokens a second of decoding, with the embedded model, for several numbers of
conversations. `differ` compares evaluations of the same episodes, pair by pair, and prints the
share of episodes whose answers, outcome or number of steps differ.
"""

import argparse
import itertools
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.agent.results.episode_result import EPISODES_FILE, EpisodeResult
from eyehand.agent.results.folder import read_rows
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.errors import UsageError
from eyehand.model.hub import Qwen2VL
from eyehand.model.inference.constraint import TokenRule
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import GenerationConfig
from eyehand.model.inference.session import Session

TOKENS = 48
SCREEN = (280, 224, 3)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    speed = commands.add_parser("speed")
    speed.add_argument("--rounds", type=int, default=7)
    speed.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8])
    commands.add_parser("differ").add_argument("folders", type=Path, nargs="+")
    arguments = parser.parse_args()
    if arguments.command == "speed":
        measure_speed(arguments.batches, arguments.rounds)
    else:
        compare(arguments.folders)


def measure_speed(batches: list[int], rounds: int) -> None:
    """Print a row a batch: the median, and the lowest to the highest of all rounds."""
    loaded = Qwen2VL.load(EMBEDDED_CHECKPOINT, device="cpu")
    found: dict[str, list[float]] = {}
    for _ in range(rounds):  # the sides take turns, so that other work falls on all of them
        found.setdefault("one row", []).append(_alone(loaded))
        for batch in batches:
            found.setdefault(f"{batch} together", []).append(_together(loaded, batch))
    sys.stdout.write(f"{torch.get_num_threads()} thread(s), {TOKENS} tokens an answer\n")
    for name, speeds in found.items():
        middle, low, high = statistics.median(speeds), min(speeds), max(speeds)
        sys.stdout.write(f"| {name} | {middle:.0f} ({low:.0f} to {high:.0f}) |\n")


def compare(folders: list[Path]) -> None:
    """Print the share of episodes that differ, for every pair of folders and every task."""
    for first, second in itertools.combinations(folders, 2):
        pairs = list(zip(_rows(first), _rows(second), strict=True))
        if any((x.spec, x.seed) != (y.spec, y.seed) for x, y in pairs):
            raise UsageError(f"{first} and {second} are not of the same episodes")
        for spec in dict.fromkeys(x.spec for x, _ in pairs):
            of_task = [(x, y) for x, y in pairs if x.spec == spec]
            answers = sum(_answers(first, x) != _answers(second, y) for x, y in of_task)
            ends = sum((x.verdict, x.steps) != (y.verdict, y.steps) for x, y in of_task)
            sys.stdout.write(
                f"{first.name} / {second.name}, {spec}: of {len(of_task)} episodes {answers} "
                f"differ in an answer, {ends} in verdict or steps\n"
            )


def _rows(folder: Path) -> list[EpisodeResult]:
    """Return an evaluation's rows in the order of its plan."""
    if not (folder / EPISODES_FILE).is_file():
        raise UsageError(f"{folder} holds no {EPISODES_FILE}: name an evaluation's folder")
    return sorted(read_rows(folder / EPISODES_FILE)[0], key=lambda row: row.index)


def _answers(folder: Path, row: EpisodeResult) -> list[str]:
    """Return what the model wrote, step by step."""
    if row.folder is None:
        raise UsageError(f"{folder} was made without --keep all: the answers are gone")
    return [step.model_dump()["raw_text"] for step in read_trajectory(folder / row.folder).steps]


def _conversation(loaded: Qwen2VL, number: int) -> Session:
    """A screen and a task of about 190 tokens, no two alike."""
    session = loaded.session()
    session.append_template("<|im_start|>user\n")
    session.append_image(np.random.default_rng(number).integers(0, 256, SCREEN, dtype=np.uint8))
    session.append_text(f"Episode {number}: " + "bring current to target. " * (8 + number))
    session.append_template("<|im_end|>\n<|im_start|>assistant\n")
    return session


def _rules(loaded: Qwen2VL) -> GenerationConfig:
    """Answers of full length: nothing ends them early."""
    permitted = torch.ones(loaded.network.config.text.vocab_size, dtype=torch.bool)
    permitted[list(loaded.network.config.eos_token_ids)] = False
    return GenerationConfig(TOKENS, constraint=TokenRule(lambda _: permitted))


def _alone(loaded: Qwen2VL) -> float:
    """Return the tokens a second of one session by itself, without the prompt's pass."""
    (answer,) = generate([_conversation(loaded, 0)], _rules(loaded))
    return TOKENS / answer.decode_s


def _together(loaded: Qwen2VL, batch: int) -> float:
    """Return the tokens a second of all sessions together, without the prompts' passes."""
    sessions = [_conversation(loaded, number) for number in range(batch)]
    rules = _rules(loaded)
    began_s = time.perf_counter()
    answers = generate(sessions, rules, batch_size=batch)
    read_s = answers[0].vision_s + answers[0].prefill_s  # of all: they waited for one another
    return batch * TOKENS / (time.perf_counter() - began_s - read_s)


if __name__ == "__main__":
    main()
