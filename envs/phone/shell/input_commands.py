"""`input`: fingers, keys and text, with the limits that it has on a phone."""

from collections.abc import Callable

from eyehand.envs.phone.shell.key_codes import key_name
from eyehand.envs.phone.shell.system import CommandFailed, Invocation

SOURCES = frozenset(
    "dpad keyboard mouse touchpad gamepad touchnavigation joystick touchscreen stylus trackball "
    "rotaryencoder".split()
)
DEFAULT_SWIPE_MS = 300
FAILED = 255
TRACE = "\tat com.android.server.input.InputShellCommand"


def input_command(call: Invocation) -> int:
    """`input [-d DISPLAY] [SOURCE] tap|swipe|draganddrop|text|keyevent|keycombination ...`."""
    words = call.words(1, "Error: no command; usage: input [<source>] <command> [<arg>...]")
    skip = 0
    while skip < len(words) and (words[skip] in SOURCES or words[skip] == "-d"):
        skip += 2 if words[skip] == "-d" else 1
    if skip >= len(words):
        raise CommandFailed("Error: no command after the source", FAILED)
    action = ACTIONS.get(words[skip])
    if action is None:
        raise CommandFailed(f"Unknown command: {words[skip]}", FAILED)
    action(call.sub(skip + 1))
    return 0


def as_typed(text: str) -> str:
    """Return what `input text` types for its argument: "%s" is a space, and cannot be written.

    The rule goes through the text once and looks at each "s" after a "%" (AOSP,
    InputShellCommand.sendText).
    """
    typed = ""
    escape = False
    for character in text:
        if escape and character == "s":
            typed = typed[:-1] + " "
            escape = False
        else:
            typed += character
            escape = character == "%"
    return typed


def has_keys(text: str) -> bool:
    """Return whether the virtual keyboard's key map has every character: printable ASCII."""
    return all(" " <= character <= "~" for character in text)


def _tap(call: Invocation) -> None:
    x, y = _pixels(call, 2)[:2]
    call.screen.tap(x, y)


def _swipe(call: Invocation) -> None:
    call.screen.swipe(*_path(call))


def _drag_and_drop(call: Invocation) -> None:
    call.screen.draganddrop(*_path(call))


def _text(call: Invocation) -> None:
    """Type the first word; the whole text fails when one character has no key."""
    text = as_typed(call.words(1, _missing("text"))[0])
    if not has_keys(text):
        reason = "NullPointerException: Attempt to get length of null array"
        raise CommandFailed(_trace("text", reason), FAILED)
    call.screen.type_text(text)


def _key_event(call: Invocation) -> None:
    """Press keys one after another; a code that Android does not know presses nothing."""
    words = list(call.words(1, _missing("keyevent")))
    while words and words[0].startswith("--"):
        words = words[2:] if words[0] == "--delay" else words[1:]
    for code in words:
        _press(call, code)


def _key_combination(call: Invocation) -> None:
    """Press keys together; the last is pressed while the others are held."""
    words = call.arguments[2:] if call.arguments[:1] == ["-t"] else call.arguments
    if len(words) < 2:
        raise CommandFailed("Error: keycombination requires at least 2 keycodes", FAILED)
    names = [name for name in map(key_name, words) if name is not None]
    if len(names) == len(words):
        call.screen.key_combination(names)


def _press(call: Invocation, code: str) -> None:
    name = key_name(code)
    if name is not None:
        call.screen.key(name)


def _path(call: Invocation) -> tuple[int, int, int, int, int]:
    x1, y1, x2, y2, *duration_ms = _pixels(call, 4)
    return x1, y1, x2, y2, duration_ms[0] if duration_ms else DEFAULT_SWIPE_MS


def _pixels(call: Invocation, least: int) -> list[int]:
    words = call.words(least, _missing(call.name))
    try:
        return [int(float(word)) for word in words[: least + 1]]
    except (ValueError, OverflowError) as error:
        bad = f'NumberFormatException: For input string: "{" ".join(words)}"'
        raise CommandFailed(_trace(call.name, bad), FAILED) from error


def _missing(name: str) -> str:
    return _trace(name, f'IllegalArgumentException: Argument expected after "{name}"')


def _trace(name: str, exception: str) -> str:
    return (
        f"\nException occurred while executing '{name}':\njava.lang.{exception}\n{TRACE}.onCommand"
    )


ACTIONS: dict[str, Callable[[Invocation], None]] = {
    "tap": _tap,
    "swipe": _swipe,
    "draganddrop": _drag_and_drop,
    "text": _text,
    "keyevent": _key_event,
    "keycombination": _key_combination,
}
