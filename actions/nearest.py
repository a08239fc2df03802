"""The permitted actions that a model may have meant, for a message that it can use."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

# Names that models know from elsewhere, and what they are called here; the first one that is
# permitted counts.
_ELSEWHERE: dict[str, tuple[str, ...]] = {
    "tap": ("click", "double_click"),
    "click": ("click", "tap"),
    "leftclick": ("click", "tap"),
    "mouseclick": ("click", "tap"),
    "select": ("select_option", "click"),
    "choose": ("select_option", "click"),
    "input": ("type_text", "input_text"),
    "inputtext": ("type_text", "input_text"),
    "write": ("type_text", "input_text"),
    "enter": ("press_keys", "press_key"),
    "fill": ("type_text", "input_text"),
    "hotkey": ("press_keys", "press_key"),
    "key": ("press_keys", "press_key"),
    "keypress": ("press_keys", "press_key"),
    "keyboard": ("press_keys", "press_key"),
    "navigate": ("go_to", "open_app"),
    "goto": ("go_to",),
    "open": ("go_to", "open_app"),
    "visit": ("go_to",),
    "url": ("go_to",),
    "goback": ("back",),
    "refresh": ("reload",),
    "swipe": ("scroll", "swipe", "drag"),
    "move": ("hover", "drag"),
    "mousemove": ("hover",),
    "sleep": ("wait",),
    "stop": ("finish",),
    "end": ("finish",),
    "exit": ("finish",),
    "done": ("finish",),
    "complete": ("finish",),
    "terminate": ("finish",),
    "submit": ("finish", "answer", "click"),
    "reply": ("answer", "finish"),
    "respond": ("answer", "finish"),
    "say": ("answer", "finish"),
}
FEW = 8
"""So many actions are listed whole; of more only the nearest are named."""

_MOST_WORDS = 400


def nearest(name: str, names: Sequence[str]) -> list[str]:
    """Return the permitted names that are nearest to another one, the nearest first; at most 3.

    Args:
        name: What was written.
        names: The permitted names.

    Example:
        >>> nearest("click_element", ["click", "scroll"]), nearest("goto", ["go_to", "back"])
        (['click'], ['go_to'])
    """
    key = _key(name)
    by_key = {_key(known): known for known in names}
    words = [word for word in re.split(r"[^a-z]+", _spaced(name)) if word]
    found = [by_key[key]] if key in by_key else []
    found += [known for known in _ELSEWHERE.get(key, ()) if known in names]
    found += sorted((n for n in names if set(n.split("_")) <= set(words)), key=len, reverse=True)
    found += [by_key[close] for close in get_close_matches(key, by_key, n=3, cutoff=0.6)]
    found += [known for word in words for known in _ELSEWHERE.get(word, ()) if known in names]
    return list(dict.fromkeys(found))[:3]


def nearest_in_text(text: str, names: Sequence[str]) -> list[str]:
    """Return the permitted name that an answer without a call speaks of last, or none."""
    words = re.findall(r"[A-Za-z_]{3,}", text[-16_000:])[-_MOST_WORDS:]
    by_key = {_key(known): known for known in names}
    for word in reversed(words):
        key = _key(word)
        found = [by_key[key]] if key in by_key else []
        found += [known for known in _ELSEWHERE.get(key, ()) if known in names]
        if found:
            return found[:1]
    return []


def what_is_permitted(near: Sequence[str], names: Sequence[str]) -> str:
    """Return the end of a message: the nearest actions, or all of them where they are few."""
    if len(names) <= FEW:
        return f"the permitted actions are: {', '.join(names)}"
    if near:
        return f"the nearest permitted actions are: {', '.join(near)}"
    return "the permitted actions are those of the instructions"


def _key(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _spaced(name: str) -> str:
    """Part camel case, so that "clickElement" has the words click and element."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name[:100]).casefold()
