"""JSON as its standard has it, of whatever an environment or a policy put into a record."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def json_text(document: Any, indent: int | None = None) -> str:
    """Return a document as JSON in ASCII: one line, or indented.

    Example:
        >>> json_text({"reward": float("nan"), 3: (1, 2)})
        '{"reward": null, "3": [1, 2]}'
    """
    return json.dumps(json_ready(document), indent=indent, allow_nan=False)


def json_ready(value: Any) -> Any:
    """Return a value of plain types only; numbers that JSON does not know become None.

    Keys become text, arrays and tuples lists, and anything unknown what `str` makes of it.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): json_ready(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(part) for part in value]
    return str(value)
