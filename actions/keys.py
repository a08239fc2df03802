"""Key names: the ones that Playwright's keyboard knows, and how models misspell them."""

import re

MODIFIERS = ("Control", "Shift", "Alt", "Meta", "ControlOrMeta")
"""Keys that may be held while another is pressed, under Playwright's names."""

NAMED_KEYS = (
    *MODIFIERS,
    *("Enter", "Tab", "Space", "Backspace", "Delete", "Insert", "Escape"),
    *("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"),
    *("Home", "End", "PageUp", "PageDown"),
    *("CapsLock", "NumLock", "ScrollLock", "Pause", "PrintScreen", "ContextMenu"),
    *(f"F{number}" for number in range(1, 13)),
)
"""Keys with a name of several letters (the US layout of Playwright's keyboard)."""


def _in_any_order(names: tuple[str, ...], most: int, ends: str) -> str:
    """Return a pattern of one name or several different ones, with quotes and commas between.

    Args:
        names: Those that are left.
        most: How many there may be.
        ends: What follows the last one: what stands between, or nothing.
    """
    several = []
    for name in names:
        left = tuple(other for other in names if other != name)
        further = f"({_in_any_order(left, most - 1, ends)})?" if left and most > 1 else ""
        if ends:
            several.append(f"{name}{ends}{further}")
        else:
            several.append(f'{name}(", "{further[:-1]})?' if further else name)
    return "|".join(several)


_OTHERS = "|".join(name for name in NAMED_KEYS if name not in MODIFIERS)
WRITTEN_COMBINATION = (
    rf'\["(({_in_any_order(MODIFIERS, 4, chr(34) + ", " + chr(34))})?'
    rf'({_OTHERS}|[!#-\[\]-~]|\\["\\])|{_in_any_order(MODIFIERS, 5, "")})"\]'
)
"""A combination as JSON: at most four modifiers, none of them twice, and a key, or modifiers."""

_CHARACTERS = frozenset(chr(code) for code in range(0x21, 0x7F))
_ALIASES = {
    "ctrl": "Control",
    "cmd": "Meta",
    "command": "Meta",
    "win": "Meta",
    "option": "Alt",
    "esc": "Escape",
    "return": "Enter",
    "del": "Delete",
    "up": "ArrowUp",
    "down": "ArrowDown",
    "left": "ArrowLeft",
    "right": "ArrowRight",
    "spacebar": "Space",
    " ": "Space",
}
_BY_LOWER_CASE = {**{name.lower(): name for name in NAMED_KEYS}, **_ALIASES}
_PLUS = re.compile(r"(?<=[^+])\+")


def split_combination(keys: object) -> object:
    """Turn "Control+a", alone or as an item of a list, into single names.

    Anything else is returned as it came, for the type check that follows.
    """
    if isinstance(keys, str):
        return _PLUS.split(keys)
    if isinstance(keys, list | tuple):
        # Only a single item is split: ["Control+a"] is a habit, ["Control+a", "b"] is unclear.
        if len(keys) == 1 and isinstance(keys[0], str):
            return _PLUS.split(keys[0])
        return list(keys)
    return keys


def check_combination(keys: list[str]) -> list[str]:
    """Return the keys under Playwright's names.

    Args:
        keys: Key names, modifiers first; case does not matter for names of several letters.

    Raises:
        ValueError: a name is unknown, a key comes twice, or a key before the last is no modifier.
    """
    known = [_known_key(key) for key in keys]
    if len(set(known)) != len(known):
        raise ValueError("a key comes twice in the combination")
    held = [key for key in known[:-1] if key not in MODIFIERS]
    if held:
        raise ValueError(
            f"{held[0]!r} is not a modifier: expected modifiers ({', '.join(MODIFIERS)}) and then "
            "one key; press other keys one after the other"
        )
    return known


def _known_key(key: str) -> str:
    """Return one key's name as Playwright writes it."""
    if key in _CHARACTERS:
        return key
    name = _BY_LOWER_CASE.get(key.lower() if key == " " else key.strip().lower())
    if name is None:
        raise ValueError(
            f"{key[:30]!r} is not a key: expected one ASCII character or a name such as Enter, "
            "Tab, Escape, ArrowDown, PageDown, F5, Control, Shift"
        )
    return name
