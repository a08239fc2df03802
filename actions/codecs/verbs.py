"""Verbs: what a dialect calls the actions, read and written from one table.

A dialect of a published model has words of its own: `left_double` for a double click, `finished`
for the end. A `Verb` says which word stands for which action and how the arguments change places.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from eyehand.actions.action import Action, Point
from eyehand.actions.codecs.codec import Codec, Parsed
from eyehand.actions.codecs.marks import without_control_tokens
from eyehand.actions.codecs.places import place
from eyehand.actions.codecs.reading import encodable, known_name, shorten
from eyehand.actions.codecs.writing import written_arguments
from eyehand.actions.coordinates import Coordinates
from eyehand.actions.nearest import nearest, what_is_permitted
from eyehand.actions.space import ActionSpace, holds_point
from eyehand.errors import ModelFeedback, UnknownAction, Unparsable, UsageError

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Here:
    """What a word's meaning may lean on.

    Attributes:
        coordinates: How places are written, and on which screen.
        fields: The fields that the action has here; vocabularies differ.
        thought: What the model wrote before the call.
    """

    coordinates: Coordinates
    fields: frozenset[str] = frozenset()
    thought: str = ""


Read = Callable[[Arguments, Here], Arguments | None]
"""From a verb's arguments to an action's; None where this verb does not mean that action."""
Write = Callable[[Action, Here], Arguments | None]
"""From an action to a verb's arguments, points left as they are; None where it cannot say it."""


@dataclass(frozen=True)
class VerbCall:
    """A call as it was written.

    Attributes:
        verb: The dialect's word.
        arguments: Its arguments by name.
        text: The whole call, for messages.
    """

    verb: str
    arguments: Arguments
    text: str = ""


@dataclass(frozen=True)
class Verb:
    """One word of a dialect and one action that it stands for.

    Attributes:
        word: The dialect's word.
        action: The action's name.
        read: Turns the arguments of the one into those of the other; None where the word, when it
            is read, means another action.
        write: The way back; None where the action is never said so.
        shown: How the prompt shows a call of it; "" where it does not.
    """

    word: str
    action: str
    read: Read | None
    write: Write | None
    shown: str = ""


def verb(
    word: str,
    action: str,
    names: Mapping[str, str] | None = None,
    *,
    shown: str = "",
    means: Mapping[str, Any] | None = None,
    ignored: Sequence[str] = (),
) -> Verb:
    """Return a verb whose arguments only have other names.

    Args:
        word: The dialect's word.
        action: The action's name.
        names: The verb's argument to the action's field.
        shown: How the prompt shows a call of it; "" where it does not.
        means: Fields that the action then has, with their values.
        ignored: Arguments that models write and no action has.
    """
    fields, meant = dict(names or {}), dict(means or {})

    def read(arguments: Arguments, here: Here) -> Arguments | None:
        kept = {n: v for n, v in arguments.items() if n not in ignored}
        return {fields.get(name, name): value for name, value in kept.items()} | meant

    def write(given: Action, here: Here) -> Arguments | None:
        values = given_fields(given)
        if any(values.pop(name, None) != value for name, value in meant.items()):
            return None
        back = {field: name for name, field in fields.items()}
        return {back.get(name, name): value for name, value in values.items()}

    return Verb(word, action, read, write, shown)


def given_fields(action: Action) -> dict[str, Any]:
    """Return the fields that a call would have to give: those that are not at their default."""
    fields = type(action).model_fields
    values = {name: getattr(action, name) for name in fields}
    return {
        name: value for name, value in values.items()
        if fields[name].is_required() or value != fields[name].default
    }  # fmt: skip


def read_line(text: Any, here: Here) -> Arguments:
    """Return a typed text's fields, where a line end after it presses Enter.

    Args:
        text: What the model wrote.
        here: The fields that the action has.
    """
    ends = isinstance(text, str) and len(text) > 1 and text.endswith("\n")
    if ends and "press_enter" in here.fields:
        return {"text": text[:-1], "press_enter": True}
    return {"text": text}


def written_line(action: Action) -> str:
    """Return a typed text, with a line end after it where Enter follows."""
    given = given_fields(action)
    return str(given["text"]) + ("\n" if given.get("press_enter") else "")


