"""Demonstrations: experts act, and what they saw and did becomes training documents."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from eyehand.actions import Action, Coordinates, Point
from eyehand.actions.codecs import make_codec
from eyehand.agent.experts import miniwob as miniwob_expert
from eyehand.agent.experts import number_line as number_line_expert
from eyehand.agent.layout import Layout, Piece, Plain, Screen, Template
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.envs.env import Environment, Observation, Pixels
from eyehand.envs.miniwob.environment import MiniWobEnvironment
from eyehand.errors import ModelFeedback, UsageError
from eyehand.model.training.documents import Document, Part

TRAINING_SEEDS = range(0, 1_000_000)
EVALUATION_SEEDS = range(1_000_000, 2_000_000)

# The last digit of a target's middle in thousandths is noise that no model can earn; tens are
# 1.7 CSS pixels of a MiniWoB screen.
_GRID = 100

MAX_EXPERT_STEPS = 30


def rounded(action: Action) -> Action:
    """Return the action with its points rounded to hundredths of the screen, off its edges."""
    changed = {
        field: Point(x=_round(point.x), y=_round(point.y), screen=point.screen)
        for field, point in action.points().items()
    }
    return action.model_copy(update=changed) if changed else action


def _round(value: float) -> float:
    return min(max(round(value * _GRID), 1), _GRID - 1) / _GRID


@dataclass(frozen=True)
class Turn:
    """One step of a demonstration.

    Attributes:
        pixels: The screen at which the action was taken.
        action: What was done.
        learned: Whether the model is to imitate it; mistakes put in on purpose are not.
    """

    pixels: Pixels
    action: Action
    learned: bool = True


class DocumentWriter:
    """Writes demonstrations in the runtime's own layout."""

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout or Layout(make_codec("keyword"))

    def one_screen(
        self,
        environment: Environment,
        pixels: Pixels,
        asked: Sequence[tuple[str, Action]],
        seed: int,
        read: Sequence[tuple[str, str]] = (),
    ) -> Document:
        """Return a document with one screen and an answer for each instruction.

        Args:
            environment: Gives the actions.
            pixels: The screen.
            asked: Instructions, each with the action that follows from the screen.
            seed: The episode's seed.
            read: Questions about the screen, each with its answer in words.
        """
        return Document(
            source=environment.spec_uri,
            seed=seed,
            trunk=self._parts(self.layout.opening(environment.action_space)),
            branches=[
                [*self._parts(self.layout.task(task)), *self._answer(action)]
                for task, action in asked
            ]
            + [[*self._parts(self.layout.task(task)), *_words(answer)] for task, answer in read],
            images=[pixels],
        )

    def episode(
        self, environment: Environment, task: str, turns: Sequence[Turn], seed: int
    ) -> Document:
        """Return a document with a whole episode as one conversation."""
        pieces = [*self.layout.opening(environment.action_space), *self.layout.task(task)]
        trunk = self._parts(pieces)
        for index, turn in enumerate(turns):
            if index:
                # The first piece is the end of the answer before, which `_answer` has written.
                trunk += self._parts(self.layout.following("")[1:], first_screen=index)
            trunk += self._answer(turn.action, learned=turn.learned)
        images = [turn.pixels for turn in turns]
        return Document(environment.spec_uri, seed, trunk, images=images)

    def _answer(self, action: Action, learned: bool = True) -> list[Part]:
        codec = self.layout.codec
        written = codec.write(rounded(action), Coordinates())
        stop = Part("template", codec.before_observation, learned=learned)
        return [Part("plain", written, learned=learned), stop]

    def _parts(self, pieces: Sequence[Piece], first_screen: int = 0) -> list[Part]:
        return [_part(piece, first_screen) for piece in pieces]


def _words(answer: str) -> list[Part]:
    """Return an answer in words; it ends the turn, as no action does."""
    return [Part("plain", answer, learned=True), Part("template", "<|im_end|>", learned=True)]


