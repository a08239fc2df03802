"""What an adb server lists: serials, which may hold blanks, states of several words, and advice."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

READY = "device"
_TAG = re.compile(r"\s+([A-Za-z_]+):(\S+)$")
_NO_PERMISSIONS = "no permissions"
# Longest first: "no device" ends with "device" too.
_STATES = (
    "unauthorized", "authorizing", "bootloader", "connecting", "no device", "recovery", "sideload",
    "detached", "offline", "unknown", "device", "rescue", "host",
)  # fmt: skip

HOW_TO_AUTHORIZE = (
    "unlock the phone, accept the question 'Allow USB debugging?' and try again; where no "
    "question appears, revoke the USB debugging authorisations in its developer options and "
    "plug it in again"
)
HOW_TO_ATTACH = (
    "connect a phone with USB debugging switched on, or name one in the network as "
    "android:HOST:PORT"
)
_RESTART = "restart it into Android (`adb reboot`, or its power key)"
_EXPLAINED = {
    "unauthorized": ("does not permit debugging", HOW_TO_AUTHORIZE),
    "authorizing": ("is still asking for the permission to debug", HOW_TO_AUTHORIZE),
    _NO_PERMISSIONS: (
        "is plugged in, and this user may not open its USB device (no permissions)",
        "install the udev rules (Debian: `apt-get install android-sdk-platform-tools-common`), "
        "join the group plugdev, log in again and plug the phone in again",
    ),
    "offline": (
        "is offline: adb knows it, and it does not answer",
        "wake the phone and plug it in again; over the network, run `adb disconnect` for its "
        "address and try again",
    ),
    "connecting": ("is still connecting", "try again in a moment"),
    "recovery": ("is in recovery mode", _RESTART),
    "rescue": ("is in rescue mode", _RESTART),
    "sideload": ("waits for an update to be sideloaded", _RESTART),
    "bootloader": ("is in its bootloader", _RESTART),
    "host": ("is in host mode", "plug it in again"),
    "detached": ("was taken over by another program on this computer", "end the other program"),
}
_PASSING = ("device", "offline", "authorizing", "connecting")
"""States that may turn into "device" by themselves."""


@dataclass(frozen=True)
class Listed:
    """A device as the adb server lists it.

    Attributes:
        serial: Its serial number, HOST:PORT in the network, or the name that mDNS gave it, which
            may hold blanks.
        state: "device", "offline", "unauthorized", "no permissions", ...
        transport_id: The server's number for this connection; another one after a reconnect.
        model: Its model, "Pixel_8"; empty where it is not told.
    """

    serial: str
    state: str
    transport_id: int = 0
    model: str = ""

    @property
    def ready(self) -> bool:
        """Whether it takes commands."""
        return self.state == READY

    @property
    def asks(self) -> bool:
        """Whether a person has to permit debugging on its screen."""
        return self.state in ("unauthorized", "authorizing")

    @property
    def may_get_ready(self) -> bool:
        """Whether waiting alone may help."""
        return self.state in _PASSING

    @property
    def trouble(self) -> str:
        """What its state means and what to do, "is offline: ..."; empty where it is ready."""
        if self.ready:
            return ""
        meaning, advice = _EXPLAINED.get(
            self.state, (f"is in the state {self.state!r}", "restart the phone")
        )
        return f"{meaning}; {advice}"

    def __str__(self) -> str:
        """Return the serial with what tells it from others: "R5CT1 (Pixel_8, offline)"."""
        more = [part for part in (self.model, "" if self.ready else self.state) if part]
        return f"{self.serial} ({', '.join(more)})" if more else self.serial

    def as_spec(self) -> str:
        """Return what names it on a command line, quoted where a shell needs that."""
        return shlex.quote(f"android:{self.serial}")


def parse_listing(text: str) -> list[Listed]:
    """Read the answer of an adb server to "host:devices" or "host:devices-l"."""
    return [_parse(line.rstrip()) for line in text.splitlines() if line.strip()]


def present(devices: Sequence[Listed]) -> str:
    """Return what is connected, for a message about a device that is not."""
    return f"adb lists {', '.join(map(str, devices)) or 'no device'}"


def _parse(line: str) -> Listed:
    """Read one line: the serial, padded with blanks or ended by a tab, the state, then tags."""
    serial, tab, rest = line.partition("\t")
    tags: dict[str, str] = {}
    rest = rest if tab else line
    while tag := _TAG.search(rest):
        tags.setdefault(tag.group(1), tag.group(2))
        rest = rest[: tag.start()]
    if tab:
        state = rest.strip()
    else:
        serial, state = _apart(rest)
    if state.startswith(_NO_PERMISSIONS):
        state = _NO_PERMISSIONS
    number = tags.get("transport_id", "")
    return Listed(serial, state, int(number) if number.isdecimal() else 0, tags.get("model", ""))


def _apart(rest: str) -> tuple[str, str]:
    """Cut "SERIAL   STATE", in which both may hold blanks."""
    before, refused, why = rest.partition(f" {_NO_PERMISSIONS}")
    if refused:
        return before.strip(), f"{_NO_PERMISSIONS}{why}"
    for state in _STATES:
        if rest.endswith(f" {state}"):
            return rest.removesuffix(state).strip(), state
    serial, _, state = rest.rpartition(" ")
    return serial.strip(), state
