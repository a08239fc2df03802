"""Uniform random arguments for an action type, from its JSON schema: the random policy's dice."""

import math
from functools import lru_cache
from typing import Any

import numpy as np

from eyehand.actions.action import Action, Point

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789 "
_UNBOUNDED_LIMIT = 100
_WIDEST = 1e15
_LONGEST_TEXT = 8


def sample_arguments(action_type: type[Action], generator: np.random.Generator) -> dict[str, Any]:
    """Draw valid arguments for every required field; optional fields are drawn half of the time.

    A field that a validator of its own narrows (a URL, key names) declares `examples`, and one of
    them is drawn.

    Args:
        action_type: The type whose fields are filled.
        generator: Source of randomness.
    """
    schema = _schema(action_type)
    definitions = schema.get("$defs", {})
    required = set(schema.get("required", []))
    drawn = {}
    for field, subschema in schema.get("properties", {}).items():
        if field in required or generator.random() < 0.5:
            drawn[field] = _sample_value(subschema, definitions, generator)
    return drawn


@lru_cache(maxsize=256)
def _schema(action_type: type[Action]) -> dict[str, Any]:
    """Return an action's JSON schema; making one takes a hundred times as long as a draw."""
    return action_type.model_json_schema()


def _sample_value(
    schema: dict[str, Any], definitions: dict[str, Any], generator: np.random.Generator
) -> Any:
    """Draw one value that a JSON schema admits."""
    if "examples" in schema:
        return schema["examples"][int(generator.integers(len(schema["examples"])))]
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        if name == Point.__name__:
            return {"x": float(generator.random()), "y": float(generator.random())}
        return _sample_value(definitions[name], definitions, generator)
    if "anyOf" in schema:
        options = [option for option in schema["anyOf"] if option.get("type") != "null"]
        return _sample_value(options[int(generator.integers(len(options)))], definitions, generator)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][int(generator.integers(len(schema["enum"])))]
    return _sample_plain(schema, definitions, generator)


def _sample_plain(
    schema: dict[str, Any], definitions: dict[str, Any], generator: np.random.Generator
) -> Any:
    """Draw a boolean, number, text, list or object within the schema's bounds."""
    kind = schema.get("type")
    if kind == "boolean":
        return bool(generator.integers(2))
    if kind == "integer":
        low, high = _bounds(schema, step=1)
        return int(generator.integers(math.ceil(low), math.floor(high) + 1))
    if kind == "number":
        low, high = _bounds(schema, step=0)
        # Not `uniform`: it refuses a range from 0.0 to -0.0.
        return min(max(low + float(generator.random()) * (high - low), low), high)
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: _sample_value(s, definitions, generator) for name, s in properties.items()}
    if kind == "array":
        items = schema.get("items", {"type": "string"})
        return [_sample_value(items, definitions, generator) for _ in range(_length(schema))]
    shortest = max(1, schema.get("minLength", 1))
    longest = min(max(shortest, _LONGEST_TEXT), schema.get("maxLength", math.inf))
    length = int(generator.integers(shortest, longest + 1))
    return "".join(_LETTERS[i] for i in generator.integers(0, len(_LETTERS), size=length))


def _length(schema: dict[str, Any]) -> int:
    """Return the shortest length that is not empty where the schema permits that."""
    shortest = int(schema.get("minItems", 1))
    return min(shortest, int(schema.get("maxItems", shortest)))


def _bounds(schema: dict[str, Any], step: int) -> tuple[float, float]:
    """Return the range to draw a number from; a side without a bound gets one near zero.

    Args:
        schema: A schema of a number.
        step: 1 for integers, 0 for real numbers: the distance to an exclusive bound (0 is the
            next number of double precision).
    """
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        bound = schema["exclusiveMinimum"]
        low = bound + 1 if step else math.nextafter(bound, math.inf)
    if "exclusiveMaximum" in schema:
        bound = schema["exclusiveMaximum"]
        high = bound - 1 if step else math.nextafter(bound, -math.inf)
    if low is not None and high is not None and high - low <= _WIDEST:
        return low, high
    # The range is open or as wide as its number type: draw near zero, as far as the bounds allow.
    lowest = -math.inf if low is None else low
    highest = math.inf if high is None else high
    middle = min(max(0, lowest), highest)
    return max(lowest, middle - _UNBOUNDED_LIMIT), min(highest, middle + _UNBOUNDED_LIMIT)
