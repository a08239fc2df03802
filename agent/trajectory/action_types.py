"""Action types as a record tells them: a prompt and a call are written again without their code.

The JSON schema of a record is data of anybody: only its names and kinds become fields, and nothing
of it is run.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, cast

from pydantic import create_model

from eyehand.actions import Action, ActionSpace, Point
from eyehand.agent.trajectory.records import ActionTypeRecord
from eyehand.errors import UsageError

_FIELD = re.compile(r"[a-z][a-z0-9_]{0,59}")
_KINDS: Mapping[str, Any] = {
    "string": str, "integer": int, "number": float, "boolean": bool, "array": list[Any],
    "object": dict[str, Any], "null": None,
}  # fmt: skip


class _RecordedAction(Action):
    """Base of the types that are built from a record."""

    recorded_schema: ClassVar[dict[str, Any]] = {}

    @classmethod
    def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
        """Return the schema that was recorded: a prompt states it as it did then."""
        return cls.recorded_schema


def recorded_space(records: Sequence[ActionTypeRecord]) -> ActionSpace:
    """Return the actions that an episode permitted, in their order.

    Args:
        records: Of the episode's first line.

    Raises:
        UsageError: there is none, or one cannot be an action.
    """
    if not records:
        raise UsageError("the record does not say which actions were permitted")
    return ActionSpace([_type_of(record) for record in records])


def _type_of(record: ActionTypeRecord) -> type[Action]:
    schema = record.json_schema
    required, properties = schema.get("required", []), schema.get("properties", {})
    if not isinstance(properties, dict) or not isinstance(required, list):
        raise UsageError(f"the record of the action {record.name[:60]!r} is no JSON schema")
    fields: dict[str, Any] = {}
    for name, part in properties.items():
        if not _FIELD.fullmatch(name) or hasattr(Action, name) or not isinstance(part, dict):
            raise UsageError(f"{name[:60]!r} cannot be an argument of {record.name[:60]!r}")
        fields[name] = (_annotation(part), ... if name in required else part.get("default"))
    made = create_model("Recorded", __base__=_RecordedAction, __doc__=record.description, **fields)
    made.name, made.recorded_schema = record.name, schema
    return cast(type[Action], made)


def _annotation(schema: Mapping[str, Any]) -> Any:
    """Return the type of a field: a place, a choice, or what JSON calls it."""
    reference, options = schema.get("$ref"), schema.get("anyOf")
    if isinstance(reference, str):
        return Point if reference.rsplit("/", 1)[-1] == Point.__name__ else Any
    if isinstance(options, list) and all(isinstance(option, dict) for option in options):
        found = _annotation(options[0]) if options else Any
        for option in options[1:]:
            found = found | _annotation(option) if found is not Any else Any
        return found
    choices = schema.get("enum")
    if isinstance(choices, list) and choices and all(isinstance(c, str) for c in choices):
        return Literal[tuple(choices)]
    kind = schema.get("type")
    return _KINDS.get(kind, Any) if isinstance(kind, str) else Any
