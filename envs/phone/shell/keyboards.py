"""`ime`: which input methods there are, which may be used, and which is."""

from collections.abc import Callable

from eyehand.envs.phone.shell.system import CommandFailed, Invocation


def ime(call: Invocation) -> int:
    """`ime list [-a] [-s]`, `ime enable|disable|set ID`, `ime reset`."""
    words = call.words(1, "ime <command>: list, enable, disable, set, reset")
    command = COMMANDS.get(words[0])
    if command is None:
        raise CommandFailed(f"Unknown command: {words[0]}", 255)
    return command(call.sub())


def _list(call: Invocation) -> int:
    options = set(call.arguments)
    for each in call.screen.imes:
        if "-a" in options or each in call.system.enabled_imes:
            package, _, service = each.partition("/")
            details = f"\n  mPackageName={package} mServiceName={package}{service}"
            call.say(each if "-s" in options else f"{each}:\n  mId={each}{details}")
    return 0


def _enable(call: Invocation) -> int:
    each = call.words(1, "Error: no input method specified")[-1]
    if each not in call.screen.imes:
        raise CommandFailed(f"Unknown input method {each} cannot be enabled for user #0", 255)
    already = " already" if each in call.system.enabled_imes else " now"
    call.system.enabled_imes.add(each)
    call.say(f"Input method {each}:{already} enabled for user #0")
    return 0


def _disable(call: Invocation) -> int:
    """Forbid an input method; the current one gives way to another that is allowed."""
    each = call.words(1, "Error: no input method specified")[-1]
    enabled = call.system.enabled_imes
    was = "now" if each in enabled else "already"
    enabled.discard(each)
    if call.screen.ime == each and enabled:
        call.screen.ime = next(other for other in call.screen.imes if other in enabled)
    call.say(f"Input method {each}: {was} disabled for user #0")
    return 0


def _set(call: Invocation) -> int:
    each = call.words(1, "Error: no input method specified")[-1]
    if each not in call.system.enabled_imes or each not in call.screen.imes:
        raise CommandFailed(f"Unknown input method {each} cannot be selected for user #0", 255)
    call.screen.ime = each
    call.say(f"Input method {each} selected for user #0")
    return 0


def _reset(call: Invocation) -> int:
    first = call.screen.imes[0]
    call.system.enabled_imes.clear()
    call.system.enabled_imes.add(first)
    call.screen.ime = first
    call.say(f"Reset current and enabled IMEs for user #0\nNewly selected IME: {first}")
    return 0


COMMANDS: dict[str, Callable[[Invocation], int]] = {
    "list": _list,
    "enable": _enable,
    "disable": _disable,
    "set": _set,
    "reset": _reset,
}
