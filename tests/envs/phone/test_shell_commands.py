"""The phone's commands answer as a phone's do."""

import base64
import threading
from typing import Any

import pytest

from eyehand.envs.phone.faults import Faults
from eyehand.envs.phone.shell.hardware import BROADCAST_IME, LATIN_IME
from eyehand.envs.phone.shell.input_commands import as_typed
from eyehand.envs.phone.shell.runner import Buffer, Shell
from eyehand.envs.phone.shell.system import CommandRecord, PhoneSystem


class Terminal:
    """A shell on a phone, without adb."""

    def __init__(self, phone: Any) -> None:
        self.system = PhoneSystem(phone, Faults(), enabled_imes={LATIN_IME})
        self.status = 0
        self.err = ""

    def __call__(self, line: str) -> str:
        out, err = Buffer(), Buffer()
        self.status = Shell(self.system, out, err, threading.Event()).run(CommandRecord(line))
        self.err = err.content.decode()
        return out.content.decode()


@pytest.fixture
def sh(phone: Any) -> Terminal:
    return Terminal(phone)


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("input tap 10 20", ("tap", 10, 20)),
        ("input touchscreen tap 10.7 20.2", ("tap", 10, 20)),
        ("input -d 0 tap 10 20", ("tap", 10, 20)),
        ("cmd input tap 10 20", ("tap", 10, 20)),
        ("input swipe 1 2 3 4", ("swipe", 1, 2, 3, 4, 300)),
        ("input swipe 1 2 1 2 800", ("swipe", 1, 2, 1, 2, 800)),
        ("input draganddrop 1 2 3 4 900", ("draganddrop", 1, 2, 3, 4, 900)),
        ("input keyevent 4", ("key", "BACK")),
        ("input keyevent KEYCODE_HOME", ("key", "HOME")),
        ("input keyevent --longpress POWER", ("key", "POWER")),
        ("input keycombination CTRL_LEFT A", ("together", "CTRL_LEFT", "A")),
    ],
)
def test_input_reaches_the_screen(sh: Terminal, phone: Any, line: str, call: Any) -> None:
    assert sh(line) == ""
    assert (sh.status, sh.err, phone.calls) == (0, "", [call])


@pytest.mark.parametrize("line", ["input tap 1", "input tap a b", "input tap nan 1", "input jump"])
def test_input_that_makes_no_sense_touches_nothing(sh: Terminal, phone: Any, line: str) -> None:
    sh(line)
    assert sh.status == 255
    assert sh.err
    assert phone.calls == []


def test_input_text_types_ascii_with_spaces_as_percent_s(sh: Terminal, phone: Any) -> None:
    sh("input text 'a%sb%%s~!'")
    assert phone.text == "a b% ~!"


def test_input_text_takes_the_first_word_only(sh: Terminal, phone: Any) -> None:
    sh("input text hello world")
    assert phone.text == "hello"


@pytest.mark.parametrize("text", ["größe", "naïve", "中文", "a😀", "a\tb", "a\nb"])
def test_a_character_without_a_key_fails_the_whole_text(
    sh: Terminal, phone: Any, text: str
) -> None:
    sh(f"input text '{text}'")
    assert "NullPointerException" in sh.err
    assert sh.status == 255
    assert phone.text == ""


def test_a_literal_percent_s_cannot_be_typed() -> None:
    assert as_typed("100%s") == "100 "
    assert as_typed("%%ss%") == "% s%"


def test_broadcasts_type_only_through_their_keyboard(sh: Terminal, phone: Any) -> None:
    message = base64.b64encode("größe 😀".encode()).decode()
    line = f"am broadcast -a ADB_INPUT_B64 --es msg {message}"
    said = sh(line)
    assert said.endswith("Broadcast completed: result=0\n")
    assert phone.text == ""
    phone.ime = BROADCAST_IME
    assert sh(line) == said
    assert phone.text == "größe 😀"
    sh("am broadcast -a ADB_INPUT_TEXT --es msg 'more text'")
    assert phone.text == "größe 😀more text"
    sh("am broadcast -a ADB_INPUT_B64 --es msg '*no base64*'; am broadcast -a ADB_INPUT_B64")
    assert phone.text == "größe 😀more text"
    sh("am broadcast -a ADB_CLEAR_TEXT")
    assert phone.text == ""


def test_an_input_method_must_be_enabled_before_it_is_set(sh: Terminal, phone: Any) -> None:
    assert sh("ime list -s") == f"{LATIN_IME}\n"
    assert BROADCAST_IME in sh("ime list -s -a").split()
    sh(f"ime set {BROADCAST_IME}")
    assert (sh.status, phone.ime) == (255, LATIN_IME)
    sh(f"ime enable {BROADCAST_IME} && ime set {BROADCAST_IME}")
    assert phone.ime == BROADCAST_IME
    assert sh("settings get secure default_input_method") == f"{BROADCAST_IME}\n"
    assert BROADCAST_IME in sh("dumpsys input_method")
    sh(f"ime disable {BROADCAST_IME}")
    assert phone.ime == LATIN_IME


