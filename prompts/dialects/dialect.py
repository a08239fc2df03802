"""Dialect: how a model was taught to act. What it is shown, in which turns, and how it answers.

A dialect is one file: the codec with the grammar of its calls, and the layout of its turns. Prompts
are in our own words around the literal marks that the model was trained on.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from eyehand.actions import Action, ActionSpace
from eyehand.actions.codecs.codec import Codec
from eyehand.prompts.own_prompt import OwnPrompt
from eyehand.prompts.parameters import parameters

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Picture:
    """The place of a step's screen.

    Attributes:
        step: The step, from 0.
    """

    step: int


@dataclass(frozen=True)
class Message:
    """One turn of a chat.

    Attributes:
        role: Who speaks.
        parts: Texts and pictures, in order.
        continues: Whether it stands in the model's own turn, and the model goes on behind it,
            where a chat can be written so; a server gets it as a turn of its role.
    """

    role: Role
    parts: tuple[str | Picture, ...]
    continues: bool = False


@dataclass(frozen=True)
class Turn:
    """One step of an episode, as the model is told of it.

    Attributes:
        text: What the environment says beside the screen; may be empty.
        feedback: What became of the decision before it; may be empty.
        answer: What the model wrote; None where it has yet to answer.
        thought: The thought in that answer.
        action: The action in it, or None.
        size_px: Width and height of the screen as the model sees it.
    """

    text: str = ""
    feedback: str = ""
    answer: str | None = None
    thought: str = ""
    action: Action | None = None
    size_px: tuple[int, int] = (0, 0)

    @property
    def said(self) -> str:
        """The feedback and the text, one after the other."""
        return "\n".join(part for part in (self.feedback, self.text) if part)


@dataclass(frozen=True)
class PictureBounds:
    """The size that a picture has for the model, which pixel coordinates refer to.

    Attributes:
        factor: Both sides are multiples of it, in pixels.
        min_pixels: Smallest area, in pixels.
        max_pixels: Largest area, in pixels.
    """

    factor: int = 28
    min_pixels: int = 4 * 28 * 28
    max_pixels: int = 16384 * 28 * 28

    def within(self, factor: int, min_pixels: int, max_pixels: int) -> Self:
        """Return the bounds of pictures that a checkpoint's own preparation leaves as they are.

        Where the two have no area in common, the checkpoint's hold.

        Args:
            factor: Of the checkpoint.
            min_pixels: Its smallest area, in pixels.
            max_pixels: Its largest.
        """
        least, most = max(self.min_pixels, min_pixels), min(self.max_pixels, max_pixels)
        area = (least, most) if least <= most else (min_pixels, max_pixels)
        return type(self)(factor, *area)


class Dialect(ABC):
    """How one family of models acts.

    Attributes:
        name: What `--dialect` calls it.
        about: The models that speak it.
        window: How many screens the model is shown at most; None for all.
        bounds: The size of its pictures.
        temperature: As its makers sample; 0 always takes the likeliest token.
        top_p: Share of the likeliest tokens that are drawn from.
        max_tokens: Most tokens an answer.
        answer_marks: Control tokens that its answers are made of, and nothing else.
        answer_begins: What opens the model's turn beside its role.
        points_only: Whether the model only says where a thing is, and can take no other action.
        task_in_rules: Whether the task stands in the rules, and not in a turn of its own.
        codec: The grammar of its calls.
        prompt: What a user puts in the place of the dialect's rules.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    window: ClassVar[int | None] = 1
    bounds: ClassVar[PictureBounds] = PictureBounds()
    temperature: ClassVar[float] = 0.0
    top_p: ClassVar[float] = 1.0
    max_tokens: ClassVar[int] = 512
    answer_marks: ClassVar[tuple[str, ...]] = ()
    answer_begins: ClassVar[str] = ""
    points_only: ClassVar[bool] = False
    task_in_rules: ClassVar[bool] = False
    codec: Codec
    prompt: OwnPrompt | None = None

    @abstractmethod
    def messages(self, task: str, space: ActionSpace, turns: Sequence[Turn]) -> list[Message]:
        """Return the chat up to where the model answers the last turn.

        What the environment says has the dialect's marks made harmless.

        Args:
            task: What to do, in words.
            space: The permitted actions.
            turns: The steps so far, the one to decide last.
        """

    @abstractmethod
    def own_rules(self, task: str, space: ActionSpace, size_px: tuple[int, int]) -> str:
        """Return the dialect's instructions: the actions, and how a call is written.

        Args:
            task: What to do, with marks made harmless.
            space: The permitted actions.
            size_px: Width and height of the screen as the model sees it.
        """

    def rules(self, task: str, space: ActionSpace, size_px: tuple[int, int]) -> str:
        """Return the instructions: a user's prompt where there is one, else the dialect's."""
        neutral = self.codec.neutral(task)
        if self.prompt is not None:
            return self.prompt.filled(neutral, space, size_px)
        return self.own_rules(neutral, space, size_px)

    def pictures(self, turns: Sequence[Turn]) -> range:
        """Return the steps whose screens are shown: the newest ones."""
        first = 0 if self.window is None else max(0, len(turns) - self.window)
        return range(first, len(turns))


MOST_TOLD = 300
"""Characters of a past step that is told in words."""


def told_steps(turns: Sequence[Turn]) -> list[str]:
    """Return the past steps in a line each: the thought, or else the action.

    Args:
        turns: The steps so far; the last one is yet to be decided.
    """
    steps = (turn.thought or str(turn.action or "no valid action") for turn in turns[:-1])
    return [" ".join(step.split())[:MOST_TOLD] for step in steps]


def action_lines(space: ActionSpace, described: Sequence[tuple[str, str]]) -> str:
    """Return one line an action: the call as it is shown, and what it does.

    Args:
        space: The permitted actions.
        described: A call as the prompt shows it, and the action that it means.
    """
    lines = []
    for shown, name in described:
        action_type = space.type_named(name)
        lines.append(f"{shown} # {action_type.description()}")
    return "\n".join(dict.fromkeys(lines))


def own_call(action_type: type[Action], point: str) -> str:
    """Return how a call by an action's own name is shown: `pick(card='', point=...)`.

    Args:
        action_type: The action.
        point: How a place is shown.
    """
    shown = [
        f"{item.name}={point if is_point(item.schema) else repr('')}"
        for item in parameters(action_type)
    ]
    return f"{action_type.name}({', '.join(shown)})"


def is_point(schema: dict[str, Any]) -> bool:
    """Return whether a parameter's schema is that of a place."""
    return schema.get("type") == "array" and schema.get("maxItems") == 2 == schema.get("minItems")