def _part(piece: Piece, screen: int) -> Part:
    match piece:
        case Template(text):
            return Part("template", text)
        case Plain(text):
            return Part("plain", text)
        case Screen():
            return Part("screen", screen=screen)


def miniwob_document(
    environment: MiniWobEnvironment, seed: int, writer: DocumentWriter
) -> Document | None:
    """Return the demonstration of one MiniWoB seed, or None where the expert cannot solve it.

    A task that one action solves gives one screen with every instruction that it answers; other
    tasks give a whole episode.
    """
    observation, _ = environment.reset(seed=seed)
    task = environment.instruction or ""
    asked = miniwob_expert.questions(environment)
    if not asked or asked[0][0] != task:
        return None
    if environment.task in ONE_STEP_TASKS:
        return writer.one_screen(environment, _still(observation), asked, seed)
    turns = _expert_turns(environment, _still(observation))
    return writer.episode(environment, task, turns, seed) if turns else None


ONE_STEP_TASKS = frozenset(
    {
        "click-button", "click-color", "click-dialog", "click-dialog-2", "click-link",
        "click-shape", "click-tab", "click-tab-2-easy", "click-test", "click-test-2",
        "click-test-transfer", "click-widget", "count-shape", "count-sides", "drag-items",
        "drag-items-grid", "focus-text", "focus-text-2", "grid-coordinate", "identify-shape",
        "unicode-test",
    }
)  # fmt: skip
"""Tasks of MiniWoB++ that every seed solves by one action."""


def _expert_turns(environment: MiniWobEnvironment, pixels: Pixels) -> list[Turn]:
    """Let the expert act until the end; return its turns, or none where it failed."""
    turns: list[Turn] = []
    for _ in range(MAX_EXPERT_STEPS):
        asked = miniwob_expert.questions(environment)
        if not asked:
            return []
        action = rounded(asked[0][1])
        try:
            observation, _, terminated, truncated, info = environment.step(action)
        except ModelFeedback:
            return []
        turns.append(Turn(pixels, action))
        if terminated or truncated:
            return turns if info.get("verdict") else []
        pixels = _still(observation)
    return []


def _still(observation: Observation) -> Pixels:
    """Return the picture of a screen.

    Raises:
        UsageError: the screen is a video, which training documents do not hold.
    """
    if observation.video is not None:
        raise UsageError(
            f"this screen is a video of {len(observation.video)} frames, and training documents "
            "hold still pictures only: declare it with screen.frames 1, or show: tiles"
        )
    return observation.pixels


def number_line_document(
    environment: NumberLineEnvironment, seed: int, writer: DocumentWriter, generator: random.Random
) -> Document:
    """Return a demonstration of number-line at a seed: its first screen, or a whole episode.

    Two of three show the first screen only, with the best move and the two numbers asked for: an
    answer of one word teaches little of where to look, a number that has to be read does.
    """
    observation, _ = environment.reset(seed=seed)
    if generator.random() < 1 / 3:
        turns = _number_line_turns(environment, _still(observation), generator)
        return writer.episode(environment, environment.instruction, turns, seed)
    asked = [(environment.instruction, number_line_expert.best_action(environment))]
    read = [
        ("What is Current?", str(environment.current)),
        ("What is Target?", str(environment.target)),
    ]
    return writer.one_screen(environment, _still(observation), asked, seed, read)


def _number_line_turns(
    environment: NumberLineEnvironment, pixels: Pixels, generator: random.Random
) -> list[Turn]:
    """Play an episode; every third move is drawn at random and not learned.

    So the moves before do not give away the next one, and the model sees what comes after a
    mistake.
    """
    turns: list[Turn] = []
    ended = False
    while not ended:
        action = number_line_expert.best_action(environment)
        learned = generator.random() < 2 / 3
        if not learned:
            action = environment.action_space.types[generator.randrange(2)]()
        turns.append(Turn(pixels, action, learned))
        observation, _, terminated, truncated, _ = environment.step(action)
        pixels = _still(observation)
        ended = terminated or truncated
    return turns
