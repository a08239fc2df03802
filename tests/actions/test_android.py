from typing import get_args

import pytest

from eyehand.actions import ActionSpace
from eyehand.actions.android import ANDROID_ACTIONS, KEY_CODES, KeyName, Press
from eyehand.errors import InvalidArgument

SPACE = ActionSpace(ANDROID_ACTIONS, seed=0)


def test_the_vocabulary_is_the_phones() -> None:
    assert SPACE.names == (
        "tap",
        "double_tap",
        "long_press",
        "swipe",
        "drag",
        "type_text",
        "replace_text",
        "press",
        "open_app",
        "scroll",
        "wait",
        "answer",
        "finish",
    )


def test_every_key_has_its_code() -> None:
    assert set(KEY_CODES) == set(get_args(KeyName))


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("Home", "home"),
        ("KEYCODE_BACK", "back"),
        ("app_switch", "recents"),
        ("Volume Up", "volume_up"),
        ("BACKSPACE", "delete"),
        ("KEYCODE_DPAD_LEFT", "left"),
    ],
)
def test_keys_are_read_as_models_write_them(written: str, key: str) -> None:
    assert SPACE.build("press", {"key": written}) == Press(key=key)


@pytest.mark.parametrize("written", ["reboot", "$(reboot)", "", 3])
def test_other_keys_are_refused(written: object) -> None:
    with pytest.raises(InvalidArgument):
        SPACE.build("press", {"key": written})


def test_sampled_actions_are_valid() -> None:
    assert all(SPACE.sample() in SPACE for _ in range(200))
