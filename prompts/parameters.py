"""What a prompt says about an action's arguments, from the action's own JSON schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eyehand.actions import Action, Point
from eyehand.actions.coordinates import Unit

PHRASES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "thousandths": "x and y range from 0 to 1000",
        "fraction": "x and y range from 0 to 1",
        "pixels": "x and y are pixels of the picture",
        "choice": "one of {values}",
        "range": "{low} to {high}",
        "least": "at least {low}",
        "most": "at most {high}",
        "join": "; ",
    },
    "zh": {
        "thousandths": "x 和 y 的范围是 0 到 1000",
        "fraction": "x 和 y 的范围是 0 到 1",
        "pixels": "x 和 y 是图片的像素",
        "choice": "取值：{values}",
        "range": "{low} 到 {high}",
        "least": "至少 {low}",
        "most": "至多 {high}",
        "join": "；",
    },
}
"""The words that state bounds, by language."""

_POINT_SCHEMA = {
    "type": "array",
    "items": {"type": "number", "minimum": 0, "maximum": 1000},
    "minItems": 2,
    "maxItems": 2,
}
_NO_BOUND = 1e15
_KEPT = ("type", "enum", "const", "minimum", "maximum", "minLength", "maxLength", "minItems")
_KEPT_TOO = ("maxItems", "exclusiveMinimum", "exclusiveMaximum", "pattern")


@dataclass(frozen=True)
class Parameter:
    """One argument as a prompt states it.

    Attributes:
        name: The field's name.
        description: What it is, with its bounds in words.
        required: Whether a call must give it.
        schema: Its JSON schema in the numbers that a model writes (points 0 to 1000).
    """

    name: str
    description: str
    required: bool
    schema: dict[str, Any]


def parameters(
    action_type: type[Action],
    translated: Mapping[str, str] | None = None,
    language: str = "en",
    unit: Unit = "thousandths",
) -> list[Parameter]:
    """Return an action's parameters, in the order of its fields.

    Args:
        action_type: The action.
        translated: Descriptions in `language` by field; the field's own is used where none is.
        language: A key of `PHRASES`, for the words about bounds.
        unit: How the codec writes places (`Codec.unit`).
    """
    schema = action_type.model_json_schema()
    definitions = schema.get("$defs", {})
    required = set(schema.get("required", []))
    found = []
    for name, subschema in schema.get("properties", {}).items():
        text = (translated or {}).get(name) or subschema.get("description", name)
        plain = _resolved(subschema, definitions)
        described = PHRASES[language]["join"].join(
            filter(None, [text, _bounds(plain, language, unit)])
        )
        found.append(Parameter(name, described, name in required, plain))
    return found


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Return a field's schema without references, null, titles and examples."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        if name == Point.__name__:
            return dict(_POINT_SCHEMA)
        return _resolved(definitions[name], definitions)
    if "anyOf" in schema:
        options = [
            _resolved(option, definitions)
            for option in schema["anyOf"]
            if option.get("type") != "null"
        ]
        return options[0] if len(options) == 1 else {"anyOf": options}
    kept = {key: schema[key] for key in (*_KEPT, *_KEPT_TOO) if key in schema}
    if "items" in schema:
        kept["items"] = _resolved(schema["items"], definitions)
    if "properties" in schema:
        kept["properties"] = {
            name: _resolved(value, definitions) for name, value in schema["properties"].items()
        }
    return kept


def _bounds(schema: Mapping[str, Any], language: str, unit: Unit) -> str:
    """State a schema's bounds in words; empty where the description says enough."""
    phrases = PHRASES[language]
    if schema == _POINT_SCHEMA:
        return phrases[unit]
    if "enum" in schema:
        return phrases["choice"].format(values=", ".join(map(str, schema["enum"])))
    low = _stated(schema.get("minimum", schema.get("exclusiveMinimum")))
    high = _stated(schema.get("maximum", schema.get("exclusiveMaximum")))
    if low is not None and high is not None:
        return phrases["range"].format(low=_number(low), high=_number(high))
    if low is not None:
        return phrases["least"].format(low=_number(low))
    return phrases["most"].format(high=_number(high)) if high is not None else ""


def _stated(bound: float | None) -> float | None:
    """Return a bound that says something; a number type's own limits do not."""
    return bound if bound is not None and abs(bound) < _NO_BOUND else None


def _number(value: float) -> str:
    return f"{value:.10g}"
