"""Codec: how one dialect writes a call, and what was read from an answer."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

from eyehand.actions.action import Action, Point
from eyehand.actions.codecs.grammar import CallGrammar
from eyehand.actions.coordinates import Coordinates, Unit
from eyehand.actions.space import ActionSpace
from eyehand.errors import ModelFeedback, Unparsable


@dataclass(frozen=True)
class Parsed:
    """What was read from one answer. Exactly one of `action` and `error` is set.

    Attributes:
        thought: The text before the call.
        action: The call, validated against the action space.
        error: Why there is no action, written for the model to read.
        not_performed: Further calls of the same answer, shortened, as text.
    """

    thought: str = ""
    action: Action | None = None
    error: ModelFeedback | None = None
    not_performed: tuple[str, ...] = ()

    def cut_off(self, tokens: int) -> "Parsed":
        """Return what was read without its action, which was not written to its end.

        What is left of a call may look like another: `go` of `go_back`.

        Args:
            tokens: How many were written until then.
        """
        if self.action is None:
            return self
        message = f"the call was cut off after {tokens} tokens; write less before it, or in it"
        return replace(self, action=None, error=Unparsable(message))


class Codec(ABC):
    """One dialect of calls.

    Attributes:
        name: What `make_codec` calls it.
        unit: How it writes places.
        says_own_names: Whether an action that the dialect has no word for, such as one of a game
            or of a user, is called by its own name.
        stop_words: Texts at which generation stops; none of them is part of an answer.
        before_observation: Template text between an answer and the next screen, where a history
            only grows.
        after_observation: Template text between that screen and the next answer.
    """

    name: ClassVar[str]
    unit: ClassVar[Unit] = "thousandths"
    says_own_names: ClassVar[bool] = True
    stop_words: tuple[str, ...] = ()
    before_observation: str
    after_observation: str

    def coordinates(
        self, screen: str | None = None, width_px: int = 0, height_px: int = 0,
        pointer: Point | None = None,
    ) -> Coordinates:  # fmt: skip
        """Return how places on one screen are written.

        Args:
            screen: The screen's name.
            width_px: Width of the picture that the model saw.
            height_px: Its height.
            pointer: Where the last action left the pointer.
        """
        return Coordinates(self.unit, width_px, height_px, screen, pointer=pointer)

    @abstractmethod
    def parse(
        self, text: str, space: ActionSpace, coordinates: Coordinates | None = None
    ) -> Parsed:
        """Read the first call of an answer. Never raises, whatever the text is.

        Args:
            text: The answer as generated.
            space: The permitted actions.
            coordinates: How the model writes places; thousandths by default.
        """

    @abstractmethod
    def write(
        self, action: Action, coordinates: Coordinates | None = None, thought: str = ""
    ) -> str:
        """Write a call exactly as a model is trained to.

        Args:
            action: The call.
            coordinates: How the model writes places; thousandths by default.
            thought: The reasoning before the call; an empty one writes nothing.
        """

    def can_say(self, action_type: type[Action]) -> bool:
        """Return whether some call may mean an action of this type."""
        return True

    def grammar(self, space: ActionSpace) -> CallGrammar | None:
        """Return what a model may write of a call, as `write` does; None where that is not known.

        A thought is free: a grammar begins where a call does. Where a model wrote more than it
        may, such as a call within a thought, the reader reads as if there were none.

        Args:
            space: The permitted actions.
        """
        return None

    @abstractmethod
    def neutral(self, text: str) -> str:
        """Return text from outside with the dialect's marks made harmless.

        What a page says can then neither end a result nor begin a call. A text without marks stays
        as it is, and so does the dialect's own description of a call, which feedback quotes.

        Args:
            text: What a page, a device or a person says.
        """
