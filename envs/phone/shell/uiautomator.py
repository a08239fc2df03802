"""`uiautomator dump`: what is on the screen, as XML in a file."""

from eyehand.envs.phone.shell.system import CommandFailed, Invocation

DEFAULT_PATH = "/sdcard/window_dump.xml"
TERMINAL = "/dev/tty"


def uiautomator(call: Invocation) -> int:
    """`uiautomator dump [--compressed] [FILE]`; with /dev/tty it is written to the output."""
    words = call.words(1, "Usage: uiautomator <subcommand> [options]")
    if words[0] != "dump":
        raise CommandFailed("Error: only the subcommand dump is known", 1)
    paths = [word for word in words[1:] if not word.startswith("-")]
    path = paths[0] if paths else DEFAULT_PATH
    tree = call.screen.hierarchy().encode()
    if path == TERMINAL:
        call.stdout.write(tree)
    elif not call.system.files.write(path, tree):
        raise CommandFailed(f"ERROR: could not write {path}", 1)
    call.say(f"UI hierchary dumped to: {path}")  # Android's own spelling
    return 0
