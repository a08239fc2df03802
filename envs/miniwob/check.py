"""Checks tasks of MiniWoB++ against the promises of their environment; all: `python -m` this."""

import sys
from collections.abc import Iterable

import numpy as np

from eyehand.envs.env import Pixels
from eyehand.envs.miniwob.environment import MiniWobEnvironment
from eyehand.envs.miniwob.tasks import task_names

SCREEN = (280, 224, 3)
SEEDS = (7, 1_999_999)


def check_tasks(
    names: Iterable[str], seeds: tuple[int, ...] = SEEDS, in_page_only: bool = False
) -> dict[str, list[str]]:
    """Return what is wrong with each task; an empty list where nothing is.

    Each task starts from every seed, then from the seeds in reverse order (in the same page, or
    as `RELOADED_TASKS` says), then in a page of its own; pixels and instruction must be the same.

    Args:
        names: The tasks.
        seeds: Any seeds, at least two.
        in_page_only: Leave out the second page, which takes most of the time.
    """
    return {name: _check(name, seeds, in_page_only) for name in names}


def _check(name: str, seeds: tuple[int, ...], in_page_only: bool) -> list[str]:
    environment = MiniWobEnvironment(name)
    try:
        first = {seed: _start(environment, seed) for seed in seeds}
        wrong = [problem for seed in seeds for problem in _problems(*first[seed])]
        again = {seed: _start(environment, seed) for seed in reversed(seeds)}
        rounds = {"started again": again}
        if not in_page_only:
            environment.close()
            rounds["in another page"] = {seed: _start(environment, seed) for seed in seeds[::-1]}
        if environment.seeded:
            for when, starts in rounds.items():
                wrong += [_change(first[s], starts[s], f"seed {s} {when}") for s in seeds]
        return [problem for problem in wrong if problem]
    finally:
        environment.close()


Start = tuple[Pixels, str]


def _start(environment: MiniWobEnvironment, seed: int) -> Start:
    observation, _ = environment.reset(seed=seed)
    return observation.pixels, environment.instruction or ""


def _problems(pixels: Pixels, said: str) -> list[str]:
    found = []
    if not said.strip():
        found.append("no instruction")
    if pixels.shape != SCREEN:
        found.append(f"the screen is {pixels.shape}, expected {SCREEN}")
    if len(np.unique(pixels.reshape(-1, 3), axis=0)) < 3:
        found.append("the screen is empty")
    return found


def _change(first: Start, second: Start, what: str) -> str:
    pixels = int((first[0] != second[0]).any(axis=-1).sum())
    if first[1] != second[1]:
        return f"{what}: another instruction, {second[1]!r} for {first[1]!r}"
    return f"{what}: {pixels} other pixels" if pixels else ""


def main() -> int:
    """Check the tasks named on the command line, or all; return 1 where something is wrong."""
    names = sys.argv[1:] or task_names()
    wrong = 0
    for name in names:
        for problem in _check(name, SEEDS, in_page_only=False):
            wrong += 1
            sys.stdout.write(f"{name}: {problem}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(names)} tasks checked, {wrong} problems\n")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