class VerbCodec(Codec):
    """A dialect with words of its own. Subclasses know the grammar of a call.

    Attributes:
        verbs: Its words; of several that fit a call or an action, the first is taken.
        expected: How a call is written, for messages to the model.
    """

    verbs: ClassVar[tuple[Verb, ...]]
    expected: ClassVar[str]

    @abstractmethod
    def read_calls(self, text: str) -> tuple[str, list[VerbCall]]:
        """Take an answer apart into its thought and its calls, at least one.

        Raises:
            Unparsable: there is no call, or the first one cannot be read.
        """

    @abstractmethod
    def write_call(self, word: str, arguments: Arguments, coordinates: Coordinates) -> str:
        """Write a call; points among the arguments are Points.

        Args:
            word: The dialect's word.
            arguments: Its arguments.
            coordinates: How places are written.
        """

    @abstractmethod
    def with_thought(self, call: str, thought: str) -> str:
        """Put a thought before a call, as the dialect does."""

    def neutral(self, text: str) -> str:
        """Return text from outside without control tokens and without the dialect's marks."""
        return self.without_marks(without_control_tokens(text))

    @abstractmethod
    def without_marks(self, text: str) -> str:
        """Return text from outside with the dialect's marks made harmless."""

    def parse(
        self, text: str, space: ActionSpace, coordinates: Coordinates | None = None
    ) -> Parsed:
        """Read the first call; further ones are returned as not performed."""
        text = encodable(text)
        where = coordinates or self.coordinates()
        try:
            thought, calls = self.read_calls(text)
        except Unparsable as error:
            return Parsed(text.strip(), error=Unparsable(f"{error}; write {self.expected}"))
        thought = encodable(thought)  # JSON may name half a character by its number
        others = tuple(shorten(call.text) for call in calls[1:])
        try:
            action = self._action(calls[0], space, where, thought)
        except ModelFeedback as error:
            return Parsed(thought, error=error, not_performed=others)
        return Parsed(thought, action=action, not_performed=others)

    def write(
        self, action: Action, coordinates: Coordinates | None = None, thought: str = ""
    ) -> str:
        """Write the thought and the call.

        Raises:
            UsageError: the dialect has no word for the action.
        """
        where = coordinates or self.coordinates()
        said = self.words_for(action, where)
        if said is None:
            raise UsageError(f"the dialect {self.name} has no words for {action}")
        return self.with_thought(self.write_call(*said, where), thought)

    def words_for(self, action: Action, coordinates: Coordinates) -> tuple[str, Arguments] | None:
        """Return the word and the arguments for an action; None where there are none."""
        for known in self.verbs:
            if known.action == action.name and known.write is not None:
                arguments = known.write(
                    action, Here(coordinates, frozenset(type(action).model_fields))
                )
                if arguments is not None:
                    return known.word, arguments
        if self.says_own_names and not self._is_taken(action.name):
            fields = given_fields(action)
            plain = written_arguments(action, coordinates)
            return action.name, {
                name: value if isinstance(value, Point) else plain[name]
                for name, value in fields.items()
                if isinstance(value, Point) or name in plain
            }
        return None

    def can_say(self, action_type: type[Action]) -> bool:
        """Return whether some call of the dialect may mean an action of this type."""
        known = any(w.action == action_type.name and w.read and w.write for w in self.verbs)
        return known or (self.says_own_names and not self._is_taken(action_type.name))

    def words(self, space: ActionSpace) -> list[Verb]:
        """Return the words that mean something in an action space, in the dialect's order."""
        return [w for w in self.verbs if w.action in space.names and w.read is not None]

    def others(self, space: ActionSpace) -> list[type[Action]]:
        """Return the actions that are called by their own names, in the space's order."""
        said = {known.action for known in self.verbs}
        return [t for t in space.types if t.name not in said and self.can_say(t)]

    def _is_taken(self, name: str) -> bool:
        """Return whether an action's own name is a word of the dialect, for something else."""
        return any(known.word == name for known in self.verbs)

    def _action(
        self, call: VerbCall, space: ActionSpace, coordinates: Coordinates, thought: str
    ) -> Action:
        """Build the action that a call means here.

        Raises:
            ModelFeedback: it means none that is permitted, or its arguments are not valid.
        """
        meant = [known for known in self.verbs if known.word == call.verb]
        for known in meant:
            if known.action in space.names and known.read is not None:
                fields = frozenset(space.type_named(known.action).model_fields)
                arguments = known.read(call.arguments, Here(coordinates, fields, thought))
                if arguments is not None:
                    return self._built(known.action, arguments, space, coordinates)
        name = known_name(call.verb, space, self.expected)
        if meant or not self.says_own_names or name not in space.names or self._is_taken(name):
            permitted = [known.word for known in self.words(space)]
            permitted += [t.name for t in self.others(space)]
            offered = list(dict.fromkeys(permitted))
            close = what_is_permitted(nearest(call.verb, offered), offered)
            raise UnknownAction(f"{call.verb[:60]!r} is not an action here; {close}")
        return self._built(name, call.arguments, space, coordinates)

    def _built(
        self, name: str, arguments: Arguments, space: ActionSpace, coordinates: Coordinates
    ) -> Action:
        fields = space.type_named(name).model_fields
        read = {
            field: place(value)
            if field in fields and holds_point(fields[field].annotation)
            else value
            for field, value in arguments.items()
        }
        return space.build(name, read, coordinates)
