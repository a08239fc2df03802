"""Keysyms: X11's numbers for what is printed on a key, or could be.

The rules are those of the X Window System Protocol, appendix A ("KEYSYM Encoding"): Latin-1
characters are their own keysyms, every other character of Unicode is 0x01000000 plus its code
point.
"""

import unicodedata

from eyehand.envs.desktop.xlib import XK

_NAMED = {
    "Control": ("Control_L", "Control_R"),
    "ControlOrMeta": ("Control_L", "Control_R"),
    "Shift": ("Shift_L", "Shift_R"),
    "Alt": ("Alt_L", "Meta_L", "Alt_R"),
    "Meta": ("Super_L", "Super_R"),
    "Enter": ("Return",),
    "Space": ("space",),
    "Backspace": ("BackSpace",),
    "ArrowUp": ("Up",),
    "ArrowDown": ("Down",),
    "ArrowLeft": ("Left",),
    "ArrowRight": ("Right",),
    "PageUp": ("Page_Up",),
    "PageDown": ("Page_Down",),
    "CapsLock": ("Caps_Lock",),
    "NumLock": ("Num_Lock",),
    "ScrollLock": ("Scroll_Lock",),
    "PrintScreen": ("Print",),
    "ContextMenu": ("Menu",),
}
_UNICODE_OFFSET = 0x01000000
_TYPED_KEYS = {"\n": "Return", "\t": "Tab"}


def keysyms_of_key(name: str) -> tuple[int, ...]:
    """Return the keysyms of a key, by its name in `eyehand.actions.keys`; the first is preferred.

    Args:
        name: Such as "Control", "F5" or "x".
    """
    if len(name) == 1:
        return (ord(name),)
    spelled = _NAMED.get(name, (name,))
    return tuple(XK.string_to_keysym(spelling) for spelling in spelled)


def keysym_of_character(character: str) -> int | None:
    """Return the keysym that types a character; None where no key can.

    Control characters other than newline and tab, lone surrogates and code points that are no
    characters (U+FFFE and its like) have none.
    """
    if character in _TYPED_KEYS:
        return int(XK.string_to_keysym(_TYPED_KEYS[character]))
    code = ord(character)
    if unicodedata.category(character) in ("Cc", "Cs") or code & 0xFFFE == 0xFFFE:
        return None
    if 0xFDD0 <= code <= 0xFDEF:
        return None
    return code if code <= 0xFF else _UNICODE_OFFSET + code
