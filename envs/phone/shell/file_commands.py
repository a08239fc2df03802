"""The small commands of every shell, on the phone's files in memory."""

import posixpath
import re

from eyehand.envs.phone.shell.files import Entry
from eyehand.envs.phone.shell.system import Command, CommandFailed, Invocation


def split_options(arguments: list[str]) -> tuple[str, list[str]]:
    """Return the letters of the leading options, and the other arguments."""
    letters = ""
    rest = list(arguments)
    while rest and rest[0].startswith("-") and len(rest[0]) > 1:
        word = rest.pop(0)
        if word == "--":
            break
        letters += word[1:]
    return letters, rest


def echo(call: Invocation) -> int:
    """Write the arguments."""
    newline = call.arguments[:1] != ["-n"]
    words = call.arguments if newline else call.arguments[1:]
    call.stdout.write((" ".join(words) + "\n" * newline).encode())
    return 0


def cat(call: Invocation) -> int:
    """Write files, or what came through the pipe."""
    status = 0
    if not call.arguments:
        call.stdout.write(call.stdin)
    for path in call.arguments:
        entry = call.system.files.get(path)
        if entry is None or entry.is_directory:
            reason = "No such file or directory" if entry is None else "Is a directory"
            call.complain(f"cat: {path}: {reason}")
            status = 1
        else:
            call.stdout.write(entry.content)
    return status


def rm(call: Invocation) -> int:
    """Remove files; folders with -r."""
    letters, paths = split_options(call.arguments)
    status = 0
    for path in paths:
        entry = call.system.files.get(path)
        if entry is None and "f" in letters:
            continue
        if entry is None or (entry.is_directory and not set(letters) & set("rR")):
            reason = "No such file or directory" if entry is None else "is directory"
            call.complain(f"rm: {path}: {reason}")
            status = 1
        else:
            call.system.files.remove(path)
    return status


def mkdir(call: Invocation) -> int:
    """Make folders; with -p the ones above, too."""
    letters, paths = split_options(call.arguments)
    files = call.system.files
    status = 0
    for path in paths:
        reason = ""
        if files.get(path) is not None:
            reason = "" if "p" in letters else "File exists"
        elif "p" not in letters and files.get(posixpath.dirname(path.rstrip("/"))) is None:
            reason = "No such file or directory"
        else:
            files.make_directory(path)
        if reason:
            call.complain(f"mkdir: '{path}': {reason}")
            status = 1
    return status


def ls(call: Invocation) -> int:
    """List folders; with -l modes and sizes, with -d the folders themselves."""
    letters, paths = split_options(call.arguments)
    status = 0
    for path in paths or ["/"]:
        entry = call.system.files.get(path)
        if entry is None:
            call.complain(f"ls: {path}: No such file or directory")
            status = 1
        elif entry.is_directory and "d" not in letters:
            for name, inside in call.system.files.entries(path).items():
                call.say(_listed(name, inside, "l" in letters))
        else:
            call.say(_listed(path, entry, "l" in letters))
    return status


def _listed(name: str, entry: Entry, long: bool) -> str:
    if not long:
        return name
    kind = "d" if entry.is_directory else "-"
    return f"{kind}rw-rw---- 1 shell shell {len(entry.content):8d} 2024-01-01 00:00 {name}"


def grep(call: Invocation) -> int:
    """Keep the lines that match a pattern, from a pipe or from files."""
    letters, words = split_options(call.arguments)
    if not words:
        raise CommandFailed("grep: no REGEX", 2)
    pattern = re.escape(words[0]) if "F" in letters else words[0]
    try:
        regex = re.compile(pattern.encode(), re.IGNORECASE if "i" in letters else 0)
    except re.error as error:
        raise CommandFailed(f"grep: bad REGEX: {error}", 2) from error
    entries = (call.system.files.get(path) for path in words[1:])
    text = b"".join(e.content for e in entries if e is not None) if words[1:] else call.stdin
    found = [ln for ln in text.splitlines() if bool(regex.search(ln)) != ("v" in letters)]
    if "q" in letters:
        return 0 if found else 1
    if "c" in letters:
        call.stdout.write(b"%d\n" % len(found))
    elif found:
        call.stdout.write(b"\n".join(found) + b"\n")
    return 0 if found else 1


def sleep(call: Invocation) -> int:
    """Wait; a client that leaves ends it."""
    try:
        seconds = float(call.words(1, "sleep: Needs 1 argument")[0].removesuffix("s"))
    except ValueError as error:
        raise CommandFailed(f"sleep: bad number '{call.arguments[0]}'") from error
    return 128 if call.stopped.wait(seconds) else 0


COMMANDS: dict[str, Command] = {
    "echo": echo,
    "cat": cat,
    "rm": rm,
    "mkdir": mkdir,
    "ls": ls,
    "grep": grep,
    "sleep": sleep,
    "true": lambda call: 0,
    ":": lambda call: 0,
    "false": lambda call: 1,
}
