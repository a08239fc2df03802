"""Android's key codes: numbers and names. Source: android.view.KeyEvent of the public SDK."""

_LETTERS = {29 + i: chr(ord("A") + i) for i in range(26)}
_DIGITS = {7 + i: str(i) for i in range(10)}
_FUNCTION_KEYS = {131 + i: f"F{i + 1}" for i in range(12)}
_OTHERS = {
    3: "HOME",
    4: "BACK",
    5: "CALL",
    6: "ENDCALL",
    17: "STAR",
    18: "POUND",
    19: "DPAD_UP",
    20: "DPAD_DOWN",
    21: "DPAD_LEFT",
    22: "DPAD_RIGHT",
    23: "DPAD_CENTER",
    24: "VOLUME_UP",
    25: "VOLUME_DOWN",
    26: "POWER",
    27: "CAMERA",
    28: "CLEAR",
    55: "COMMA",
    56: "PERIOD",
    57: "ALT_LEFT",
    58: "ALT_RIGHT",
    59: "SHIFT_LEFT",
    60: "SHIFT_RIGHT",
    61: "TAB",
    62: "SPACE",
    66: "ENTER",
    67: "DEL",
    68: "GRAVE",
    69: "MINUS",
    70: "EQUALS",
    71: "LEFT_BRACKET",
    72: "RIGHT_BRACKET",
    73: "BACKSLASH",
    74: "SEMICOLON",
    75: "APOSTROPHE",
    76: "SLASH",
    77: "AT",
    81: "PLUS",
    82: "MENU",
    83: "NOTIFICATION",
    84: "SEARCH",
    85: "MEDIA_PLAY_PAUSE",
    92: "PAGE_UP",
    93: "PAGE_DOWN",
    111: "ESCAPE",
    112: "FORWARD_DEL",
    113: "CTRL_LEFT",
    114: "CTRL_RIGHT",
    115: "CAPS_LOCK",
    117: "META_LEFT",
    118: "META_RIGHT",
    122: "MOVE_HOME",
    123: "MOVE_END",
    124: "INSERT",
    164: "VOLUME_MUTE",
    176: "SETTINGS",
    187: "APP_SWITCH",
    220: "BRIGHTNESS_DOWN",
    221: "BRIGHTNESS_UP",
    223: "SLEEP",
    224: "WAKEUP",
    277: "CUT",
    278: "COPY",
    279: "PASTE",
}
KEY_NAMES: dict[int, str] = {**_LETTERS, **_DIGITS, **_FUNCTION_KEYS, **_OTHERS}
KNOWN_KEYS = frozenset(KEY_NAMES.values())


def key_name(code: str) -> str | None:
    """Return a key's name without KEYCODE_, or None for one that Android does not know.

    Args:
        code: A number ("4"), a name ("BACK") or a full name ("KEYCODE_BACK").
    """
    if code.isascii() and code.isdigit():
        return KEY_NAMES.get(int(code))
    name = code.upper().removeprefix("KEYCODE_")
    return name if name in KNOWN_KEYS else None
