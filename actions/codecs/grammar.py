"""The grammar of calls: what may be written once a call has begun, made of an action space.

Its rules are in llguidance's dialect of Lark. Nothing but the space's own types goes into them: no
word of a task, a page or a model.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eyehand.actions.action import WRITTEN, Action
from eyehand.actions.codecs.writing import as_json
from eyehand.actions.space import ActionSpace, holds_point

_CHARACTER = (
    r'([^"\\\x00-\x1f]'
    r'|\\(["\\/bfnrt]|u([0-9a-cA-Ce-fE-F][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2})))'
)
_LARGEST = 10**15 - 1
"""What bounds a number that has no bound of its own: every number type holds it."""


@dataclass(frozen=True)
class CallGrammar:
    """How a call is written, for what holds a model to it.

    Attributes:
        begins: Where a call begins in an answer; before it everything may be written.
        rules: What follows, in llguidance's Lark, up to the call's end.
        never: What the model may not write in a call, because a reader would stumble over it.
    """

    begins: re.Pattern[str]
    rules: str
    never: re.Pattern[str]


def call_rules(space: ActionSpace, before: str, opens: Callable[[str], str], closes: str) -> str:
    """Return the rules of a call of any permitted action, with the arguments that it takes.

    Args:
        space: The permitted actions.
        before: What stands before the name.
        opens: From an action's name to the text from there to the arguments.
        closes: What stands after the arguments.
    """
    rules = _Rules()
    calls = [
        f"{_text(opens(action_type.name))} {rules.arguments(action_type)} {_text(closes)}"
        for action_type in space.types
    ]
    return "\n".join([f"start: {_text(before)} call", f"call: {_any(calls)}", *rules.lines])


class _Rules:
    """Collects rules; what it returns are expressions that refer to them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._shared: dict[str, str] = {}

    def arguments(self, action_type: type[Action]) -> str:
        """Return an action's arguments as an object, its points as pairs of thousandths."""
        schema = action_type.model_json_schema()
        definitions = schema.get("$defs", {})
        values = {}
        for name, subschema in schema.get("properties", {}).items():
            info = action_type.model_fields.get(name)
            is_point = info is not None and holds_point(info.annotation)
            values[name] = self._point() if is_point else self._value(subschema, definitions)
        return self._object(values, schema.get("required", []))

    def _point(self) -> str:
        number = self._terminal(r"0|[1-9][0-9]{0,2}|1000")
        return self._rule(f'"[" {number} ", " {number} "]"')

    def _value(self, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
        """Return what a JSON schema permits."""
        if WRITTEN in schema:
            return self._terminal(schema[WRITTEN])
        if "$ref" in schema:
            return self._referred(schema["$ref"].rsplit("/", 1)[-1], definitions)
        options = schema.get("anyOf", schema.get("oneOf"))
        if options:
            given = [option for option in options if option.get("type") != "null"]
            return self._rule(_any(self._value(option, definitions) for option in given))
        if "const" in schema or "enum" in schema:
            values = schema.get("enum", [schema.get("const")])
            return self._rule(_any(_text(as_json(value)) for value in values))
        return self._plain(schema, definitions)

    def _referred(self, name: str, definitions: Mapping[str, Any]) -> str:
        """Return a definition's rule, which may refer to itself."""
        key = f"{name} {json.dumps(definitions[name], sort_keys=True)}"
        if key not in self._shared:
            self._shared[key] = f"d{len(self._shared)}"
            value = self._value(definitions[name], definitions)
            self.lines.append(f"{self._shared[key]}: {value}")
        return self._shared[key]

    def _plain(self, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
        kind = schema.get("type")
        if kind == "boolean":
            return '("true" | "false")'
        if kind in ("integer", "number"):
            return self._rule(f"%json {json.dumps(_number(schema))}")
        if kind == "string":
            return self._string(schema)
        if kind == "array":
            return self._array(schema, definitions)
        if kind == "object":
            return self._members(schema, definitions)
        return self._rule("%json {}")

    def _string(self, schema: Mapping[str, Any]) -> str:
        if "pattern" in schema:
            # A pattern speaks of characters: none of them may be written as an escape then.
            return self._terminal(f'"{_whole(schema["pattern"])}"', r'"[^"\\\x00-\x1f]*"')
        shortest, longest = schema.get("minLength", 0), schema.get("maxLength", "")
        return self._terminal(f'"{_CHARACTER}{{{shortest},{longest}}}"')

    def _array(self, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
        if "prefixItems" in schema:
            parts = [self._value(part, definitions) for part in schema["prefixItems"]]
            return self._rule('"[" ' + ' ", " '.join(parts) + ' "]"')
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        if most == 0:
            return '"[]"'
        item = self._value(schema.get("items", {}), definitions)
        further = f"{{{max(0, least - 1)},{'' if most is None else most - 1}}}"
        items = f'{item} (", " {item}){further}'
        return self._rule(f'"[" {items if least else f"({items})?"} "]"')

    def _members(self, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
        if "properties" not in schema:
            name = self._terminal(f'"{_CHARACTER}{{1,100}}"')
            value = self._value(schema.get("additionalProperties") or {}, definitions)
            pair = f'{name} ": " {value}'
            return self._rule(f'"{{" ({pair} (", " {pair})*)? "}}"')
        values = {n: self._value(s, definitions) for n, s in schema["properties"].items()}
        return self._object(values, schema.get("required", []))

    def _object(self, values: Mapping[str, str], required: Sequence[str]) -> str:
        """Return an object whose members come in one order, those not required or not at all."""
        names = list(values)
        pairs = [f"{_text(as_json(name) + ': ')} {values[name]}" for name in names]
        begun = [
            f'", " {pair}' if name in required else f'(", " {pair})?'
            for name, pair in zip(names, pairs, strict=True)
        ]
        leading = next((i for i, name in enumerate(names) if name in required), len(names))
        beginnings = [" ".join([pairs[i], *begun[i + 1 :]]) for i in range(len(names))]
        possible = beginnings[: leading + 1]
        if not possible:
            return '"{}"'
        inside = self._rule(_any(possible))
        return self._rule(f'"{{" {inside if leading < len(names) else f"{inside}?"} "}}"')

    def _rule(self, body: str) -> str:
        """Return the name of the rule with this body."""
        return self._named("v", body)

    def _terminal(self, *patterns: str) -> str:
        """Return the name of the terminal that all these patterns match."""
        return self._named("T", " & ".join(f"/{_slashed(pattern)}/" for pattern in patterns))

    def _named(self, kind: str, body: str) -> str:
        key = f"{kind} {body}"
        if key not in self._shared:
            self._shared[key] = f"{kind}{len(self._shared)}"
            self.lines.append(f"{self._shared[key]}: {body}")
        return self._shared[key]


def _text(literal: str) -> str:
    """Return a literal text as a rule holds it."""
    return json.dumps(literal, ensure_ascii=False)


def _any(expressions: Iterable[str]) -> str:
    return " | ".join(expressions)


def _slashed(pattern: str) -> str:
    r"""Return a pattern as it stands between slashes: no bare one in it."""
    return re.sub(r"(?s)\\.|/", lambda found: r"\/" if found[0] == "/" else found[0], pattern)


def _whole(pattern: str) -> str:
    """Return a pattern that is searched for as one that is matched from end to end."""
    begins, ends = pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith(r"\$")
    inner = pattern[begins : len(pattern) - ends]
    return f"{'' if begins else '(?s:.*)'}({inner}){'' if ends else '(?s:.*)'}"


def _number(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a number's type with two bounds."""
    kept = {name: schema[name] for name in ("type", "multipleOf") if name in schema}
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    # A number with enough digits is rounded to a bound that is not permitted itself.
    if above:
        low = above + 1 if kept["type"] == "integer" else _inside(above, 1)
    if below:
        high = below - 1 if kept["type"] == "integer" else _inside(below, -1)
    lower = {"exclusiveMinimum": 0} if above == 0 else {"minimum": _bounded(low, -_LARGEST)}
    upper = {"exclusiveMaximum": 0} if below == 0 else {"maximum": _bounded(high, _LARGEST)}
    return kept | lower | upper


def _inside(bound: float, side: int) -> float:
    """Return a number of few digits next to a bound, above it (1) or below (-1)."""
    return float(f"{bound + side * abs(bound) * 1e-9:.9g}")


def _bounded(bound: float | None, without: float) -> float:
    """Return a bound that is not further than what all number types hold."""
    return without if bound is None else min(max(bound, -_LARGEST), _LARGEST)
