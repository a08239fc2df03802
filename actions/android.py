"""The phone's vocabulary: what can be done on an Android device."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from eyehand.actions.action import Action, Point
from eyehand.actions.web import (
    MAX_TEXT_LENGTH,
    Answer,
    Finish,
    FinishStatus,
    Scroll,
    ScrollDirection,
    Text,
    Wait,
)

KeyName = Literal[
    "home",
    "back",
    "recents",
    "enter",
    "delete",
    "tab",
    "escape",
    "search",
    "menu",
    "up",
    "down",
    "left",
    "right",
    "move_home",
    "move_end",
    "volume_up",
    "volume_down",
    "volume_mute",
    "power",
    "wake_up",
    "notifications",
]
"""The keys that a person can press on a phone, or on a keyboard connected to it."""

KEY_CODES: dict[str, str] = {
    "home": "KEYCODE_HOME",
    "back": "KEYCODE_BACK",
    "recents": "KEYCODE_APP_SWITCH",
    "enter": "KEYCODE_ENTER",
    "delete": "KEYCODE_DEL",
    "tab": "KEYCODE_TAB",
    "escape": "KEYCODE_ESCAPE",
    "search": "KEYCODE_SEARCH",
    "menu": "KEYCODE_MENU",
    "up": "KEYCODE_DPAD_UP",
    "down": "KEYCODE_DPAD_DOWN",
    "left": "KEYCODE_DPAD_LEFT",
    "right": "KEYCODE_DPAD_RIGHT",
    "move_home": "KEYCODE_MOVE_HOME",
    "move_end": "KEYCODE_MOVE_END",
    "volume_up": "KEYCODE_VOLUME_UP",
    "volume_down": "KEYCODE_VOLUME_DOWN",
    "volume_mute": "KEYCODE_VOLUME_MUTE",
    "power": "KEYCODE_POWER",
    "wake_up": "KEYCODE_WAKEUP",
    "notifications": "KEYCODE_NOTIFICATION",
}
"""Android's name of each key (android.view.KeyEvent)."""

_OTHER_NAMES = {
    "app_switch": "recents",
    "overview": "recents",
    "return": "enter",
    "del": "delete",
    "backspace": "delete",
    "esc": "escape",
    "wakeup": "wake_up",
}


def _key_name(value: object) -> object:
    """Read a key as models write it: "Home", "KEYCODE_BACK", "app_switch", "volume up"."""
    if not isinstance(value, str):
        return value
    name = value.strip().lower().replace(" ", "_").replace("-", "_")
    name = name.removeprefix("keycode_").removeprefix("dpad_")
    return _OTHER_NAMES.get(name, name)


class Tap(Action):
    """Tap a point."""

    point: Point = Field(description="where to tap")


class DoubleTap(Action):
    """Tap a point twice in quick succession."""

    point: Point = Field(description="where to tap")


class LongPress(Action):
    """Touch a point and hold it."""

    point: Point = Field(description="where to press")


class Swipe(Action):
    """Move a finger quickly from one point to another, as to turn a page or open a drawer."""

    start: Point = Field(description="where the finger goes down")
    end: Point = Field(description="where it is lifted")


class Drag(Action):
    """Hold what is at one point, move it to another and drop it there."""

    start: Point = Field(description="what to take")
    end: Point = Field(description="where to drop it")


class TypeText(Action):
    """Type text into the field that has the focus."""

    text: Text = Field(description="what to type, any characters")
    point: Point | None = Field(default=None, description="where to tap first")


class ReplaceText(Action):
    """Replace all text of the field that has the focus."""

    text: str = Field(
        max_length=MAX_TEXT_LENGTH, description="what the field holds then; empty to clear it"
    )
    point: Point | None = Field(default=None, description="where to tap first")


class Press(Action):
    """Press a key of the phone."""

    key: Annotated[KeyName, BeforeValidator(_key_name)] = Field(description="which key")


class OpenApp(Action):
    """Open an app."""

    app: str = Field(
        min_length=1,
        max_length=200,
        description="the app's name as the phone shows it, or its package",
        examples=["Settings", "com.android.settings"],
    )


ANDROID_ACTIONS: tuple[type[Action], ...] = (
    Tap,
    DoubleTap,
    LongPress,
    Swipe,
    Drag,
    TypeText,
    ReplaceText,
    Press,
    OpenApp,
    Scroll,
    Wait,
    Answer,
    Finish,
)
"""Every action of the phone's vocabulary, in the order in which a prompt lists them."""

__all__ = [
    "ANDROID_ACTIONS",
    "KEY_CODES",
    "MAX_TEXT_LENGTH",
    "Answer",
    "DoubleTap",
    "Drag",
    "Finish",
    "FinishStatus",
    "KeyName",
    "LongPress",
    "OpenApp",
    "Press",
    "ReplaceText",
    "Scroll",
    "ScrollDirection",
    "Swipe",
    "Tap",
    "Text",
    "TypeText",
    "Wait",
]
