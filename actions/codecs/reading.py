"""From a name and a text of arguments to a validated action: what both dialects share."""

from collections.abc import Mapping
from typing import Any

from eyehand.actions.action import Action
from eyehand.actions.codecs.arguments import ReadValue, read_arguments
from eyehand.actions.codecs.scanning import point_in_text
from eyehand.actions.coordinates import Coordinates
from eyehand.actions.space import ActionSpace, holds_point
from eyehand.errors import Unparsable

_AROUND_NAME = " \t\r\n`'\"*✿:：,，.。;()[]（）“”"
_SHOWN = 200


def build_call(
    name: str,
    arguments: str | ReadValue,
    space: ActionSpace,
    coordinates: Coordinates | None,
    expected: str,
) -> Action:
    """Build the action that a call names.

    Args:
        name: The name as it was written, possibly quoted or in another case.
        arguments: The arguments, as text or already read.
        space: The permitted actions.
        coordinates: How the model writes places.
        expected: How a call is written, for the message.

    Raises:
        ModelFeedback: the call is not valid; the message says what was expected.
    """
    action_type = space.type_named(known_name(name, space, expected))
    try:
        read = read_arguments(arguments) if isinstance(arguments, str) else arguments
    except Unparsable as error:
        raise Unparsable(f"{error}; write {expected}") from None
    value = read.value
    if isinstance(value, list):
        value = _bare_point(value, action_type, expected)
    if not isinstance(value, Mapping):
        raise Unparsable(f"the arguments are not an object with names; write {expected}")
    if read.open_objects and set(action_type.model_fields) - set(value):
        # What is missing at the end may have been meant: "scroll down" is not yet "by how much".
        raise Unparsable(f"the arguments are cut off before their closing brace; write {expected}")
    return space.build(action_type.name, _with_read_points(value, action_type), coordinates)


def encodable(text: str) -> str:
    """Return the text without lone surrogates, which no file or terminal could take."""
    return text.encode("utf-8", "replace").decode("utf-8")


def shorten(text: str) -> str:
    """Return the text on one line, at most 200 characters of it."""
    line = " ".join(text[: 4 * _SHOWN].split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."


def known_name(name: str, space: ActionSpace, expected: str) -> str:
    """Return the permitted name that was meant, or the name as written where none was.

    Args:
        name: As it was written.
        space: The permitted actions.
        expected: How a call is written, for the message.

    Raises:
        Unparsable: there is no name.
    """
    stripped = name.strip(_AROUND_NAME)
    plain = stripped.split("\n", 1)[0].strip(_AROUND_NAME)
    if not plain:
        raise Unparsable(f"the call names no action; write {expected}")
    if plain in space.names:
        return plain
    key = _name_key(plain)
    meant = [known for known in space.names if _name_key(known) == key]
    return meant[0] if len(meant) == 1 else plain


def _name_key(name: str) -> str:
    """Return a name without case and separators: "TypeText" and "type text" are type_text."""
    return "".join(letter for letter in name.casefold() if letter not in "_- ")


def _bare_point(value: list[Any], action_type: type[Action], expected: str) -> dict[str, Any]:
    """Give a value without a name to the only argument that it can mean.

    Raises:
        Unparsable: the action has not exactly one point, or needs something else too.
    """
    fields = action_type.model_fields
    points = [name for name, info in fields.items() if holds_point(info.annotation)]
    required = [name for name, info in fields.items() if info.is_required()]
    if len(points) != 1 or not set(required) <= set(points):
        raise Unparsable(f"the arguments have no names; write {expected}")
    return {points[0]: value}


def _with_read_points(value: Mapping[str, Any], action_type: type[Action]) -> dict[str, Any]:
    """Read points that were written as text."""
    read = dict(value)
    for name, info in action_type.model_fields.items():
        if isinstance(read.get(name), str) and holds_point(info.annotation):
            read[name] = point_in_text(read[name]) or read[name]
    return read
