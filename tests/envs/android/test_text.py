import random
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from eyehand.actions.android import TypeText
from eyehand.envs.android.extra_keyboard import EXTRA_KEYBOARD
from eyehand.envs.android.text import as_argument, pieces_of, untypeable
from eyehand.envs.phone.shell.hardware import LATIN_IME
from eyehand.envs.phone.shell.input_commands import as_typed
from eyehand.errors import DeviceDisconnected, InvalidArgument

SCRIPTS = (
    "Grüße, çà et là, naïve Ærø",
    "Привет, мир",
    "Γειά σου Κόσμε",
    "שלום עולם",
    "مرحبا بالعالم",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "你好,世界",
    "こんにちは世界",
    "안녕하세요",
    "Խնդրեմ բարև",
    "გამარჯობა",
    "👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈 ❤️ 🇪🇺",
    "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋",
    "zero\u200bwidth and \u202ebidi",
)
CANARIES = (
    "$(touch /sdcard/canary)",
    "`touch /sdcard/canary`",
    "'; touch /sdcard/canary; '",
    '"; touch /sdcard/canary; "',
    "x && touch /sdcard/canary",
    "x | touch /sdcard/canary",
    "x > /sdcard/canary",
    "$HOME ${PATH} $((1+1)) ~ * ? [a-z] {a,b} !! \\ \\\\ \\n #",
    "%s%s %s% %%s s% 100%sure %",
    "--help -d 1 -x",
    "it's \"quoted\" 'twice'",
    "<b>&amp;</b>",
)
LINES = ("one\ntwo", "\nstarts", "ends\n", "a\n\n\nb", "$(x)\n`y`\n%s")
REFUSED = ("a\x00b", "bell\x07", "\x1b[31m", "half \ud800 pair", "\r\n", "del\x7f")


def two_hundred() -> list[str]:
    """Fixed strings of many kinds, and drawn ones until there are 200."""
    texts = [*SCRIPTS, *CANARIES, *LINES, *REFUSED]
    dice = random.Random(3)
    alphabet = "".join(SCRIPTS) + "".join(CANARIES) * 2 + "\n %s$`'\"\\;&|"
    while len(texts) < 200:
        texts.append("".join(dice.choice(alphabet) for _ in range(dice.randint(1, 24))))
    return texts


@pytest.mark.parametrize("extra", [True, False])
def test_two_hundred_texts_arrive_exactly_or_are_refused_and_none_is_executed(
    phone: Any, extra: bool
) -> None:
    if not extra:
        phone.screen.imes = (LATIN_IME,)
    arrived = refused = 0
    # The field itself is compared; the looks in between would only take time.
    keyboard = phone.environment._episode._keyboard
    for number, text in enumerate(two_hundred()):
        phone.screen.text = ""
        if number == 50 and extra:
            # The other texts without the switch there and back, which takes the time.
            phone.device.system.enabled_imes.add(EXTRA_KEYBOARD)
            phone.screen.ime = EXTRA_KEYBOARD
        if culprits := untypeable(text, extra):
            with pytest.raises(InvalidArgument) as refusal:
                keyboard.check(text)
            assert all(f"U+{ord(c):04X}" in str(refusal.value) for c in culprits[:8])
            assert phone.screen.text == ""
            refused += 1
            continue
        keyboard.check(text)
        keyboard.type(text)
        assert phone.screen.text == text
        arrived += 1
    assert arrived + refused == 200
    assert refused == len(REFUSED) if extra else 20 < refused < 180
    assert phone.device.injections == []
    assert phone.device.system.files.get("/sdcard/canary") is None
    ran = {record.executed[0][0] for record in phone.device.log if record.executed}
    assert ran <= {"input", "am", "ime", "settings", "dumpsys", "screencap"}
    assert phone.screen.ime == (EXTRA_KEYBOARD if extra else LATIN_IME)


@pytest.mark.parametrize("text", [t for t in CANARIES if t.isascii()])
def test_pieces_for_input_text_give_the_text_again(text: str) -> None:
    pieces = list(pieces_of(text))
    assert "".join(pieces) == text
    assert "".join(as_typed(as_argument(piece)) for piece in pieces) == text


def test_a_typed_text_shows_up_on_the_screen_and_is_told(phone: Any) -> None:
    observation, info = phone.step(TypeText(text="héllo"))
    assert phone.screen.text == "héllo"
    assert observation.feedback == ""
    assert info["effect"] == "typed 'héllo'"


def test_typing_without_a_field_is_told(phone: Any) -> None:
    phone.screen.focused = False
    observation, _ = phone.step(TypeText(text="hello"))
    assert "no field may have the focus" in observation.feedback


def test_a_keyboard_that_was_not_enabled_is_disabled_again(phone: Any) -> None:
    phone.step(TypeText(text="é"))
    assert phone.device.system.enabled_imes == {LATIN_IME}


def test_the_keyboard_is_restored_after_a_break_in_the_middle(phone: Any) -> None:
    phone.device.faults.only_for = "ADB_INPUT_B64"
    phone.device.faults.drop_in_output = True
    observation, info = phone.step(TypeText(text="é"))
    assert "may or may not have happened" in observation.feedback
    assert info["details"]["error"] == "ActionHadNoEffect"
    assert phone.screen.ime == LATIN_IME
    assert sum("ADB_INPUT_B64" in line for line in phone.device.commands) == 1


def test_a_phone_that_was_away_gets_its_keyboard_back_with_the_next_text(
    make_phone: Callable[..., Any],
) -> None:
    phone = make_phone(call_timeout_s=2.0, reconnect_s=0.5)
    phone.environment.reset()
    phone.device.faults.only_for = "ADB_INPUT_B64"
    phone.device.faults.back_after_s = None
    phone.device.faults.drop_in_output = True
    with pytest.raises(DeviceDisconnected):
        phone.step(TypeText(text="é"))
    assert phone.screen.ime == EXTRA_KEYBOARD
    phone.device.faults.clear()
    phone.device.start()
    phone.environment._episode.link.connect(8.0)
    phone.step(TypeText(text="ü"))
    assert phone.screen.ime == LATIN_IME


def test_the_extra_keyboard_takes_every_printable_character() -> None:
    letters = [chr(n) for n in range(0x20, 0xFFFF) if unicodedata.category(chr(n))[0] in "LMNPSZ"]
    assert untypeable("".join(letters), extra_keyboard=True) == []
