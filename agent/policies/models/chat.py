"""Policies behind which a chat stands: a dialect's messages go out, a text comes back."""

import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from eyehand.actions import ActionSpace, Point
from eyehand.actions.codecs.marks import without_control_tokens
from eyehand.agent.policies.base import Conversation, Decision, Policy, Request, started_by
from eyehand.envs.env import Observation, Pixels
from eyehand.errors import UsageError
from eyehand.model.inputs.image import smart_resize
from eyehand.model.inputs.image_settings import PUBLISHED, limits
from eyehand.prompts.dialects.dialect import Dialect, Message, Picture, PictureBounds, Turn


@dataclass(frozen=True)
class Chat:
    """What a model is to answer.

    Attributes:
        messages: The turns, in the dialect's layout.
        space: The permitted actions.
        pictures: Step to its screen, RGB uint8 (H, W, 3), at the size that the model sees.
        begins: What opens the model's own turn.
        seed: Fixes what is drawn, where the model can.
        memory: What a policy keeps of the conversation between two steps.
    """

    messages: list[Message]
    space: ActionSpace
    pictures: dict[int, Pixels]
    begins: str
    seed: int
    memory: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Written:
    """What a model answered.

    Attributes:
        text: The answer.
        tokens: Counts by kind: "prompt", "generated", "cached".
        timings_s: Seconds by part.
        is_cut: Whether it ended at its limit, before a call that was held to a grammar did.
    """

    text: str
    tokens: dict[str, int] = field(default_factory=dict)
    timings_s: dict[str, float] = field(default_factory=dict)
    is_cut: bool = False


class ContextFull(Exception):
    """The chat is longer than the model's context."""


class ChatPolicy(Policy):
    """A model that is reached by whole chats. Subclasses say how it answers.

    Args:
        dialect: How the model was taught to act.
        max_new_tokens: Most tokens an answer; None is the dialect's own.
        temperature: None is the dialect's own; 0 always takes the likeliest token.
        top_p: None is the dialect's own.
        min_pixels: Smallest area of a screen as the model sees it; None is the dialect's own.
        max_pixels: Largest area; None is the dialect's own.
    """

    name = "model"

    def __init__(
        self, dialect: Dialect, max_new_tokens: int | None = None,
        temperature: float | None = None, top_p: float | None = None,
        min_pixels: int | None = None, max_pixels: int | None = None,
    ) -> None:  # fmt: skip
        self.dialect, own = dialect, dialect.bounds
        area = limits(own.min_pixels, own.max_pixels, min_pixels, max_pixels)
        self.bounds = PictureBounds(own.factor, *area)
        self.max_new_tokens = max_new_tokens or dialect.max_tokens
        self.temperature = dialect.temperature if temperature is None else temperature
        self.top_p = dialect.top_p if top_p is None else top_p

    @abstractmethod
    def answers(self, chats: Sequence[Chat]) -> list[Written | ContextFull]:
        """Answer several chats, at the same time where that is possible.

        Raises:
            EnvironmentFault: the model could not be reached.
            UsageError: it cannot be asked in this way.
        """

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode."""
        return ChatConversation(self, task, action_space, seed or 0)

    def decide_many(self, requests: Sequence[Request]) -> list[Decision]:
        """Decide for several conversations: their chats are answered together.

        A chat that is too long for the model is shortened once, to its last two steps.
        """
        conversations = [
            started_by(self, conversation, ChatConversation) for conversation, _ in requests
        ]
        for conversation, (_, observation) in zip(conversations, requests, strict=True):
            conversation.look(observation)
        written = self.answers([conversation.chat() for conversation in conversations])
        full = [i for i, answer in enumerate(written) if isinstance(answer, ContextFull)]
        if full:
            for i in full:
                conversations[i].forget_old_steps()
            again = self.answers([conversations[i].chat() for i in full])
            shortened = dict(zip(full, again, strict=True))
            written = [shortened.get(i, answer) for i, answer in enumerate(written)]
        return [
            conversation.conclude(_answered(answer))
            for conversation, answer in zip(conversations, written, strict=True)
        ]

    def shown_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return the size at which the model sees a screen."""
        return seen_size(width_px, height_px, self.bounds)

    def shown(self, pixels: Pixels) -> Pixels:
        """Return a screen as it is given to the model.

        Where places are written in pixels they are those of the size that the model sees. Else
        whoever prepares the pictures resizes them once, and twice would only blur them.

        Args:
            pixels: RGB uint8 (H, W, 3).
        """
        area = pixels.shape[0] * pixels.shape[1]
        fits = self.bounds.min_pixels <= area <= self.bounds.max_pixels
        if fits and self.dialect.codec.unit != "pixels":
            return pixels
        return resized(pixels, self.bounds)

    def describe(self) -> dict[str, Any]:
        """Return what the record keeps."""
        codec, own = self.dialect.codec, self.dialect.prompt
        return {
            **({} if own is None else {"prompt": own.text}),
            "name": self.name, "dialect": self.dialect.name, "coordinates": codec.unit,
            "window": self.dialect.window, "min_pixels": self.bounds.min_pixels,
            "max_pixels": self.bounds.max_pixels, "temperature": self.temperature,
            "top_p": self.top_p, "max_new_tokens": self.max_new_tokens,
        }  # fmt: skip


