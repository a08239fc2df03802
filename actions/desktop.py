"""The desktop vocabulary: the web vocabulary's pointer, keys and words, and nothing of a page.

The classes are the web vocabulary's own, so a policy that learned to click a page clicks a desktop
with the same words. A hotkey is `press_keys` with its modifiers: ["Control", "Alt", "t"].
"""

from eyehand.actions.action import Action
from eyehand.actions.web import (
    Answer,
    Click,
    DoubleClick,
    Drag,
    Finish,
    Hover,
    PressKeys,
    RightClick,
    Scroll,
    TypeText,
    Wait,
)

DESKTOP_ACTIONS: tuple[type[Action], ...] = (
    Click,
    DoubleClick,
    RightClick,
    Hover,
    Drag,
    TypeText,
    PressKeys,
    Scroll,
    Wait,
    Answer,
    Finish,
)
"""Every action of the desktop vocabulary, in the order in which a prompt lists them."""

__all__ = [
    "DESKTOP_ACTIONS",
    "Answer",
    "Click",
    "DoubleClick",
    "Drag",
    "Finish",
    "Hover",
    "PressKeys",
    "RightClick",
    "Scroll",
    "TypeText",
    "Wait",
]
