"""Demonstrations: what a screen showed and what an expert did there, as training documents.

A document is one screen. Each branch is a question about it with its answer: the episode's task,
with and without the calls before, other tasks that the same screen answers, words to find. So an
answer is learned in exactly the context that it has at run time, where the model sees the newest
screen and the last calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from eyehand.actions import Action, Coordinates, Point
from eyehand.actions.codecs import make_codec
from eyehand.envs.env import Environment, Observation, Pixels
from eyehand.errors import UsageError
from eyehand.model.training.documents import Document, DocumentPart
from eyehand.model.training.pages import Word
from eyehand.prompts.conversation import Layout, Piece, Plain, ScreenSlot, Template

TRAINING_SEEDS = range(0, 1_000_000)
EVALUATION_SEEDS = range(1_000_000, 2_000_000)

# The last digit of a target's middle in thousandths is noise that no model can earn; tens are
# 1.7 CSS pixels of a MiniWoB screen.
_GRID = 100

MAX_STEPS = 30
"""So many steps an episode at most; a student that does nothing new has fewer."""


def rounded(action: Action) -> Action:
    """Return the action with its points rounded to hundredths of the screen, off its edges."""
    changed = {
        name: Point(x=_round(point.x), y=_round(point.y), screen=point.screen)
        for name, point in action.points().items()
    }
    return action.model_copy(update=changed) if changed else action


def _round(value: float) -> float:
    return min(max(round(value * _GRID), 1), _GRID - 1) / _GRID


@dataclass(frozen=True)
class Shown:
    """A screen as the agent meets it.

    Attributes:
        pixels: The picture.
        said: What the environment says beside it.
        earlier: The actions before it, the newest last.
        words: The words on it, where they are known.
    """

    pixels: Pixels
    said: str = ""
    earlier: Sequence[Action] = ()
    words: Sequence[Word] = field(default=())


class DocumentWriter:
    """Writes demonstrations in the layout that the embedded model has at run time."""

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout or Layout(make_codec("keyword"), brief=True)

    def document(
        self,
        environment: Environment,
        shown: Shown,
        task: str,
        action: Action,
        seed: int,
        others: Sequence[tuple[str, Action]] = (),
        read: Sequence[tuple[str, str]] = (),
        thought: str = "",
    ) -> Document:
        """Return a document of one screen.

        Args:
            environment: Gives the actions.
            shown: The screen.
            task: The episode's task.
            action: What an expert does there.
            seed: The episode's seed.
            others: Further tasks, each with the action that follows from the screen.
            read: Questions about the screen, each with its answer in words.
            thought: What the expert writes before its action; "" for nothing.
        """
        own = self.layout.task(task, shown.said, shown.earlier)
        branches = [[*self.parts(own), *self.answer(action, thought)]]
        if shown.said or shown.earlier:
            branches.append([*self.parts(self.layout.task(task)), *self.answer(action, thought)])
        for other, its_action in others:
            branches.append([*self.parts(self.layout.task(other)), *self.answer(its_action)])
        for question, answer in read:
            branches.append([*self.parts(self.layout.task(question)), *words_answer(answer)])
        return Document(
            source=environment.spec_uri,
            seed=seed,
            trunk=self.parts(self.layout.opening(environment.action_space)),
            branches=branches,
            images=[shown.pixels],
            characters=[[c for word in shown.words for c in word.characters]],
        )

    def answer(self, action: Action, thought: str = "") -> list[DocumentPart]:
        """Return an action as the model learns to write it, after a thought where there is one."""
        codec = self.layout.codec
        written = codec.write(rounded(action), Coordinates(), thought)
        stop = DocumentPart("template", codec.before_observation, learned=True)
        return [DocumentPart("plain", written, learned=True), stop]

    def parts(self, pieces: Sequence[Piece]) -> list[DocumentPart]:
        """Return pieces of a conversation as parts that are read, not learned."""
        return [as_part(piece) for piece in pieces]


def words_answer(answer: str) -> list[DocumentPart]:
    """Return an answer in words; it ends the turn, as no action does."""
    return [
        DocumentPart("plain", answer, learned=True),
        DocumentPart("template", "<|im_end|>", learned=True),
    ]


def as_part(piece: Piece, screen: int = 0) -> DocumentPart:
    """Return a piece of a conversation as a part that is read, not learned.

    Args:
        piece: The piece.
        screen: Index of the screen that a place for one stands for.
    """
    match piece:
        case Template(text):
            return DocumentPart("template", text)
        case Plain(text):
            return DocumentPart("plain", text)
        case ScreenSlot():
            return DocumentPart("screen", screen=screen)


def still(observation: Observation) -> Pixels:
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
