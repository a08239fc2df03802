"""What can be told of the connected phones without an episode, for `eyehand doctor`."""

from eyehand.envs.android.extra_keyboard import ExtraKeyboard
from eyehand.envs.android.link import DeviceLink
from eyehand.envs.android.listing import Listed
from eyehand.envs.android.server import AdbServer
from eyehand.errors import EnvironmentFault

CALL_TIMEOUT_S = 3.0


def inspect_phones() -> tuple[list[str], list[str]]:
    """Return what the adb server lists, and what is wrong with it with what to do.

    A server that does not run is left so; nothing on a phone is changed.

    Raises:
        EnvironmentFault: the server gave no list.
        UsageError: the server's address cannot be read.
    """
    server = AdbServer()
    if not server.answers():
        return [f"no adb server runs at {server.host}:{server.port}"], []
    devices = server.devices()
    troubles = [_trouble(server, device) for device in devices]
    return [*map(str, devices)] or ["none is connected"], [
        trouble for trouble in troubles if trouble
    ]


def _trouble(server: AdbServer, device: Listed) -> str:
    """Return what is wrong with a phone; empty where nothing is."""
    if not device.ready:
        return f"{device.serial} {device.trouble}"
    try:
        keyboard = ExtraKeyboard(DeviceLink(server, device.serial, CALL_TIMEOUT_S, CALL_TIMEOUT_S))
        before = keyboard.left_behind()
    except EnvironmentFault as fault:
        return f"{device.serial} is listed and does not answer: {fault}"
    if not before:
        return ""
    return (
        f"{device.serial} still has the extra keyboard, which a run left that was killed: the next "
        f"run on it chooses {before} again, or do it in the phone's settings"
    )
