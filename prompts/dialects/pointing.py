"""What the dialects of grounding models share: a target in words goes in, a place comes out.

They take no action but a click, and are meant for `--grounder`, beside a model that plans.
"""

import re
from collections.abc import Sequence
from typing import ClassVar

from eyehand.actions import Action, ActionSpace, Coordinates
from eyehand.actions.codecs.codec import Codec, Parsed
from eyehand.actions.codecs.marks import without_control_tokens
from eyehand.actions.codecs.places import place
from eyehand.actions.codecs.reading import encodable
from eyehand.errors import ModelFeedback, UnknownAction, Unparsable, UsageError
from eyehand.prompts.dialects.dialect import Dialect, Message, Picture, Turn

_NUMBER = r"-?\d{1,9}(?:\.\d{0,9})?"
_PAIR = rf"{_NUMBER}\s{{0,9}}[,，]\s{{0,9}}{_NUMBER}"
_PLACE = re.compile(
    rf"[(\[]\s{{0,9}}{_PAIR}\s{{0,9}}"
    rf"(?:[,，]\s{{0,9}}{_PAIR}\s{{0,9}}[)\]]|[)\]](?:\s{{0,9}}[,，]\s{{0,9}}[(\[]{_PAIR}[)\]])?)"
)
_CLICKS = ("click", "tap")


class PointingCodec(Codec):
    """The first place of an answer is the click; a box means its middle."""

    says_own_names: ClassVar[bool] = False

    def parse(
        self, text: str, space: ActionSpace, coordinates: Coordinates | None = None
    ) -> Parsed:
        """Read the place; words around it are not looked at."""
        text = encodable(text)
        named = next((name for name in _CLICKS if name in space.names), None)
        if named is None:
            return Parsed(error=UnknownAction("this model only points; nothing here is a click"))
        found = _PLACE.search(text)
        if found is None:
            return Parsed(error=Unparsable("the answer holds no place; write (x, y)"))
        try:
            where = coordinates or self.coordinates()
            return Parsed(action=space.build(named, {"point": place(found[0])}, where))
        except ModelFeedback as error:
            return Parsed(error=error)

    def write(
        self, action: Action, coordinates: Coordinates | None = None, thought: str = ""
    ) -> str:
        """Write `(x, y)`.

        Raises:
            UsageError: the action is no click.
        """
        if not self.can_say(type(action)):
            raise UsageError(f"the dialect {self.name} has no words for {action}")
        x, y = (coordinates or self.coordinates()).write(action.points()["point"])
        return f"({x}, {y})"

    def can_say(self, action_type: type[Action]) -> bool:
        """Return whether it is a click."""
        return action_type.name in _CLICKS

    def neutral(self, text: str) -> str:
        """Return text from outside without control tokens; there are no other marks."""
        return without_control_tokens(text)


class Pointing(Dialect):
    """One turn: the picture, then the question. Subclasses say the question."""

    points_only: ClassVar[bool] = True
    task_in_rules: ClassVar[bool] = True
    max_tokens: ClassVar[int] = 128

    codec: PointingCodec

    def messages(self, task: str, space: ActionSpace, turns: Sequence[Turn]) -> list[Message]:
        """Ask for the target; what was done before does not matter."""
        said = self.codec.neutral(turns[-1].said)
        question = self.rules(task, space, turns[-1].size_px)
        text = f"{said}\n{question}" if said else question
        return [Message("user", (Picture(len(turns) - 1), text))]
