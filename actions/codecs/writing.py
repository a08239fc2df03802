"""What both dialects share in writing: arguments as JSON, and text that cannot be mistaken."""

import json
import re
from typing import Any

from eyehand.actions.action import Action, Point
from eyehand.actions.coordinates import Coordinates

# Inside a JSON string these would end the answer, open a call or become a special token. All of
# them stay readable: JSON writes the first character as an escape.
_MISTAKABLE = re.compile(
    r"✿|<(?=\||/?tool_)|\*(?=[ \t]*(?:FUNCTION|ARGS|RESULT|RETURN))"
    r"|(?<=FUNCTION)\*|(?<=ARGS)\*|(?<=RESULT)\*|(?<=RETURN)\*"
)


def written_arguments(action: Action, coordinates: Coordinates | None = None) -> dict[str, Any]:
    """Return the arguments by field, points in the dialect's numbers, without None.

    Args:
        action: The call.
        coordinates: How the model writes places; thousandths by default.
    """
    writer = coordinates or Coordinates()
    arguments = action.arguments()
    for field in type(action).model_fields:
        value = getattr(action, field)
        if isinstance(value, Point):
            arguments[field] = writer.write(value)
    return arguments


def as_json(value: Any) -> str:
    """Write JSON on one line, Unicode as it is, nothing in it that a codec would stumble over."""
    text = json.dumps(value, ensure_ascii=False)
    return _MISTAKABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def clean_thought(thought: str) -> str:
    """Return the thought, stripped, without the marks that would open or end a call."""
    return _MISTAKABLE.sub("", thought).strip()
