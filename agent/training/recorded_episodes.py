"""Recorded episodes as training documents: what was seen and done, as a model would be shown it.

A document is what the model has before it at run time, token by token: for a model that is shown
the newest screen alone it is one step, for others some steps after each other. Only actions that
were carried out are learned; what went wrong between them is read and not learned.
"""

import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from eyehand.actions import Action, Coordinates
from eyehand.agent.policies.models.checkpoint_files import Habits
from eyehand.agent.training.demonstrations import as_part, rounded
from eyehand.agent.trajectory.action_types import recorded_space
from eyehand.agent.trajectory.reader import Trajectory, read_trajectory
from eyehand.agent.trajectory.records import StepRecord
from eyehand.agent.trajectory.writer import LINES_FILE
from eyehand.errors import EyehandError, UsageError
from eyehand.model.training.documents import Document, DocumentPart
from eyehand.prompts.conversation import (
    MOST_EARLIER,
    Layout,
    Piece,
    ScreenSlot,
    Template,
    observation_words,
)


@dataclass(frozen=True)
class Window:
    """Some steps of an episode, which one document tells.

    Attributes:
        trajectory: The episode.
        first: Its first step here.
        stop: The step behind the last one, which was carried out.
    """

    trajectory: Trajectory
    first: int
    stop: int


def find_episodes(
    folders: Sequence[Path], outcomes: Collection[str] = ("succeeded",)
) -> tuple[list[Trajectory], Counter[str]]:
    """Return the episodes below some folders, and why others are left out.

    Args:
        folders: Run folders, evaluations, or folders of them.
        outcomes: How an episode ended that is learned from; empty for any way.

    Raises:
        UsageError: a folder is missing, or no episode is left.
    """
    found: list[Trajectory] = []
    left_out: Counter[str] = Counter()
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"there is no folder {folder}: name the folder of recorded episodes")
        for file in sorted(folder.rglob(LINES_FILE)):
            try:
                trajectory = read_trajectory(file.parent)
            except UsageError:
                left_out["unreadable"] += 1
                continue
            reason = _unusable(trajectory, outcomes)
            if reason:
                left_out[reason] += 1
            else:
                found.append(trajectory)
    if not found:
        told = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "none there"
        where = ", ".join(map(str, folders))
        raise UsageError(f"no episode to learn from in {where}: {told}")
    return found, left_out


def _unusable(trajectory: Trajectory, outcomes: Collection[str]) -> str:
    """Return why an episode cannot be learned from; empty where it can."""
    ended = trajectory.outcome.outcome if trajectory.outcome else "unfinished"
    if outcomes and ended not in outcomes:
        return str(ended)
    if not any(map(carried_out, trajectory.steps)):
        return "without an action"
    if any(step.screen.file is None for step in trajectory.steps):
        return "without screens"
    if any(step.screen.video is not None for step in trajectory.steps):
        return "of videos"
    try:
        recorded_space(trajectory.episode.actions)
    except UsageError:
        return "without their actions' types"
    return ""


def carried_out(step: StepRecord) -> bool:
    """Return whether a step's action was read and performed."""
    return step.action is not None and step.error is None


class EpisodeDocuments:
    """Tells episodes as a model is shown them; document n is a function of the seed and n.

    Args:
        episodes: What is told.
        layout: How the model is asked.
        habits: What it is shown.
        screens: So many steps a document at most, where the model is shown several screens.
        seed: Of the order; every document comes once in each round.
    """

    def __init__(
        self, episodes: Sequence[Trajectory], layout: Layout, habits: Habits, screens: int = 4,
        seed: int = 0,
    ) -> None:  # fmt: skip
        self._layout, self._habits, self._seed = layout, habits, seed
        self.windows = [
            window
            for trajectory in episodes
            for window in _windows(trajectory, 1 if habits.newest_only else screens)
        ]
        self._order: tuple[int, list[int]] = (-1, [])

    def __len__(self) -> int:
        """Return the number of different documents."""
        return len(self.windows)

    def document(self, number: int) -> Document:
        """Return document `number`, from 0, without end."""
        turn, place = divmod(number, len(self.windows))
        if self._order[0] != turn:
            order = list(range(len(self.windows)))
            random.Random(f"episodes/{self._seed}/{turn}").shuffle(order)
            self._order = turn, order
        return self.told(self.windows[self._order[1][place]])

    def told(self, window: Window) -> Document:
        """Return the document of some steps.

        Raises:
            UsageError: a picture of them is missing or broken.
        """
        trajectory, layout = window.trajectory, self._layout
        writer = _Writer(trajectory, self._habits.brief)
        steps = trajectory.steps[window.first : window.stop]
        earlier = writer.before(window.first) if self._habits.newest_only else ()
        said = observation_words(steps[0].text, steps[0].feedback)
        parts = writer.parts(layout.opening(writer.space))
        parts += writer.parts(layout.task(trajectory.episode.task, said, earlier))
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            parts.append(writer.answer(step, layout))
            after: list[Piece] = [Template(layout.codec.before_observation)]
            if following is not None:
                after = layout.following(observation_words(following.text, following.feedback))
            ending, *rest = writer.parts(after)
            learned = parts[-1].learned
            parts += [DocumentPart("template", ending.text, learned=learned), *rest]
        return Document(
            source=trajectory.episode.spec,
            seed=trajectory.episode.seed or 0,
            trunk=parts,
            images=[trajectory.pixels(step.screen) for step in steps],
        )


class _Writer:
    """Writes the pieces of one document; every screen that is placed is the next one."""

    def __init__(self, trajectory: Trajectory, brief: bool) -> None:
        self.space = recorded_space(trajectory.episode.actions)
        self._steps, self._brief, self._screens = trajectory.steps, brief, 0

    def parts(self, pieces: Sequence[Piece]) -> list[DocumentPart]:
        """Return pieces as parts that are read, not learned."""
        return [self._part(piece) for piece in pieces]

    def before(self, step: int) -> list[Action]:
        """Return the last actions before a step, also those that were refused."""
        with_action = [one for one in self._steps[:step] if one.action is not None]
        return [self._action(one) for one in with_action[-MOST_EARLIER:]]

    def answer(self, step: StepRecord, layout: Layout) -> DocumentPart:
        """Return what the model writes in a step; what went wrong is not learned."""
        if not carried_out(step):
            return DocumentPart("plain", layout.codec.neutral(step.raw_text))
        words = layout.codec.write(self._action(step), Coordinates(), step.thought)
        return DocumentPart("plain", words, learned=True)

    def _action(self, step: StepRecord) -> Action:
        assert step.action is not None
        try:
            action = step.action.build(self.space)
        except (EyehandError, ValueError) as error:
            raise UsageError(f"step {step.index} has no action that fits: {error}") from None
        # A model that is asked briefly writes hundredths of the screen.
        return rounded(action) if self._brief else action

    def _part(self, piece: Piece) -> DocumentPart:
        self._screens += isinstance(piece, ScreenSlot)
        return as_part(piece, self._screens - 1)


def _windows(trajectory: Trajectory, screens: int) -> list[Window]:
    """Cut an episode into windows that end with an action that was carried out."""
    found = []
    for first in range(0, len(trajectory.steps), screens):
        steps = trajectory.steps[first : first + screens]
        good = [place for place, step in enumerate(steps) if carried_out(step)]
        if good:
            found.append(Window(trajectory, first, first + good[-1] + 1))
    return found
