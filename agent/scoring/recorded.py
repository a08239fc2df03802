"""Steps to score from trajectories: what one policy did where another one, the reference, acted."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from eyehand.agent.scoring.steps import Call, ScoredStep
from eyehand.agent.trajectory.reader import Trajectory, read_trajectory
from eyehand.agent.trajectory.records import ActionRecord
from eyehand.agent.trajectory.run_folder import RunFolder
from eyehand.agent.trajectory.writer import LINES_FILE
from eyehand.envs.env import same_video
from eyehand.errors import UsageError

_OPPOSITE = {"up": "down", "down": "up", "left": "right", "right": "left"}


@dataclass
class Recorded:
    """Steps from two folders of trajectories.

    Attributes:
        steps: Those that both policies decided on the very same screen.
        apart: Reference steps whose screen the other policy did not see: it had gone another way.
        unpaired: Episodes, "spec seed", that only one of the folders holds.
    """

    steps: list[ScoredStep] = field(default_factory=list)
    apart: int = 0
    unpaired: list[str] = field(default_factory=list)


def steps_of_folders(reference: Path, predictions: Path) -> Recorded:
    """Pair the trajectories of two folders by task and seed, and their steps by their screens.

    Args:
        reference: A trajectory, or a folder that holds some, such as an expert's evaluation.
        predictions: The same of the policy that is scored.

    Raises:
        UsageError: a folder holds no trajectory, a line or a screen of one cannot be read, or
            they have no episode or no screen in common.
    """
    theirs, ours = _trajectories(reference), _trajectories(predictions)
    both = sorted(theirs.keys() & ours.keys())
    if not both:
        raise UsageError(f"{reference} and {predictions} have no episode of the same task and seed")
    recorded = Recorded(unpaired=sorted(theirs.keys() ^ ours.keys()))
    for name in both:
        steps = list(steps_of(theirs[name], ours[name], name))
        recorded.steps += steps
        recorded.apart += _decided(theirs[name]) - len(steps)
    if not recorded.steps:
        raise UsageError(f"{reference} and {predictions} have no screen in common to score on")
    return recorded


def steps_of(reference: Trajectory, predicted: Trajectory, episode: str) -> Iterator[ScoredStep]:
    """Yield the steps on which both saw the very same screen, up to the first one where not.

    Reference steps without an action are passed over. Past the first different screen the two
    were asked different questions, and nothing can be scored.
    """
    for theirs, ours in zip(reference.steps, predicted.steps, strict=False):
        if not np.array_equal(reference.pixels(theirs.screen), predicted.pixels(ours.screen)):
            return
        if not same_video(reference.video(theirs.screen), predicted.video(ours.screen)):
            return
        if theirs.action is not None:
            call = call_of(ours.action) if ours.action else None
            yield ScoredStep(
                episode=episode,
                step=theirs.index,
                reference=call_of(theirs.action),
                prediction=call,
            )


def call_of(action: ActionRecord) -> Call:
    """Return a recorded action in the form that is scored.

    The direction of `scroll` names where to look next; AITZ names the way of the finger, which is
    the opposite one. Names of screens are left out.
    """
    arguments = {name: _plain(value) for name, value in action.arguments.items()}
    if action.name == "scroll" and arguments.get("direction") in _OPPOSITE:
        arguments["direction"] = _OPPOSITE[arguments["direction"]]
    return Call(name=action.name, arguments=arguments)


def _plain(value: Any) -> Any:
    if isinstance(value, dict) and {"x", "y"} <= value.keys() <= {"x", "y", "screen"}:
        return [value["x"], value["y"]]
    return value


def _decided(trajectory: Trajectory) -> int:
    return sum(step.action is not None for step in trajectory.steps)


def _trajectories(folder: Path) -> dict[str, Trajectory]:
    """Read all trajectories below a folder, by "spec seed"; of several tries the last one."""
    found = {}
    for place in _episodes(RunFolder(folder)):
        trajectory = read_trajectory(place)
        found[f"{trajectory.episode.spec} {trajectory.episode.seed}"] = trajectory
    if not found:
        raise UsageError(f"{folder} holds no trajectory: there is no {LINES_FILE} in or below it")
    return found


def _episodes(folder: RunFolder) -> list[RunFolder]:
    """Return the folder, and all below it, that hold an episode; one that leads out is refused."""
    names = sorted(folder.files(), key=lambda name: name.split("/"))
    above = [name.rpartition("/")[0] for name in names if name.split("/")[-1] == LINES_FILE]
    return [folder.below(name) if name else folder for name in above]
