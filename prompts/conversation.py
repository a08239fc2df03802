"""The layout of a conversation: which text stands around which screen.

The runtime and the training data both come from here, piece by piece, so that the model reads at
run time exactly the tokens that it was trained on. A piece is tokenised by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from eyehand.actions import Action, ActionSpace
from eyehand.actions.codecs.codec import Codec
from eyehand.actions.codecs.writing import as_json, written_arguments
from eyehand.prompts import render_brief, render_system, render_task


@dataclass(frozen=True)
class Template:
    """Text of ours, in which control tokens such as `<|im_start|>` are live."""

    text: str


@dataclass(frozen=True)
class Plain:
    """Text from a person or an environment: control tokens in it stay plain characters.

    The dialect's own marks are made harmless in it (`Codec.neutral`).
    """

    text: str


@dataclass(frozen=True)
class ScreenSlot:
    """The place of a screen, picture or video; the model's vision tokens go here.

    Attributes:
        step: The step whose screen it is, where several are shown.
    """

    step: int = -1


Piece = Template | Plain | ScreenSlot

MOST_EARLIER = 3
"""So many earlier calls are told where their screens are not shown."""

OPEN_ANSWER = Template("<|im_end|>\n<|im_start|>assistant\n")


@dataclass(frozen=True)
class Layout:
    """How one episode is written for the model.

    Attributes:
        codec: The dialect of calls.
        language: Language of the prompts, "en" or "zh".
        keyword_mark: Mark of the keyword dialect.
        brief: Whether the system prompt only names the actions.
    """

    codec: Codec
    language: str = "en"
    keyword_mark: str = "✿"
    brief: bool = False

    def opening(self, action_space: ActionSpace) -> list[Piece]:
        """Return what stands before the task: the system prompt and the first screen."""
        if self.brief:
            system = render_brief(action_space)
        else:
            system = render_system(action_space, self.codec.name, self.language, self.keyword_mark)
        return [
            Template("<|im_start|>system\n"),
            Plain(system),
            Template("<|im_end|>\n<|im_start|>user\n"),
            ScreenSlot(),
        ]

    def task(
        self, task: str, observation_text: str = "", earlier: Sequence[Action] = ()
    ) -> list[Piece]:
        """Return the task, up to where the model begins to answer.

        Args:
            task: What to do, in words.
            observation_text: What the environment says beside the screen; empty for nothing.
            earlier: The last actions before this screen, where their screens are not shown.
        """
        neutral = self.codec.neutral
        calls = [neutral(call_words(action)) for action in earlier[-MOST_EARLIER:]]
        words = render_task(neutral(task), neutral(observation_text), self.language, calls)
        return [Plain(words), OPEN_ANSWER]

    def following(self, said: str) -> list[Piece]:
        """Return what stands between an answer and the next: the new screen and what is said.

        Args:
            said: The environment's text and the feedback, one after the other; may be empty.
        """
        pieces: list[Piece] = [Template(self.codec.before_observation), ScreenSlot()]
        if said:
            pieces.append(Plain(self.codec.neutral(said)))
        return [*pieces, Template(self.codec.after_observation)]


def call_words(action: Action) -> str:
    """Return an earlier action in a line: its name and its arguments as JSON."""
    return f"{action.name} {as_json(written_arguments(action, None))}"


def observation_words(text: str, feedback: str) -> str:
    """Return what an observation says beside its screen, as one text."""
    return "\n".join(part for part in (feedback, text) if part)
