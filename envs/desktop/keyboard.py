"""The keyboard, through XTEST: combinations that are always released, and text of any script."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from eyehand.envs.desktop.arrival import ArrivalCheck
from eyehand.envs.desktop.keymap import Keymap
from eyehand.envs.desktop.xlib import X, xtest
from eyehand.errors import ActionHadNoEffect

CHUNK_LENGTH = 24
"""Characters between two looks at the stop key and at whether the program keeps up."""

ARRIVAL_TIMEOUT_S = 2.0


class Keyboard:
    """Presses keys and types text.

    Args:
        connection: An X connection whose events nobody else reads.
        announce: Called with (pressed, key code) before each event, so that a listener can tell
            them from a person's.
        check: Raises where typing has to end.
        wait_quiet: Waits until the screen stays the same; used where a window cannot say that it
            has read its keys.
    """

    def __init__(
        self,
        connection: Any,
        announce: Callable[[bool, int], None],
        check: Callable[[], None],
        wait_quiet: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._announce = announce
        self._check = check
        self._wait_quiet = wait_quiet
        self._arrival = ArrivalCheck(connection)

    def press(self, keys: Sequence[str]) -> None:
        """Press one key or combination, and release it.

        A letter with modifiers is its key: Control and "C" are Control+C, not Control+Shift+C.

        Args:
            keys: Names of `eyehand.actions.keys`, modifiers first.

        Raises:
            ActionHadNoEffect: the keyboard has no such key; nothing was pressed.
        """
        if len(keys) == 1 and len(keys[0]) == 1:
            if self.type_text(keys[0]):
                raise ActionHadNoEffect(f"this keyboard cannot type {keys[0]!r}")
            return
        keymap = Keymap(self._connection)
        names = list(keys)
        stroke = keymap.stroke(keys[-1]) if len(keys[-1]) == 1 else None
        if stroke and stroke.shift and not keys[-1].isalpha() and "Shift" not in keys:
            names.insert(0, "Shift")
        with self._held([self._code(keymap, name) for name in names]):
            pass

    def type_text(self, text: str) -> list[str]:
        """Type text into the window that has the keyboard.

        Args:
            text: Any characters; a newline presses Enter, a tab Tab.

        Returns:
            The characters that no key can type, each once; they were left out.
        """
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        keymap = Keymap(self._connection)
        refused = [c for c in dict.fromkeys(text) if not keymap.can_type(c)]
        typed = [c for c in text if c not in refused]
        with self._without_caps_lock(keymap):
            try:
                for chunk in _chunks(typed, keymap):
                    self._type_chunk(keymap, chunk)
            finally:
                keymap.restore()
        return refused

    def _type_chunk(self, keymap: Keymap, chunk: Sequence[str]) -> None:
        """Type some characters, of which no more are off the layout than there are spare keys."""
        foreign = _off_layout(chunk, keymap)
        if any(keymap.stroke(c) is None for c in foreign):
            keymap.bind(foreign)
            self._wait_read()  # toolkits with a connection of their own read the map apart
        shift = keymap.keycode("Shift")
        for character in chunk:
            self._check()
            stroke = keymap.stroke(character)
            if stroke is None:
                continue  # unreachable: the chunk was cut to what can be bound
            codes = [shift] if stroke.shift and shift is not None else []
            with self._held([*codes, stroke.keycode]):
                pass
        self._wait_read()

    def _wait_read(self) -> None:
        """Wait until the program has read its keys; where it cannot say so, until it is quiet."""
        self._connection.sync()
        if not self._arrival.wait(ARRIVAL_TIMEOUT_S):
            self._wait_quiet()

    def _code(self, keymap: Keymap, key: str) -> int:
        code = keymap.keycode(key)
        if code is None:
            raise ActionHadNoEffect(f"this keyboard has no key {key!r}; nothing was pressed")
        return code

    @contextmanager
    def _without_caps_lock(self, keymap: Keymap) -> Iterator[None]:
        """Turn Caps Lock off for a while, and on again."""
        on = bool(self._connection.screen().root.query_pointer().mask & X.LockMask)
        code = keymap.keycode("CapsLock")
        if not on or code is None:
            yield
            return
        with self._held([code]):
            pass
        try:
            yield
        finally:
            with self._held([code]):
                pass

    @contextmanager
    def _held(self, codes: Sequence[int]) -> Iterator[None]:
        """Hold keys down, and release them in any case, the last one first."""
        down: list[int] = []
        try:
            for code in codes:
                down.append(code)
                self._send(True, code)
            yield
        finally:
            for code in reversed(down):
                self._send(False, code)
            self._connection.flush()

    def _send(self, pressed: bool, code: int) -> None:
        self._announce(pressed, code)
        xtest.fake_input(self._connection, X.KeyPress if pressed else X.KeyRelease, code)


def _off_layout(characters: Sequence[str], keymap: Keymap) -> list[str]:
    """Return the characters that are on no key, each once."""
    return [c for c in dict.fromkeys(characters) if not keymap.on_layout(c)]


def _chunks(characters: Sequence[str], keymap: Keymap) -> Iterator[list[str]]:
    """Cut text into pieces that are short, and need no more spare keys than there are."""
    chunk: list[str] = []
    for character in characters:
        longer = [*chunk, character]
        if len(longer) > CHUNK_LENGTH or len(_off_layout(longer, keymap)) > keymap.spare_count:
            yield chunk
            longer = [character]
        chunk = longer
    if chunk:
        yield chunk
