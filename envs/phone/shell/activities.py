"""`am`: starting and ending apps, and the broadcasts that the extra keyboard listens to."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field

from eyehand.envs.phone.shell.apps import (
    LAUNCHER,
    SETTINGS,
    component,
    is_main,
    split_component,
)
from eyehand.envs.phone.shell.hardware import BROADCAST_IME
from eyehand.envs.phone.shell.key_codes import key_name
from eyehand.envs.phone.shell.system import CommandFailed, Invocation

EXTRA_OPTIONS = frozenset("-e --es --ez --ei --el --ef --esa --eia --eu --ecn".split())
VALUE_OPTIONS = frozenset("-t -f --user --display --windowingMode --receiver-permission".split())
HOME_CATEGORY = "android.intent.category.HOME"
PROTECTED_BROADCASTS = frozenset(
    ("android.intent.action.AIRPLANE_MODE", "android.intent.action.BOOT_COMPLETED")
)


@dataclass
class Intent:
    """What `am` was asked for, as far as this phone looks at it.

    Attributes:
        action: The action (-a).
        data: The data URI (-d).
        component: "package/activity" (-n).
        package: The package (-p), or the bare word at the end.
        categories: The categories (-c).
        extras: The extras, all as text.
        flags: Options without a value, such as "-W" and "-S".
    """

    action: str = ""
    data: str = ""
    component: str = ""
    package: str = ""
    categories: list[str] = field(default_factory=list)
    extras: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        """Return it as `am` prints intents."""
        named = {"act": self.action, "dat": self.data, "pkg": self.package, "cmp": self.component}
        shown = [f"{key}={value}" for key, value in named.items() if value]
        return " ".join(["Intent {", *shown, *(["(has extras)"] if self.extras else []), "}"])


def am(call: Invocation) -> int:
    """`am start|start-activity|broadcast|force-stop|kill|get-current-user`."""
    words = call.words(1, "Activity manager (activity) commands: start, broadcast, force-stop")
    command = COMMANDS.get(words[0])
    if command is None:
        raise CommandFailed(f"Unknown command: {words[0]}", 255)
    return command(call.sub())


def read_intent(words: list[str]) -> Intent:
    """Read the options that describe an intent."""
    intent = Intent()
    rest = iter(words)
    singles = {"-a": "action", "-d": "data", "-n": "component", "-p": "package"}
    for word in rest:
        if word in singles:
            setattr(intent, singles[word], next(rest, ""))
        elif word == "-c":
            intent.categories.append(next(rest, ""))
        elif word in EXTRA_OPTIONS:
            key = next(rest, "")
            intent.extras[key] = next(rest, "")
        elif word in VALUE_OPTIONS:
            next(rest, "")
        elif word.startswith("-"):
            intent.flags.add(word)
        elif "/" in word:
            intent.component = word
        else:
            intent.package = word
    return intent


def _start(call: Invocation) -> int:
    intent = read_intent(call.arguments)
    call.say(f"Starting: {intent}")
    package = _resolve(call, intent)
    if "-S" in intent.flags:
        call.screen.force_stop(package)
    if call.screen.foreground()[0] == package:
        call.complain(
            "Warning: Activity not started, intent has been delivered to currently running "
            "top-most instance."
        )
    call.screen.launch(package)
    if "-W" in intent.flags:
        call.say(f"Status: ok\nLaunchState: HOT\nActivity: {component(package)}\nComplete")
    return 0


def _resolve(call: Invocation, intent: Intent) -> str:
    if intent.component:
        package, activity = split_component(intent.component)
        if package in call.screen.packages() and is_main(package, activity):
            return package
        name = f"{package}/{activity}"
        raise CommandFailed(f"Error type 3\nError: Activity class {{{name}}} does not exist.")
    package = intent.package
    if HOME_CATEGORY in intent.categories:
        package = LAUNCHER
    elif intent.action == "android.settings.SETTINGS":
        package = SETTINGS
    if package not in call.screen.packages():
        raise CommandFailed(f"Error: Activity not started, unable to resolve {intent}")
    return package


def _broadcast(call: Invocation) -> int:
    """Deliver a broadcast. As on phones, the answer is the same whether anyone listened."""
    intent = read_intent(call.arguments)
    if intent.action in PROTECTED_BROADCASTS:
        raise CommandFailed(
            "java.lang.SecurityException: Permission Denial: not allowed to send broadcast "
            f"{intent.action} from pid=4242, uid=2000",
            255,
        )
    call.say(f"Broadcasting: {intent}")
    receiver = KEYBOARD_ACTIONS.get(intent.action)
    heard = intent.package in ("", BROADCAST_IME.partition("/")[0])
    if receiver is not None and heard and call.screen.ime == BROADCAST_IME:
        receiver(call, intent.extras)
    call.say("Broadcast completed: result=0")
    return 0


def _input_text(call: Invocation, extras: dict[str, str]) -> None:
    call.screen.type_text(extras.get("msg", ""))


def _input_base64(call: Invocation, extras: dict[str, str]) -> None:
    try:
        text = base64.b64decode(extras.get("msg", "")).decode()
    except (binascii.Error, UnicodeDecodeError):
        return  # the app catches its own exception, and nothing is typed
    call.screen.type_text(text)


def _clear_text(call: Invocation, extras: dict[str, str]) -> None:
    call.screen.clear_focused()


def _input_code(call: Invocation, extras: dict[str, str]) -> None:
    name = key_name(extras.get("code", ""))
    if name is not None:
        call.screen.key(name)


def _force_stop(call: Invocation) -> int:
    package = call.words(1, "Error: no package specified")[-1]
    if package in call.screen.packages():
        call.screen.force_stop(package)
    return 0


def _current_user(call: Invocation) -> int:
    call.say("0")
    return 0


KEYBOARD_ACTIONS: dict[str, Callable[[Invocation, dict[str, str]], None]] = {
    "ADB_INPUT_TEXT": _input_text,
    "ADB_INPUT_B64": _input_base64,
    "ADB_CLEAR_TEXT": _clear_text,
    "ADB_INPUT_CODE": _input_code,
}

COMMANDS: dict[str, Callable[[Invocation], int]] = {
    "start": _start,
    "start-activity": _start,
    "broadcast": _broadcast,
    "force-stop": _force_stop,
    "kill": lambda call: 0,
    "get-current-user": _current_user,
}
