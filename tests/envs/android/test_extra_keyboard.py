"""The extra keyboard: what a phone denies is told, and what a killed run leaves is put back."""

import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from eyehand.actions.android import TypeText
from eyehand.agent.cli.doctor.checks import check_phones
from eyehand.envs.android.environment import AndroidEnvironment
from eyehand.envs.android.extra_keyboard import EXTRA_KEYBOARD, ExtraKeyboard
from eyehand.envs.android.link import DeviceLink, ShellResult
from eyehand.envs.android.server import AdbServer
from eyehand.envs.phone.shell import activities, keyboards, settings
from eyehand.envs.phone.shell.hardware import LATIN_IME
from eyehand.envs.phone.shell.system import CommandFailed, Invocation
from eyehand.errors import InvalidArgument

OTHER_IME = "org.example.keyboard/.Ime"
NO_SETTINGS = "uid 2000 does not have android.permission.WRITE_SECURE_SETTINGS"
DENIAL = (
    "\nException occurred while executing 'ime':\n"
    f"java.lang.SecurityException: {NO_SETTINGS}.\n"
    "\tat android.app.ContextImpl.enforce(ContextImpl.java:2089)"
)
TIMEOUT_S = 30.0


def denied(call: Invocation) -> int:
    raise CommandFailed(DENIAL, 255)


