"""Keys and text arrive exactly: any script, any layout state, and nothing stays held down."""

from typing import Any

import pytest

from eyehand.actions import Point
from eyehand.actions.desktop import Click, PressKeys, TypeText
from eyehand.envs.desktop.environment import DesktopEnvironment
from eyehand.errors import ActionHadNoEffect

Desk = Any  # the fixture's class: conftest.py cannot be imported
FAST_S = 0.02
FIELD = Click(point=Point(x=0.3, y=0.2))

TEXTS = [
    "The quick brown fox jumps over the lazy dog. 0123456789",
    " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "AbCdEfGhIjKlMnOpQrStUvWxYz",
    "$(touch /tmp/x) `id` %s %n ${HOME} && ; | > \\n",
    "first line\nsecond line\n\nlast",
    "àâäæçéèêëîïôœùûüÿ ÀÂÄÆÇÉÈÊËÎÏÔŒÙÛÜŸ ñ ¿¡ ß ẞ",
    "Příliš žluťoučký kůň úpěl ďábelské ódy",
    "Zażółć gęślą jaźń — „cudzysłów”",
    "Pijamalı hasta yağız şoföre çabucak güvendi İı",
    "Съешь же ещё этих мягких французских булок",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία",
    "עטלף אבק נס דרך מזגן שהתפוצץ",
    "نص حكيم له سر قاطع وذو شأن عظيم",
    "ऋषियों को सताने वाले दुष्ट राक्षसों",
    "আমি বাংলায় গান গাই",
    "நான் தமிழ் பேசுகிறேன்",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า",
    "ქართული ენა",
    "Հայերեն լեզու",
    "አማርኛ ፊደል",
    "ភាសាខ្មែរ",
    "မြန်မာဘာသာ",
    "我能吞下玻璃而不伤身体。繁體中文測試",
    "いろはにほへと ちりぬるを カタカナ 漢字",
    "키스의 고유조건은 입술끼리 만나야 하고",
    "👩‍🔬 👨‍👩‍👧‍👦 🏳️‍🌈 ❤️‍🔥 🇩🇪🇯🇵 👍🏽 1️⃣",
    "😀😃😄😁😆😅🤣😂🙂🙃😉😊😇🥰😍🤩😘😗😚😙🥲😋😛😜🤪😝🤑🤗🤭🤫🤔🤐🤨😐😑😶😏😒🙄😬😮",
    "𝒜𝓁𝑔𝑒𝒷𝓇𝒶 𝔽𝕠𝕟𝕥 𠀀𠀁𪚥 𐍈 ∀x∈ℝ: ⌈x⌉ ≠ ∞ √2",
    "e\u0301 n\u0303 o\u0308 \u00a0| \u2003| \u200b| ‮",
    "ελ рус עב عر हि 中 あ 한 🎉 mixed Ünïcödé 100 € £ ¥ ₹ ₿",
]


@pytest.fixture(scope="module")
def _typing(_desk: Desk) -> Any:
    with _desk.environment(settle_timeout_s=FAST_S) as environment:
        environment.reset()
        yield environment


@pytest.fixture
def typing(_typing: DesktopEnvironment, desk: Desk) -> DesktopEnvironment:
    """An environment whose text field has the keyboard."""
    _typing.step(FIELD)
    desk.page.wait_for_function("document.activeElement === text")
    return _typing


@pytest.mark.parametrize("text", TEXTS)
def test_text_of_any_script_arrives_exactly(
    desk: Desk, typing: DesktopEnvironment, text: str
) -> None:
    observation, *_, info = typing.step(TypeText(text=text))
    assert desk.wait_for_text(text) == text
    assert info["effect"].startswith(f"typed {len(text)} characters")
    assert "no key can type" not in observation.feedback


