"""`pm`, `cmd package` and `monkey`: which apps there are, and starting one by its package."""

from collections.abc import Callable

from eyehand.envs.phone.shell.apps import component, installed, is_third_party
from eyehand.envs.phone.shell.system import CommandFailed, Invocation

NOTHING_TO_RUN = 252
MATCH_LINE = "priority=0 preferredOrder=0 match=0x108000 specificIndex=-1 isDefault=true"
INTENT_OPTIONS_WITH_VALUE = frozenset(("-a", "-c", "-d", "-t", "--user", "-f"))


def pm(call: Invocation) -> int:
    """`pm list packages`, `path`, `clear`, `resolve-activity`, `query-activities`."""
    words = call.words(1, "Package manager (package) commands: list, path, clear, resolve-activity")
    command = COMMANDS.get(words[0])
    if command is None:
        raise CommandFailed(f"Unknown command: {words[0]}", 255)
    return command(call.sub())


def monkey(call: Invocation) -> int:
    """`monkey -p PACKAGE [-c CATEGORY] COUNT`: starts the app; other events are not made."""
    words = call.words(1, "** Error: Count not specified")
    call.complain("".join(f"  bash arg: {word}\n" for word in words).rstrip("\n"))
    package = words[words.index("-p") + 1] if "-p" in words[:-1] else ""
    if not call.screen.launch(package):
        call.say("** No activities found to run, monkey aborted.")
        return NOTHING_TO_RUN
    call.say(
        "Events injected: 1\n## Network stats: elapsed time=24ms "
        "(0ms mobile, 0ms wifi, 24ms not connected)"
    )
    return 0


def _list(call: Invocation) -> int:
    if call.arguments[:1] != ["packages"]:
        raise CommandFailed(f"Error: unknown list type '{' '.join(call.arguments[:1])}'", 255)
    options = [word for word in call.arguments[1:] if word.startswith("-")]
    texts = [word for word in call.arguments[1:] if not word.startswith("-")]
    for package in sorted(installed(call.screen)):
        hidden = ("-3" in options and not is_third_party(package)) or (
            "-s" in options and is_third_party(package)
        )
        if not hidden and all(text in package for text in texts):
            path = f"{_apk(package)}=" if "-f" in options else ""
            call.say(f"package:{path}{package}")
    return 0


def _path(call: Invocation) -> int:
    package = call.words(1, "Error: no package specified")[-1]
    if package not in installed(call.screen):
        return 1
    call.say(f"package:{_apk(package)}")
    return 0


def _clear(call: Invocation) -> int:
    """Only ends the app: what the apps hold belongs to the episode."""
    package = call.words(1, "Error: no package specified")[-1]
    if package not in installed(call.screen):
        call.say("Failed")
        return 1
    call.screen.force_stop(package)
    call.say("Success")
    return 0


def _resolve_activity(call: Invocation) -> int:
    package = _named_package(call.arguments)
    if package not in call.screen.packages():
        call.say("No activity found")
        return 0
    call.say(MATCH_LINE)
    call.say(component(package) if "--brief" in call.arguments else _long_form(call, package))
    return 0


def _query_activities(call: Invocation) -> int:
    packages = sorted(call.screen.packages())
    brief = "--brief" in call.arguments
    call.say(f"{len(packages)} activities found:")
    for number, package in enumerate(packages):
        call.say(f"  Activity #{number}:\n    {MATCH_LINE}")
        call.say(f"    {component(package)}" if brief else _long_form(call, package))
    return 0


def _long_form(call: Invocation, package: str) -> str:
    activity = component(package).replace("/.", ".")
    label = call.screen.packages()[package]
    return (
        f"    ActivityInfo:\n      name={activity}\n      packageName={package}\n"
        f"      labelRes=0x0 nonLocalizedLabel={label} icon=0x0 banner=0x0\n"
        "      enabled=true exported=true directBootAware=false"
    )


def _named_package(words: list[str]) -> str:
    rest = iter(words)
    package = ""
    for word in rest:
        if word in INTENT_OPTIONS_WITH_VALUE:
            next(rest, None)
        elif word == "-p":
            package = next(rest, "")
        elif not word.startswith("-"):
            package = word.partition("/")[0]
    return package


def _apk(package: str) -> str:
    folder = "/data/app" if is_third_party(package) else "/system/app"
    name = package.rpartition(".")[2]
    return f"{folder}/{name}/{name}.apk"


COMMANDS: dict[str, Callable[[Invocation], int]] = {
    "list": _list,
    "path": _path,
    "clear": _clear,
    "resolve-activity": _resolve_activity,
    "query-activities": _query_activities,
}
