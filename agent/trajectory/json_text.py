"""JSON as its standard has it, of whatever an environment or a policy put into a record.

And back: what is read may have been written by anybody, and is bounded in depth.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

MOST_DEPTH = 40
"""Lists and mappings within each other, written and read."""

MOST_BITS = 4096
"""Whole numbers that are larger are no numbers that others could read."""


def json_text(document: Any, indent: int | None = None) -> str:
    """Return a document as JSON in ASCII: one line, or indented.

    Example:
        >>> json_text({"reward": float("nan"), 3: (1, 2)})
        '{"reward": null, "3": [1, 2]}'
    """
    text = json.dumps(json_ready(document), indent=indent, allow_nan=False)
    return text.replace("\x7f", "\\u007f")  # the one control character that stays in ASCII


def json_ready(value: Any, depth: int = 0) -> Any:
    """Return a value of plain types only; numbers that JSON does not know become None.

    Keys become text, arrays and tuples lists, and anything unknown what `str` makes of it; what
    is nested deeper than `MOST_DEPTH` becomes "...".

    Args:
        value: Anything.
        depth: How many lists and mappings stand around it.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= MOST_BITS else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= MOST_DEPTH and isinstance(value, Mapping | list | tuple):
        return "..."
    if isinstance(value, Mapping):
        return {str(key): json_ready(part, depth + 1) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(part, depth + 1) for part in value]
    return str(value)


def read_json(data: bytes, finite: bool = False) -> Any:
    """Read a JSON document that anybody may have written.

    Args:
        data: UTF-8.
        finite: Whether numbers that are none (NaN, Infinity, 1e999) are refused.

    Raises:
        ValueError: it is not JSON in UTF-8, is nested deeper than `MOST_DEPTH`, or holds a number
            that is none; the message is one line.
    """
    try:
        document = json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise ValueError(f"it is nested deeper than {MOST_DEPTH}") from None
    _check(document, finite)
    return document


def _check(document: Any, finite: bool) -> None:
    """Go through a document level by level: functions that call themselves rely on its depth."""
    level, depth = [document], 0
    while level:
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
            elif finite and isinstance(value, float) and not math.isfinite(value):
                raise ValueError("it holds a number that is none, such as NaN")
        level, depth = inner, depth + 1
        if depth > MOST_DEPTH + 2:
            raise ValueError(f"it is nested deeper than {MOST_DEPTH}")