def test_a_text_may_name_the_place_that_is_clicked_first(desk: Desk) -> None:
    with desk.environment(settle_timeout_s=FAST_S) as environment:
        environment.reset()
        info = environment.step(TypeText(text="there", point=FIELD.point))[4]
        assert desk.wait_for_text("there") == "there"
    assert info["effect"].startswith("clicked (")
    assert "then typed 5 characters" in info["effect"]


def test_enter_is_pressed_where_it_is_asked_for(desk: Desk, typing: DesktopEnvironment) -> None:
    info = typing.step(TypeText(text="one", press_enter=True))[4]
    assert desk.wait_for_text("one\n") == "one\n"
    assert "typed 3 characters and pressed Enter" in info["effect"]


def test_a_long_text_with_more_scripts_than_spare_keys_arrives_exactly(
    desk: Desk, typing: DesktopEnvironment
) -> None:
    text = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 300))
    before = desk.person.keymap()
    typing.step(TypeText(text=text))
    assert desk.wait_for_text(text) == text
    assert desk.person.keymap() == before


def test_characters_without_a_key_are_left_out_and_named(
    desk: Desk, typing: DesktopEnvironment
) -> None:
    observation = typing.step(TypeText(text="a\x07b\ufffec"))[0]
    assert desk.wait_for_text("abc") == "abc"
    assert "no key can type U+0007, U+FFFE: left out" in observation.feedback


def test_caps_lock_changes_nothing_and_stays_on(desk: Desk, typing: DesktopEnvironment) -> None:
    desk.person.press("CapsLock")
    try:
        typing.step(TypeText(text="caps é LOCK"))
        assert desk.wait_for_text("caps é LOCK") == "caps é LOCK"
        assert desk.person.held() == 2, "the person's Caps Lock was left as it was found"
    finally:
        desk.person.press("CapsLock")


def test_combinations_arrive_with_their_modifiers(desk: Desk, typing: DesktopEnvironment) -> None:
    typing.step(TypeText(text="remove me"))
    desk.forget()
    typing.step(FIELD)
    desk.heard("mouseup")
    for keys, expected in {
        ("Control", "Shift", "x"): ("X", True, True, False),
        ("Control", "C"): ("c", True, False, False),
        ("Alt", "j"): ("j", False, False, True),
        ("Shift", "ArrowLeft"): ("ArrowLeft", False, True, False),
        ("F9",): ("F9", False, False, False),
        ("Control", "+"): ("+", True, True, False),
    }.items():
        typing.step(PressKeys(keys=list(keys)))
        last = desk.heard("keydown", len(keys))[-1]
        assert (last["key"], last["control"], last["shift"], last["alt"]) == expected
    assert desk.person.held() == 0


def test_hotkeys_do_what_they_do_in_the_program(desk: Desk, typing: DesktopEnvironment) -> None:
    typing.step(TypeText(text="replace me"))
    for keys in (["Control", "a"], ["X"], ["?"], ["Enter"], ["Space"], ["z"]):
        typing.step(PressKeys(keys=keys))
    assert desk.wait_for_text("X?\n z") == "X?\n z"


def test_a_key_that_the_keyboard_lacks_is_refused_before_anything_is_pressed(
    desk: Desk, typing: DesktopEnvironment
) -> None:
    codes = desk.person.keymap()
    first = desk.person.connection.display.info.min_keycode
    pause = desk.person.connection.keysym_to_keycode(0xFF13)
    desk.person.connection.change_keyboard_mapping(pause, [[0] * len(codes[0])])
    desk.person.connection.sync()
    try:
        with pytest.raises(ActionHadNoEffect, match="no key 'Pause'; nothing was pressed"):
            typing.step(PressKeys(keys=["Control", "Pause"]))
    finally:
        desk.person.connection.change_keyboard_mapping(pause, [codes[pause - first]])
        desk.person.connection.sync()
    assert desk.person.held() == 0
    assert desk.page.evaluate("heard.filter(e => e.kind === 'keydown').length") == 0
