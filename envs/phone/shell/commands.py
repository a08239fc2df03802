"""Every command of the phone, by name."""

from eyehand.envs.phone.shell import (
    activities,
    dumpsys,
    file_commands,
    input_commands,
    keyboards,
    packages,
    properties,
    screencap,
    settings,
    uiautomator,
    windows,
)
from eyehand.envs.phone.shell.system import Command, CommandFailed, Invocation


def cmd(call: Invocation) -> int:
    """`cmd SERVICE ...`: the services' own commands, as far as they are here."""
    service = call.words(1, "cmd: no service specified; use -l to list all services")[0]
    command = SERVICES.get(service)
    if command is None:
        raise CommandFailed(f"cmd: Can't find service: {service}", 20)
    return command(call.sub())


SERVICES: dict[str, Command] = {
    "activity": activities.am,
    "input": input_commands.input_command,
    "input_method": keyboards.ime,
    "package": packages.pm,
    "settings": settings.settings,
    "window": windows.wm,
}

COMMANDS: dict[str, Command] = {
    "cmd": cmd,
    "am": activities.am,
    "dumpsys": dumpsys.dumpsys,
    "getprop": properties.getprop,
    "ime": keyboards.ime,
    "input": input_commands.input_command,
    "monkey": packages.monkey,
    "pm": packages.pm,
    "screencap": screencap.screencap,
    "settings": settings.settings,
    "svc": settings.svc,
    "uiautomator": uiautomator.uiautomator,
    "wm": windows.wm,
    **file_commands.COMMANDS,
}