def test_overrides_and_rotation(sh: Terminal, phone: Any) -> None:
    assert sh("wm size") == "Physical size: 108x240\n"
    sh("wm size 54x120; wm density 210; wm user-rotation lock 1")
    assert sh("wm size") == "Physical size: 108x240\nOverride size: 54x120\n"
    assert sh("wm density") == "Physical density: 420\nOverride density: 210\n"
    assert phone.current_size == (120, 54)
    assert "orientation=1" in sh("dumpsys display")
    assert sh("wm user-rotation") == "lock 1\n"
    sh("wm size reset; wm density reset; settings put system user_rotation 0")
    assert (phone.override_size, phone.override_density, phone.rotation) == (None, None, 0)
    sh("wm size big")
    assert sh.status == 255


def test_settings_live_on_the_screen_or_in_a_table(sh: Terminal, phone: Any) -> None:
    assert sh("settings get global airplane_mode_on") == "0\n"
    assert sh("settings get system screen_brightness") == "102\n"
    assert sh("settings get secure nothing") == "null\n"
    sh("settings put global airplane_mode_on 1; settings put secure mine 'a b'")
    assert phone.settings["airplane_mode"] is True
    assert sh("settings get secure mine") == "a b\n"
    assert sh("settings delete secure mine") == "Deleted 1 rows\n"
    assert sh("settings get nowhere x") == ""
    assert sh.status == 255


def test_apps_start_and_missing_ones_say_so(sh: Terminal, phone: Any) -> None:
    sh("am start -n com.android.notes/.MainActivity")
    assert phone.front == "com.android.notes"
    sh("am start -n com.android.notes/.MainActivity")
    assert "top-most instance" in sh.err
    sh("am start -a android.intent.action.MAIN -c android.intent.category.HOME")
    assert phone.front == "com.android.launcher"
    assert "Events injected: 1" in sh("monkey -p com.android.notes -c LAUNCHER 1")
    assert "com.android.notes/" in sh("dumpsys window windows")
    sh("am start -n com.missing/.Main")
    assert "Activity class {com.missing/com.missing.Main} does not exist" in sh.err
    assert "No activities found" in sh("monkey -p com.missing 1")
    assert sh.status == 252
    sh("am force-stop com.android.notes")
    assert phone.front == "com.android.launcher"


def test_packages_are_listed_and_resolved(sh: Terminal) -> None:
    assert "package:com.android.notes\n" in sh("pm list packages")
    assert sh("pm list packages notes") == "package:com.android.notes\n"
    brief = sh(
        "cmd package resolve-activity --brief -c android.intent.category.LAUNCHER com.android.notes"
    )
    assert brief.splitlines()[-1] == "com.android.notes/.MainActivity"
    assert sh("cmd package resolve-activity --brief com.missing") == "No activity found\n"
    assert "nonLocalizedLabel=Notes" in sh("cmd package query-activities -a x")


def test_a_secure_window_shows_in_its_flags(sh: Terminal, phone: Any) -> None:
    assert "SECURE" not in sh("dumpsys window windows")
    phone.secure = True
    assert "fl=SECURE" in sh("dumpsys window windows")


def test_the_hierarchy_is_dumped_to_a_file(sh: Terminal, phone: Any) -> None:
    assert sh("uiautomator dump") == "UI hierchary dumped to: /sdcard/window_dump.xml\n"
    assert sh("cat /sdcard/window_dump.xml") == phone.hierarchy()
    assert sh("uiautomator dump /dev/tty").startswith("<?xml")


def test_files_stay_in_memory(sh: Terminal) -> None:
    sh("mkdir -p /sdcard/a/b; echo x > /sdcard/a/b/c; rm /sdcard/a")
    assert sh.err == "rm: /sdcard/a: is directory\n"
    assert sh("ls /sdcard/a/b; rm -rf /sdcard/a; ls /sdcard") == "c\nDownload\nPictures\n"
    assert sh("cat /etc/passwd /../../etc/hosts") == ""
    assert sh("echo x > /no/where/at/all") == ""
    assert "can't create" in sh.err


def test_getprop_names_the_phone(sh: Terminal) -> None:
    assert sh("getprop ro.product.model") == "eyehand simulated phone\n"
    assert sh("getprop no.such") == "\n"
    assert "[sys.boot_completed]: [1]" in sh("getprop")
