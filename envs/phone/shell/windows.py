"""`wm`: the overrides of size and density, and the rotation."""

import re
from collections.abc import Callable

from eyehand.envs.phone.shell.settings import read_setting
from eyehand.envs.phone.shell.system import CommandFailed, Invocation

SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")
LEAST_DENSITY_DPI = 72  # WindowManagerShellCommand refuses less
FAILED = 255


def wm(call: Invocation) -> int:
    """`wm size|density|user-rotation [VALUE|reset]`."""
    words = call.words(1, "Window manager (window) commands: size, density, user-rotation")
    command = COMMANDS.get(words[0])
    if command is None:
        raise CommandFailed(f"Unknown command: {words[0]}", FAILED)
    return command(call.sub())


def _size(call: Invocation) -> int:
    screen = call.screen
    value = _value(call)
    if value is None:
        call.say("Physical size: {}x{}".format(*screen.physical_size))
        if screen.override_size is not None:
            call.say("Override size: {}x{}".format(*screen.override_size))
        return 0
    size = SIZE.fullmatch(value)
    if size is None and value != "reset":
        raise CommandFailed(f"Error: bad size {value}", FAILED)
    screen.set_size_override((int(size[1]), int(size[2])) if size else None)
    return 0


def _density(call: Invocation) -> int:
    screen = call.screen
    value = _value(call)
    if value is None:
        call.say(f"Physical density: {screen.density}")
        if screen.override_density is not None:
            call.say(f"Override density: {screen.override_density}")
        return 0
    if value == "reset":
        screen.set_density_override(None)
        return 0
    if not value.isdecimal():
        raise CommandFailed(f"Error: bad number {value}", FAILED)
    if int(value) < LEAST_DENSITY_DPI:
        raise CommandFailed(f"Error: density must be >= {LEAST_DENSITY_DPI}", FAILED)
    screen.set_density_override(int(value))
    return 0


def _user_rotation(call: Invocation) -> int:
    """`wm user-rotation [free|lock] [0..3]`; a phone on a table stays as it is when free."""
    words = _without_display(call.arguments)
    if not words:
        free = read_setting(call.system, "system", "accelerometer_rotation") == "1"
        call.say("free" if free else f"lock {call.screen.rotation}")
        return 0
    if words[0] not in ("free", "lock"):
        raise CommandFailed(f"Error: expected free or lock, got {words[0]}", FAILED)
    if words[0] == "lock" and len(words) > 1:
        if words[1] not in ("0", "1", "2", "3"):
            raise CommandFailed("Error: argument needs to be either 0, 1, 2 or 3.", FAILED)
        call.screen.set_rotation(int(words[1]))
    call.screen.change_settings(auto_rotate=words[0] == "free")
    return 0


def _value(call: Invocation) -> str | None:
    words = _without_display(call.arguments)
    return words[0] if words else None


def _without_display(words: list[str]) -> list[str]:
    if "-d" in words:
        at = words.index("-d")
        return words[:at] + words[at + 2 :]
    return words


COMMANDS: dict[str, Callable[[Invocation], int]] = {
    "size": _size,
    "density": _density,
    "user-rotation": _user_rotation,
    "set-user-rotation": _user_rotation,
}
