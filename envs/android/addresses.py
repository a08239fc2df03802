"""Addresses: where the adb server is, which serials are addresses, why one cannot be reached."""

import ipaddress
import os
import re
import socket

from eyehand.errors import UsageError

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 5037
DEVICE_PORT = 5555
"""What `adb tcpip` and `adb connect` take where no port is named."""
PROBE_TIMEOUT_S = 2.0
SOCKET_VARIABLE = "ADB_SERVER_SOCKET"
PORT_VARIABLE = "ANDROID_ADB_SERVER_PORT"
# adb's own name, and the one that adbutils and others read.
HOST_VARIABLES = ("ANDROID_ADB_SERVER_ADDRESS", "ANDROID_ADB_SERVER_HOST")
_TCP = re.compile(r"tcp:(?:(?P<host>[^:\[\]]+):)?(?P<port>\d+)")

HOW_TO_LISTEN = (
    "see that the phone is awake and in this network; its wireless debugging shows address and "
    "port, which change, and asks to be paired once (`adb pair`); for port 5555, run "
    "`adb tcpip 5555` with the cable"
)


def server_address(port: int | None = None) -> tuple[str, int]:
    """Return host and port of the adb server, found as adb finds it.

    A port that is given comes first, then ADB_SERVER_SOCKET, then ANDROID_ADB_SERVER_ADDRESS and
    ANDROID_ADB_SERVER_PORT.

    Raises:
        UsageError: one of them cannot be read.
    """
    written = os.environ.get(SOCKET_VARIABLE, "").strip()
    if port is None and written:
        return _from_socket(written)
    host = next((os.environ[name] for name in HOST_VARIABLES if os.environ.get(name)), DEFAULT_HOST)
    named = str(port) if port is not None else os.environ.get(PORT_VARIABLE, "").strip()
    return host, _port(named, PORT_VARIABLE) if named else DEFAULT_PORT


def is_address(serial: str) -> bool:
    """Return whether a serial is HOST:PORT, which `adb connect` takes."""
    host, colon, port = serial.rpartition(":")
    return bool(host and colon and port.isdecimal())


def with_port(serial: str) -> str:
    """Return a bare IP address with the port that adb takes then; any other serial as it is."""
    try:
        version = ipaddress.ip_address(serial).version
    except ValueError:
        return serial
    return f"{serial}:{DEVICE_PORT}" if version == 4 else f"[{serial}]:{DEVICE_PORT}"


def is_local(host: str) -> bool:
    """Return whether a host is this computer by its name."""
    return host == "localhost" or host.startswith("127.")


def why_unreachable(address: str) -> str:
    """Connect to HOST:PORT from here and say why that fails, or that it does not."""
    host, _, port = address.rpartition(":")
    if not 0 < int(port) < 65536:
        return f"{port} is no port"
    try:
        socket.create_connection((host.strip("[]"), int(port)), PROBE_TIMEOUT_S).close()
    except socket.gaierror:
        return f"the name {host!r} is not known in this network"
    except TimeoutError:
        return f"no answer within {PROBE_TIMEOUT_S:g} s"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return "something answers there, which adb does not take for a phone"


def _from_socket(written: str) -> tuple[str, int]:
    """Read what adb takes as ADB_SERVER_SOCKET, as far as it is an address."""
    found = _TCP.fullmatch(written)
    if found is None:
        raise UsageError(
            f"{SOCKET_VARIABLE} is {written!r}; expected tcp:PORT or tcp:HOST:PORT, other kinds of "
            "sockets cannot be used here"
        )
    return found["host"] or DEFAULT_HOST, _port(found["port"], SOCKET_VARIABLE)


def _port(written: str, source: str) -> int:
    if not written.isdecimal() or not 0 < int(written) < 65536:
        raise UsageError(
            f"the adb server's port ({source}) is a number of 1 to 65535; got {written!r}"
        )
    return int(written)
