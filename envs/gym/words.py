"""What a Gymnasium environment says beside its frames: words, a yes or no, scalars."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from eyehand.envs.gym.contained import one_number

_SUCCESS_KEYS = ("is_success", "success")
_TOO_LARGE = 2.0**63
"""Numbers from here on, infinities among them, are left out of records."""


def words_of(seen: Any) -> tuple[str | None, str]:
    """Return the mission and the other words of a Gymnasium observation."""
    if isinstance(seen, str):
        return None, _text(seen)
    if not isinstance(seen, dict):
        return None, ""
    words = {key: _text(value) for key, value in seen.items() if isinstance(value, str)}
    mission = words.pop("mission", "").strip() or None
    return mission, "\n".join(f"{key}: {value}" for key, value in words.items())


def _text(words: str) -> str:
    """Return words that UTF-8 can hold: half a surrogate pair becomes a question mark."""
    return words.encode("utf-8", "replace").decode("utf-8")


def own_word(said: Mapping[str, Any]) -> str | None:
    """Return the key under which the environment itself says yes or no; None without one."""
    return next((key for key in _SUCCESS_KEYS if _is_flag(said.get(key))), None)


def _is_flag(value: Any) -> bool:
    """Return whether a value is a plain yes or no: True, False, 0 or 1 of any scalar type."""
    return one_number(value) in (0, 1)


def scalars(said: dict[str, Any]) -> dict[str, Any]:
    """Keep the parts of a Gymnasium info that JSON can hold; infinities and arrays are left out."""
    kept: dict[str, Any] = {}
    for key, value in said.items():
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, str):
            kept[str(key)] = _text(plain)
        elif isinstance(plain, bool | int | float) and abs(plain) < _TOO_LARGE:
            kept[str(key)] = plain
    return kept
