"""The function-calling rule: type match is the right function, exact match the right arguments too.

Source: Qwen2-VL (arXiv:2409.12191), which reports both for its function-calling benchmark. The
benchmark is not public and the report does not say when two arguments are equal. Here they are
equal as JSON: numbers by value, texts to the character in Unicode's composed form (NFC), lists in
order, an argument that is null as one that is absent. A point has to be the very same; use the
rule "aitz" for places on a screen.
"""

import unicodedata
from typing import Any

from eyehand.agent.scoring.steps import Call


def type_match(prediction: Call | None, reference: Call) -> bool:
    """Return whether the predicted function is the reference's; no prediction matches nothing."""
    return prediction is not None and prediction.name == reference.name


def exact_match(prediction: Call | None, reference: Call) -> bool:
    """Return whether function and arguments are the reference's."""
    if prediction is None or prediction.name != reference.name:
        return False
    return same_value(prediction.arguments, reference.arguments)


def same_value(left: Any, right: Any) -> bool:
    """Return whether two JSON values are equal.

    Example:
        >>> same_value({"n": 1, "unit": None}, {"n": 1.0})
        True
        >>> same_value(True, 1)
        False
    """
    if isinstance(left, dict) and isinstance(right, dict):
        left, right = _given(left), _given(right)
        return left.keys() == right.keys() and all(same_value(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same_value, left, right))
    if isinstance(left, str) and isinstance(right, str):
        return unicodedata.normalize("NFC", left) == unicodedata.normalize("NFC", right)
    # In Python True == 1; in JSON they are different values.
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _given(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}