@pytest.fixture
def deny(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the phone deny commands of `ime`."""

    def to(*names: str) -> None:
        for name in names:
            monkeypatch.setitem(keyboards.COMMANDS, name, denied)

    return to


@pytest.mark.parametrize("names", [("set",), ("enable", "set"), ("list", "enable", "set")])
def test_a_keyboard_that_may_not_be_switched_is_told_and_the_episode_goes_on(
    phone: Any, deny: Callable[..., None], names: tuple[str, ...]
) -> None:
    deny(*names)
    for _ in range(2):  # the second time it is known beforehand
        with pytest.raises(InvalidArgument) as refusal:
            phone.step(TypeText(text="你好 ü"))
        assert "does not permit adb to choose its extra keyboard" in str(refusal.value)
        assert NO_SETTINGS in str(refusal.value)
        assert "'你' (U+4F60)" in str(refusal.value)
        assert "Exception" not in str(refusal.value)
    assert phone.screen.text == ""
    assert phone.screen.ime == LATIN_IME
    assert phone.device.system.enabled_imes == {LATIN_IME}
    assert phone.device.system.settings == {}
    phone.step(TypeText(text="hello"))
    phone.step(TypeText(text="one\ntwo"))  # with the enter key, as without the extra keyboard
    assert phone.screen.text == "helloone\ntwo"


def test_a_keyboard_that_adb_may_not_list_is_found_and_used(
    phone: Any, deny: Callable[..., None]
) -> None:
    deny("list")
    phone.step(TypeText(text="你好"))
    assert phone.screen.text == "你好"
    assert phone.screen.ime == LATIN_IME
    assert phone.device.system.enabled_imes == {LATIN_IME}


def test_without_the_extra_keyboard_a_denied_list_is_no_other_error(
    phone: Any, deny: Callable[..., None]
) -> None:
    phone.screen.imes = (LATIN_IME,)
    deny("list")
    with pytest.raises(InvalidArgument, match="no extra keyboard is installed"):
        phone.step(TypeText(text="ü"))


def test_a_keyboard_that_a_person_chose_meanwhile_is_used(
    phone: Any, deny: Callable[..., None]
) -> None:
    deny("enable", "set")
    with pytest.raises(InvalidArgument):
        phone.step(TypeText(text="ü"))
    phone.device.system.enabled_imes.add(EXTRA_KEYBOARD)
    phone.screen.ime = EXTRA_KEYBOARD
    phone.step(TypeText(text="ü"))
    assert phone.screen.text == "ü"
    assert phone.screen.ime == EXTRA_KEYBOARD


def test_a_phone_that_keeps_no_record_is_typed_on_all_the_same(
    phone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(call: Invocation, namespace: str, words: list[str]) -> int:
        raise CommandFailed(DENIAL, 255)

    monkeypatch.setitem(settings.COMMANDS, "put", refuse)
    phone.step(TypeText(text="ü"))
    assert phone.screen.text == "ü"
    assert phone.screen.ime == LATIN_IME


def test_a_keyboard_that_cannot_be_put_back_is_told_and_tried_again(
    phone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = keyboards.COMMANDS["set"]
    monkeypatch.setitem(
        keyboards.COMMANDS,
        "set",
        lambda call: denied(call) if call.arguments == [LATIN_IME] else allowed(call),
    )
    observation, info = phone.step(TypeText(text="ü"))
    assert phone.screen.text == "ü"
    assert f"{LATIN_IME} could not be chosen again ({NO_SETTINGS})" in observation.feedback
    assert "error" not in info["details"]
    assert phone.step(TypeText(text="x"))[0].feedback == ""
    monkeypatch.setitem(keyboards.COMMANDS, "set", allowed)
    phone.environment.close()
    assert phone.screen.ime == LATIN_IME
    assert phone.device.system.settings == {}


def test_a_broadcast_names_its_package(phone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = activities.COMMANDS["broadcast"]

    def only_to_packages(call: Invocation) -> int:
        """As manufacturers do: a broadcast to anybody reaches nobody, and says that it did."""
        named = activities.read_intent(call.arguments).package == "com.android.adbkeyboard"
        return allowed(call) if named else 0

    monkeypatch.setitem(activities.COMMANDS, "broadcast", only_to_packages)
    observation, _ = phone.step(TypeText(text="ü" * 300))
    assert phone.screen.text == "ü" * 300
    assert observation.feedback == ""


def test_a_broadcast_to_another_package_types_nothing(phone: Any) -> None:
    phone.device.system.enabled_imes.add(EXTRA_KEYBOARD)
    phone.screen.ime = EXTRA_KEYBOARD
    for package, typed in (("com.example.other", ""), ("com.android.adbkeyboard", "a")):
        phone.environment.link.act(
            ("am", "broadcast", "-a", "ADB_INPUT_TEXT", "-p", package, "--es", "msg", "a")
        )
        assert phone.screen.text == typed


# --- what a killed run leaves -------------------------------------------------------------


def type_forever(address: str, adb_port: int) -> None:
    """Type in a process of its own, which is killed in the middle."""
    environment = AndroidEnvironment(address, adb_port=adb_port, call_timeout_s=TIMEOUT_S)
    environment.reset()
    environment.step(TypeText(text="ü"))


def kill_in_the_middle(phone: Any, adb_port: int) -> None:
    """Start a run on the phone and kill it once its text is on the way."""
    faults = phone.device.faults
    faults.only_for, faults.hang_in_output = "ADB_INPUT_B64", True
    process = multiprocessing.get_context("spawn").Process(
        target=type_forever, args=(phone.device.address, adb_port)
    )
    process.start()
    end_s = time.monotonic() + 4 * TIMEOUT_S
    while not any("ADB_INPUT_B64" in line for line in list(phone.device.commands)):
        process.join(0.02)
        assert process.exitcode is None
        assert time.monotonic() < end_s
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(TIMEOUT_S)
    faults.clear()
    assert phone.screen.ime == EXTRA_KEYBOARD


def test_the_doctor_tells_a_keyboard_that_was_left_and_leaves_it(
    make_phone: Callable[..., Any], adb_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(adb_port))
    phone = make_phone()
    phone.environment.reset()
    address = phone.device.address
    check = check_phones()
    assert address in check.found
    assert address not in check.fix
    kill_in_the_middle(phone, adb_port)
    check = check_phones()
    assert not check.fine
    assert not check.needed
    assert f"{address} still has the extra keyboard" in check.fix
    assert f"chooses {LATIN_IME} again" in check.fix
    assert phone.screen.ime == EXTRA_KEYBOARD
    phone.environment.reset()
    assert address not in check_phones().fix


def test_the_doctor_starts_no_adb_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("ADB_SERVER_SOCKET", f"tcp:{port}")
    assert check_phones().found == f"no adb server runs at 127.0.0.1:{port}"
    assert check_phones().fine
    assert not AdbServer().answers()


@pytest.mark.parametrize("enabled", [True, False])
def test_a_keyboard_that_a_killed_run_left_is_put_back_at_the_next_start(
    make_phone: Callable[..., Any], adb_port: int, enabled: bool
) -> None:
    phone = make_phone()
    phone.screen.imes = (OTHER_IME, LATIN_IME, EXTRA_KEYBOARD)
    phone.device.system.enabled_imes = {OTHER_IME, LATIN_IME} | (
        {EXTRA_KEYBOARD} if enabled else set()
    )
    before = set(phone.device.system.enabled_imes)
    kill_in_the_middle(phone, adb_port)
    _, info = phone.environment.reset()
    assert info["details"]["recovered"] == (
        f"the keyboard {LATIN_IME}, which an earlier run had switched, is back"
    )
    assert phone.screen.ime == LATIN_IME
    assert phone.device.system.enabled_imes == before
    assert phone.device.system.settings == {}
    assert "recovered" not in phone.environment.reset()[1]["details"]


def test_a_keyboard_that_a_person_chose_since_is_left_alone(
    make_phone: Callable[..., Any], adb_port: int
) -> None:
    phone = make_phone()
    phone.screen.imes = (LATIN_IME, OTHER_IME, EXTRA_KEYBOARD)
    kill_in_the_middle(phone, adb_port)
    phone.screen.ime = OTHER_IME
    phone.environment.reset()
    assert phone.screen.ime == OTHER_IME
    assert phone.device.system.settings == {}


def test_an_extra_keyboard_of_a_persons_own_choice_is_left_alone(phone: Any) -> None:
    phone.device.system.enabled_imes.add(EXTRA_KEYBOARD)
    phone.screen.ime = EXTRA_KEYBOARD
    _, info = phone.environment.reset()
    phone.step(TypeText(text="ü"))
    assert phone.screen.ime == EXTRA_KEYBOARD
    assert "recovered" not in info["details"]


def test_a_start_goes_on_where_the_keyboard_may_not_be_put_back(
    make_phone: Callable[..., Any], adb_port: int, deny: Callable[..., None]
) -> None:
    phone = make_phone()
    kill_in_the_middle(phone, adb_port)
    deny("set")
    _, info = phone.environment.reset()
    assert "could not be chosen again" in info["details"]["recovered"]
    link = DeviceLink(AdbServer(adb_port), phone.device.address)
    assert ExtraKeyboard(link).left_behind() == LATIN_IME


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (ShellResult("fine", "", 0), ""),
        (ShellResult("", DENIAL, 255), NO_SETTINGS),
        (ShellResult("", DENIAL, 0), NO_SETTINGS),
        (ShellResult(DENIAL, "", 0), NO_SETTINGS),
        (ShellResult("ExceptionHandler: idle", "", 0), ""),
        (ShellResult("", "Error: no input method specified\n", 1), "no input method specified"),
        (ShellResult("", "", 1), "status 1"),
        (ShellResult("Unknown command: x\n", "", 255), "Unknown command: x"),
    ],
)
def test_a_refusal_is_told_in_the_phones_words(result: ShellResult, expected: str) -> None:
    assert result.refusal == expected
