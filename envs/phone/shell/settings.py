"""`settings` and `svc`: values by namespace and key; some are the screen's own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from eyehand.envs.phone.shell.hardware import PhoneHardware
from eyehand.envs.phone.shell.system import CommandFailed, Invocation, PhoneSystem

NAMESPACES = ("system", "secure", "global")
FULL_BRIGHTNESS = 255
FAILED = 255
Key = tuple[str, str]


@dataclass(frozen=True)
class Switch:
    """A setting that the phone's settings app holds, under another name.

    Attributes:
        name: Its name in the phone's state.
        on: What Android writes for true.
        off: What it writes for false.
    """

    name: str
    on: str = "1"
    off: str = "0"


SWITCHES: dict[Key, Switch] = {
    ("global", "airplane_mode_on"): Switch("airplane_mode"),
    ("global", "wifi_on"): Switch("wifi"),
    ("global", "bluetooth_on"): Switch("bluetooth"),
    ("global", "zen_mode"): Switch("do_not_disturb"),
    ("secure", "ui_night_mode"): Switch("dark_theme", "2", "1"),
    ("system", "accelerometer_rotation"): Switch("auto_rotate"),
}
IME = ("secure", "default_input_method")
IMES = ("secure", "enabled_input_methods")
BRIGHTNESS = ("system", "screen_brightness")
ROTATION = ("system", "user_rotation")
FIRST_VALUES: dict[Key, str] = {
    ("system", "screen_off_timeout"): "60000",
    ("system", "screen_brightness_mode"): "0",
    ("global", "window_animation_scale"): "0.0",
    ("global", "transition_animation_scale"): "0.0",
    ("global", "animator_duration_scale"): "0.0",
    ("global", "device_name"): "eyehand phone",
}


def settings(call: Invocation) -> int:
    """`settings get|put|delete|list NAMESPACE [KEY [VALUE]]`."""
    words = _without_user(call.arguments)
    if len(words) < 2 or words[0] not in COMMANDS:
        raise CommandFailed("Invalid command: get, put, delete or list, and a namespace", FAILED)
    if words[1] not in NAMESPACES:
        raise CommandFailed(f"Error: Invalid namespace '{words[1]}'", FAILED)
    return COMMANDS[words[0]](call, words[1], words[2:])


def svc(call: Invocation) -> int:
    """`svc wifi|bluetooth enable|disable`."""
    words = call.words(2, "Available commands: wifi, bluetooth")
    if words[0] not in ("wifi", "bluetooth") or words[1] not in ("enable", "disable"):
        raise CommandFailed("Available commands: wifi, bluetooth")
    call.screen.change_settings(**{words[0]: words[1] == "enable"})
    return 0


def read_setting(system: PhoneSystem, namespace: str, key: str) -> str:
    """Return a setting's value; "null" where there is none, as phones say."""
    name = (namespace, key)
    switch = SWITCHES.get(name)
    if switch is not None:
        return switch.on if _held(system.screen, switch.name) else switch.off
    reader = READERS.get(name)
    if reader is not None:
        return reader(system)
    return system.settings.get(name, FIRST_VALUES.get(name, "null"))


def _imes(system: PhoneSystem) -> str:
    return ":".join(each for each in system.screen.imes if each in system.enabled_imes)


def _brightness(system: PhoneSystem) -> str:
    return str(round(_held(system.screen, "brightness", 100) * FULL_BRIGHTNESS / 100))


def _held(screen: PhoneHardware, name: str, default: Any = False) -> Any:
    return cast("dict[str, Any]", screen.state().get("settings", {})).get(name, default)


def _get(call: Invocation, namespace: str, words: list[str]) -> int:
    if not words:
        raise CommandFailed("Bad arguments\nNot enough arguments", FAILED)
    call.say(read_setting(call.system, namespace, words[0]))
    return 0


def _put(call: Invocation, namespace: str, words: list[str]) -> int:
    """Store a value, or change the screen where it holds this one."""
    if len(words) < 2:
        raise CommandFailed("Bad arguments\nNot enough arguments", FAILED)
    name, value = (namespace, words[0]), words[1]
    switch = SWITCHES.get(name)
    if switch is not None:
        call.screen.change_settings(**{switch.name: value == switch.on})
    elif name == ROTATION and value in ("0", "1", "2", "3"):
        call.screen.set_rotation(int(value))
    elif name == BRIGHTNESS and value.isdecimal() and int(value) <= FULL_BRIGHTNESS:
        call.screen.change_settings(brightness=round(int(value) * 100 / FULL_BRIGHTNESS))
    elif name == IME and value in call.system.enabled_imes:
        call.screen.ime = value
    elif name not in READERS:
        call.system.settings[name] = value
    return 0


def _delete(call: Invocation, namespace: str, words: list[str]) -> int:
    found = call.system.settings.pop((namespace, "".join(words[:1])), None)
    call.say(f"Deleted {int(found is not None)} rows")
    return 0


def _list(call: Invocation, namespace: str, words: list[str]) -> int:
    keys = {*SWITCHES, *READERS, *FIRST_VALUES, *call.system.settings}
    for key in sorted(name for space, name in keys if space == namespace):
        call.say(f"{key}={read_setting(call.system, namespace, key)}")
    return 0


def _without_user(words: list[str]) -> list[str]:
    if "--user" in words:
        at = words.index("--user")
        return words[:at] + words[at + 2 :]
    return words


READERS: dict[Key, Callable[[PhoneSystem], str]] = {
    IME: lambda system: system.screen.ime,
    IMES: _imes,
    BRIGHTNESS: _brightness,
    ROTATION: lambda system: str(system.screen.rotation),
}

COMMANDS: dict[str, Callable[[Invocation, str, list[str]], int]] = {
    "get": _get,
    "put": _put,
    "delete": _delete,
    "list": _list,
}
