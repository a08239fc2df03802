"""The stop key: heard through X RECORD, whatever window has the keyboard.

The listener has connections and a thread of its own, so it hears the key while the agent acts and
while it thinks. It ignores the agent's own key presses: those are announced before they are sent.
"""

import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from eyehand.actions.keys import MODIFIERS, NAMED_KEYS, check_combination, split_combination
from eyehand.envs.desktop.interrupt import Interrupt
from eyehand.envs.desktop.keysyms import keysyms_of_key
from eyehand.envs.desktop.xlib import X, connect, record, rq, x_error, x_faults
from eyehand.errors import EnvironmentFault, UsageError

DEFAULT_STOP_KEY = "ctrl+alt+q"
LISTENING_TIMEOUT_S = 30.0
JOIN_TIMEOUT_S = 5.0
GONE = (x_error.ConnectionClosedError, x_error.XError, OSError)


class StopKeyPressed(KeyboardInterrupt):
    """A person pressed the stop key. Ends an episode as Ctrl-C does: stopped by a person."""


def read_stop_key(text: str) -> list[str]:
    """Read a combination such as "ctrl+alt+q" into names of `eyehand.actions.keys`.

    Raises:
        UsageError: it is no combination, or a key that ordinary typing presses.
    """
    try:
        keys = check_combination([str(part) for part in _parts(text)])
    except ValueError as error:
        raise UsageError(f"cannot read the stop key {text!r}: {error}") from None
    held, last = set(keys[:-1]), keys[-1]
    if last in MODIFIERS or not (held - {"Shift"} or last in NAMED_KEYS):
        raise UsageError(
            f"the stop key {text!r} would be pressed by ordinary typing; take a combination such "
            f"as {DEFAULT_STOP_KEY}, or a key such as F12 or Pause"
        )
    return keys


def _parts(text: str) -> list[Any]:
    parts = split_combination(text)
    return parts if isinstance(parts, list) else [parts]


class StopKey:
    """Listens for the stop key from the moment it is made until it is closed.

    Where it is made on the main thread it also interrupts what that thread does, as Ctrl-C would.

    Args:
        display_name: The X display.
        keys: The combination, from `read_stop_key`.
        interruptible: Asked, under the listener's lock, whether the main thread may be interrupted
            now; while it says no, `check` ends the work instead.

    Raises:
        UsageError: the keyboard has no such key.
        StartUnreachable: the display does not answer.
        EnvironmentFault: the display does not begin to tell of keys.
    """

    def __init__(
        self, display_name: str, keys: list[str], interruptible: Callable[[], bool]
    ) -> None:
        self.lock = threading.Lock()
        self._interruptible = interruptible
        self._announced: Counter[tuple[bool, int]] = Counter()
        self._held: set[int] = set()
        self._pressed = threading.Event()
        self._started = threading.Event()  # the server tells of keys, or the listener has ended
        self._lost = ""
        self._control = connect(display_name)
        try:
            with x_faults("starting to listen for the stop key"):
                self._groups = [self._keycodes(key) for key in keys]
                self._context = self._make_context()
            self._listening = connect(display_name)
        except BaseException:
            self._control.close()
            raise
        self._thread = threading.Thread(target=self._listen, name="stop key", daemon=True)
        self._interrupt = Interrupt()
        try:
            self._thread.start()
            self._started.wait(LISTENING_TIMEOUT_S)  # a key pressed before would not be heard
            if self._lost or not self._started.is_set():
                why = self._lost or f"no answer within {LISTENING_TIMEOUT_S:g} s"
                raise EnvironmentFault(f"cannot listen for the stop key: {why}")
        except BaseException:
            self.close()
            raise

    @property
    def pressed(self) -> bool:
        """Whether a person has pressed the stop key."""
        return self._pressed.is_set()

    def announce(self, pressed: bool, keycode: int) -> None:
        """Say that the agent is about to press (or release) a key, so that it is not heard."""
        with self.lock:
            self._announced[pressed, keycode] += 1

    def check(self) -> None:
        """Return if the agent may go on.

        Raises:
            StopKeyPressed: a person pressed the stop key.
            EnvironmentFault: nobody listens any more; the agent must not act without.
        """
        if self.pressed:
            self._interrupt.call_off()
            raise StopKeyPressed("stopped by a person")
        if self._lost:
            raise EnvironmentFault(f"the stop key can no longer be heard: {self._lost}")

    def pause(self, seconds: float) -> None:
        """Wait for some seconds, or until the stop key ends the wait.

        Raises:
            StopKeyPressed: a person pressed the stop key.
            EnvironmentFault: nobody listens any more.
        """
        self._pressed.wait(seconds)
        self.check()

    def close(self) -> None:
        """Stop listening. What the server keeps for it goes with the connections."""
        self._interrupt.close()
        with suppress(OSError):  # the listener's thread reads an end, and ends
            self._listening.display.socket.shutdown(socket.SHUT_RDWR)
        if self._thread.ident is not None:
            self._thread.join(JOIN_TIMEOUT_S)
        with suppress(*GONE):
            self._control.close()
        if not self._thread.is_alive():  # to close it under a thread that reads is an error there
            with suppress(*GONE):
                self._listening.close()

    def _keycodes(self, key: str) -> set[int]:
        """Return the codes of every key with that name: both Control keys, for example."""
        name = key.lower() if len(key) == 1 else key
        found = {
            code
            for keysym in keysyms_of_key(name)
            for code, _ in self._control.keysym_to_keycodes(keysym)
        }
        if not found:
            raise UsageError(f"this keyboard has no key {key!r} for the stop key; choose another")
        return found

    def _make_context(self) -> int:
        keys = (X.KeyPress, X.KeyRelease)
        ranges = {
            "core_requests": (0, 0),
            "core_replies": (0, 0),
            "ext_requests": (0, 0, 0, 0),
            "ext_replies": (0, 0, 0, 0),
            "delivered_events": (0, 0),
            "device_events": keys,
            "errors": (0, 0),
            "client_started": False,
            "client_died": False,
        }
        context: int = self._control.record_create_context(0, [record.AllClients], [ranges])
        self._control.sync()
        return context

    def _listen(self) -> None:
        """Run on the listener's thread until its connection ends."""
        try:
            self._listening.record_enable_context(self._context, self._hear)
            self._lost = "the server has ended it"
        except GONE as error:
            self._lost = str(error) or type(error).__name__
        finally:
            self._started.set()

    def _hear(self, reply: Any) -> None:
        """Look at some recorded events."""
        if reply.category == record.StartOfData:
            self._started.set()
        if reply.category != record.FromServer or reply.client_swapped:
            return
        data = reply.data
        while len(data):
            event, data = rq.EventField(None).parse_binary_value(
                data, self._listening.display, None, None
            )
            if event.type in (X.KeyPress, X.KeyRelease):
                self._key(event.type == X.KeyPress, event.detail)
                if self.pressed:
                    self._interrupt.send(self.lock, self._interruptible)

    def _key(self, pressed: bool, keycode: int) -> None:
        """Follow which keys the person holds."""
        with self.lock:
            if self._announced[pressed, keycode] > 0:
                self._announced[pressed, keycode] -= 1
                return
            if not pressed:
                self._held.discard(keycode)
                return
            self._held.add(keycode)
            if all(self._held & group for group in self._groups):
                self._pressed.set()
