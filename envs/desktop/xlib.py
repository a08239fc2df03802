"""python-xlib, which speaks the X11 protocol, and what to say where it cannot be used.

python-xlib and six are pure-Python wheels: they install without a compiler. pynput would bring
the same python-xlib for X11, and evdev beside it, which has to be compiled against kernel headers.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from eyehand.errors import (
    DeviceDisconnected,
    EnvironmentFault,
    MissingExtra,
    StartUnreachable,
    UsageError,
)

INSTALL_HINT = "pip install 'eyehand[desktop]' (or: pip install python-xlib)"

WAYLAND_REASON = (
    "Wayland lets no program see the screen or press keys in another program's window, so "
    "desktop: works on X11 only. Log in to an X11 session (often offered as 'Xorg' at the login "
    "screen), or start a screen of its own: Xvfb :99 & DISPLAY=:99 ..."
)

NEEDED_EXTENSIONS = {"XTEST": "mouse and keyboard", "RECORD": "the stop key"}


def _need(module: str) -> Any:
    """Import a module of python-xlib.

    Raises:
        MissingExtra: python-xlib is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtra(f"the desktop needs python-xlib ({error}): {INSTALL_HINT}") from error


X: Any = _need("Xlib.X")
XK: Any = _need("Xlib.XK")
x_display: Any = _need("Xlib.display")
x_error: Any = _need("Xlib.error")
x_event: Any = _need("Xlib.protocol.event")
rq: Any = _need("Xlib.protocol.rq")
record: Any = _need("Xlib.ext.record")
xtest: Any = _need("Xlib.ext.xtest")


def connect(display_name: str | None = None) -> Any:
    """Open a connection to an X server that has what the desktop needs.

    Args:
        display_name: Such as ":0"; None takes the environment's DISPLAY.

    Returns:
        An `Xlib.display.Display`; close it with `close()`.

    Raises:
        UsageError: there is no X display, it is Wayland's, or it lacks an extension.
        StartUnreachable: the display does not answer.
    """
    name = display_name or os.environ.get("DISPLAY", "")
    if not name:
        if os.environ.get("WAYLAND_DISPLAY"):
            raise UsageError(f"this is a Wayland session without an X display. {WAYLAND_REASON}")
        raise UsageError(
            "desktop: needs an X display and DISPLAY is not set; run inside a graphical session, "
            "or start a screen of its own: Xvfb :99 & DISPLAY=:99 ..."
        )
    connection = _attempt(name)
    try:
        _check_server(connection, name)
    except BaseException:
        connection.close()
        raise
    # Requests without an answer (a window that vanished meanwhile) must not print to stderr.
    connection.set_error_handler(lambda error, request: None)
    return connection


def _attempt(name: str) -> Any:
    """Connect, or say why not."""
    problem = ""
    with warnings.catch_warnings():
        # python-xlib leaves the sockets of a failed attempt to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            return x_display.Display(name)
        except (x_error.DisplayError, x_error.ConnectionClosedError, OSError) as error:
            problem = str(error)
    raise StartUnreachable(f"the X display {name!r} does not answer: {problem}")


def _check_server(connection: Any, name: str) -> None:
    """Refuse a server that cannot see or touch the whole desktop."""
    extensions = set(connection.list_extensions())
    if "XWAYLAND" in extensions or _has_wayland_outputs(connection, extensions):
        raise UsageError(
            f"the display {name!r} is Wayland's bridge for X programs. {WAYLAND_REASON}"
        )
    lacking = [f"{e} ({use})" for e, use in NEEDED_EXTENSIONS.items() if e not in extensions]
    if lacking:
        raise UsageError(f"the X server {name!r} lacks the extension {', '.join(lacking)}")


def _has_wayland_outputs(connection: Any, extensions: set[str]) -> bool:
    """Return whether the outputs are named by Xwayland; older ones do not list an extension."""
    if "RANDR" not in extensions:
        return False
    resources = connection.screen().root.xrandr_get_screen_resources()
    named = (
        connection.xrandr_get_output_info(output, resources.config_timestamp).name
        for output in resources.outputs
    )
    return any(name.startswith("XWAYLAND") for name in named)


@contextmanager
def x_faults(what: str) -> Iterator[None]:
    """Map what python-xlib raises to an environment fault.

    Args:
        what: What was being tried, for the message.

    Raises:
        DeviceDisconnected: the X server is gone.
        EnvironmentFault: it refused a request.
    """
    try:
        yield
    except (x_error.ConnectionClosedError, x_error.DisplayError, OSError) as error:
        raise DeviceDisconnected(f"the X server is gone ({what}): {error}") from error
    except x_error.XError as error:
        raise EnvironmentFault(f"the X server refused ({what}): {error}") from error