class ChatConversation(Conversation):
    """One episode's turns.

    Args:
        policy: Who decides.
        task: What to do.
        action_space: The actions that the episode permits.
        seed: Fixes what is drawn.
    """

    def __init__(self, policy: ChatPolicy, task: str, action_space: ActionSpace, seed: int) -> None:
        self.policy, self._task, self._space, self._seed = policy, task, action_space, seed
        self._turns: list[Turn] = []
        self._pictures: dict[int, Pixels] = {}
        self._geometry_name: str | None = None
        self._pointer: Point | None = None
        self._first = 0
        self._memory: dict[str, Any] = {}
        self._preprocess_s = 0.0

    def decide(self, observation: Observation) -> Decision:
        """Look, ask the model, and read its call."""
        return self.policy.decide_many([(self, observation)])[0]

    def look(self, observation: Observation) -> None:
        """Take the screen, at the size that the model sees."""
        began_s = time.perf_counter()
        step = len(self._turns)
        picture = self.policy.shown(observation.pixels)
        height, width = picture.shape[:2]
        self._turns.append(Turn(observation.text, observation.feedback, size_px=(width, height)))
        self._pictures[step] = picture
        kept = self.policy.dialect.pictures(self._turns)
        self._pictures = {n: p for n, p in self._pictures.items() if n in kept}
        self._geometry_name = observation.geometry.screen
        self._preprocess_s = time.perf_counter() - began_s

    def chat(self) -> Chat:
        """Return what the model is to answer now."""
        dialect = self.policy.dialect
        messages = dialect.messages(self._task, self._space, self._turns[self._first :])
        shown = {
            part.step + self._first
            for message in messages for part in message.parts if isinstance(part, Picture)
        }  # fmt: skip
        pictures = {step - self._first: self._pictures[step] for step in shown}
        seed = self._seed * 10_000 + len(self._turns)
        return Chat(messages, self._space, pictures, dialect.answer_begins, seed, self._memory)

    def forget_old_steps(self) -> None:
        """Leave all but the last two steps out of what the model is told."""
        self._first = max(self._first, len(self._turns) - 2)

    def conclude(self, written: Written) -> Decision:
        """Read the call that the model wrote."""
        began_s = time.perf_counter()
        turn, codec = self._turns[-1], self.policy.dialect.codec
        where = codec.coordinates(self._geometry_name, *turn.size_px, pointer=self._pointer)
        parsed = codec.parse(written.text, self._space, where)
        if written.is_cut:
            parsed = parsed.cut_off(written.tokens["generated"])
        marks = self.policy.dialect.answer_marks
        self._turns[-1] = replace(
            turn,
            answer=without_control_tokens(written.text, marks),
            thought=parsed.thought,
            action=parsed.action,
        )
        if parsed.action is not None and parsed.action.points():
            self._pointer = list(parsed.action.points().values())[-1]
        timings = {"preprocess": self._preprocess_s, **written.timings_s}
        left_out = {"left_out_steps": self._first} if self._first else {}
        return Decision(
            thought=parsed.thought, action=parsed.action, error=parsed.error,
            raw_text=written.text, not_performed=parsed.not_performed,
            timings_s={**timings, "parse": time.perf_counter() - began_s},
            tokens={**written.tokens, **left_out},
        )  # fmt: skip


def seen_size(width_px: int, height_px: int, bounds: PictureBounds) -> tuple[int, int]:
    """Return the size at which a model sees a screen, (width, height) in pixels.

    Args:
        width_px: Width of the screen.
        height_px: Its height.
        bounds: The dialect's.
    """
    settings = replace(
        PUBLISHED, patch_size=bounds.factor // PUBLISHED.merge_size,
        min_pixels=bounds.min_pixels, max_pixels=bounds.max_pixels,
    )  # fmt: skip
    height, width = smart_resize(height_px, width_px, settings)
    return width, height


def resized(pixels: Pixels, bounds: PictureBounds) -> Pixels:
    """Return a screen at the size that the model sees: what pixel coordinates refer to.

    Args:
        pixels: RGB uint8 (H, W, 3).
        bounds: The dialect's.
    """
    height, width = pixels.shape[:2]
    size = seen_size(width, height, bounds)
    if size == (width, height):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def in_one_turn(messages: Sequence[Message]) -> list[Message]:
    """Return a chat in which what continues the model's turn stands in it, on a new line.

    Its last turn is then the model's own, and open.

    Args:
        messages: The chat as a dialect lays it out.
    """
    joined: list[Message] = []
    before: Message | None = None
    for message in messages:
        if joined and (message.continues or (before and before.continues)):
            between = ("\n",) if message.continues else ()
            parts = (*joined[-1].parts, *between, *message.parts)
            joined[-1] = replace(joined[-1], parts=parts)
        else:
            joined.append(message)
        before = message
    return joined


def content(message: Message, picture: Callable[[Picture], dict[str, Any]]) -> Any:
    """Return a turn as chat templates and servers read it; one of text alone is a text.

    Args:
        message: The turn.
        picture: Says what stands for a picture.
    """
    if all(isinstance(part, str) for part in message.parts):
        return "".join(map(str, message.parts))
    return [
        picture(part) if isinstance(part, Picture) else {"type": "text", "text": part}
        for part in message.parts
    ]


def _answered(answer: Written | ContextFull) -> Written:
    if isinstance(answer, ContextFull):
        raise UsageError(f"the model's context is too short for one step: {answer}")
    return answer
