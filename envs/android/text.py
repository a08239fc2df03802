"""Typing: `input text` for what has a key, an input method's broadcast for everything else.

`input text` writes "%s" for a space, so a literal "%s" is cut in two commands; it takes printable
ASCII only. The rest goes through a keyboard app that types what a broadcast brings (ADBKeyBoard,
base64 of UTF-8). The keyboard that was chosen before is chosen again afterwards, also after a
failure, and that is verified.
"""

import base64
import re
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from eyehand.envs.android.link import Link
from eyehand.envs.android.server import POLL_PAUSE_S, Deadline
from eyehand.errors import ActionHadNoEffect, EnvironmentFault, InvalidArgument

EXTRA_KEYBOARD = "com.android.adbkeyboard/.AdbIME"
PIECE_CHARACTERS = 200
SECONDS_PER_CHARACTER = 0.03
READY_TIMEOUT_S = 3.0
_MAX_NAMED = 8
_CURRENT = ("settings", "get", "secure", "default_input_method")
_SHOWN = "mInputShown=true"
_STATUS = ("dumpsys", "input_method")
# What is chosen, and, where Android tells it (mCurId), what runs already.
_CHOSEN = re.compile(r"\bmCurMethodId=(\S+)")
_RUNNING = re.compile(r"\bmCurId=(\S+)")


def pieces_of(text: str) -> Iterator[str]:
    """Cut printable ASCII into what `input text` can type: short, and never with "%s" inside."""
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or end - start == PIECE_CHARACTERS or text[end - 1 : end + 1] == "%s":
            yield text[start:end]
            start = end


def as_argument(piece: str) -> str:
    """Return a piece as `input text` wants it: with "%s" for every space."""
    return piece.replace(" ", "%s")


def has_keys(text: str) -> bool:
    """Return whether a phone's virtual keyboard has a key for every character."""
    return all(" " <= character <= "~" for character in text)


def untypeable(text: str, extra_keyboard: bool) -> list[str]:
    """Return the characters of a text that cannot be typed, each once, in order.

    Args:
        text: The text.
        extra_keyboard: Whether the keyboard that takes broadcasts is installed.
    """

    def typeable(character: str) -> bool:
        if character == "\n" or " " <= character <= "~":
            return True
        # Control characters and halves of a surrogate pair are no text for any keyboard.
        unfit = unicodedata.category(character) in ("Cc", "Cs") and character != "\t"
        return extra_keyboard and not unfit

    return list(dict.fromkeys(c for c in text if not typeable(c)))


class Keyboard:
    """Types into the focused field of a device.

    Args:
        link: The device.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._installed: tuple[str, ...] = ()
        self._before: str | None = None
        self._enabled_before = True
        self.typed = 0

    def check(self, text: str) -> None:
        """Refuse a text of which not every character can be typed.

        Raises:
            InvalidArgument: it names the characters.
        """
        if has_keys(text):
            return
        culprits = untypeable(text, self.has_extra())
        if not culprits:
            return
        named = ", ".join(_named(character) for character in culprits[:_MAX_NAMED])
        more = f" and {len(culprits) - _MAX_NAMED} more" if len(culprits) > _MAX_NAMED else ""
        reason = "" if self.has_extra() else " (only ASCII can be: no extra keyboard is installed)"
        raise InvalidArgument(f"these characters cannot be typed here{reason}: {named}{more}")

    def type(self, text: str) -> None:
        """Type a text that `check` accepted. `typed` counts the characters that were sent.

        Raises:
            ActionHadNoEffect: the device refused; nothing of the text was typed.
            EnvironmentFault: it refused in the middle, or the connection failed.
        """
        self.typed = 0
        if has_keys(text):
            self._type_keys(text)
        elif self.has_extra():
            with self._extra_chosen():
                self._broadcast(text)
        else:
            self._type_lines(text)

    def has_extra(self) -> bool:
        """Return whether the keyboard that takes broadcasts is installed."""
        if not self._installed:
            said = self._link.ask("ime", "list", "-a", "-s").stdout
            self._installed = tuple(said.split())
        return EXTRA_KEYBOARD in self._installed

    def restore(self) -> None:
        """Choose the keyboard again that was chosen before; nothing where it is.

        Raises:
            EnvironmentFault: the device does not take it back.
        """
        if self._before is None:
            return
        before = self._before
        commands = [("ime", "set", before)]
        if not self._enabled_before:
            commands.append(("ime", "disable", EXTRA_KEYBOARD))
        now = self._link.ask_all(*commands, _CURRENT).stdout.split()[-1:]
        if now != [before]:
            raise EnvironmentFault(
                f"the phone's keyboard {before} could not be restored ({' '.join(now) or 'none'} "
                "is chosen); choose it in the phone's settings"
            )
        self._before = None

    # --- by keys --------------------------------------------------------------------------

    def _type_keys(self, text: str) -> None:
        for piece in pieces_of(text):
            self._sent(("input", "text", as_argument(piece)), len(piece))

    def _type_lines(self, text: str) -> None:
        """Type lines with the enter key between them."""
        for number, line in enumerate(text.split("\n")):
            if number:
                self._sent(("input", "keyevent", "KEYCODE_ENTER"), 1)
            self._type_keys(line)

    def _sent(self, command: tuple[str, ...], characters: int) -> None:
        timeout_s = self._link.call_timeout_s + SECONDS_PER_CHARACTER * characters
        result = self._link.act(command, timeout_s=timeout_s)
        if result.exit_code or "Exception" in result.stderr:
            why = f"the phone refused to type: {result.said[:200] or result.exit_code}"
            if self.typed:
                raise EnvironmentFault(f"{why}; {self.typed} characters were typed before")
            raise ActionHadNoEffect(why)
        self.typed += characters

    # --- by broadcast ---------------------------------------------------------------------

    def _broadcast(self, text: str) -> None:
        for start in range(0, len(text), PIECE_CHARACTERS):
            piece = text[start : start + PIECE_CHARACTERS]
            coded = base64.b64encode(piece.encode("utf-8")).decode("ascii")
            self._sent(("am", "broadcast", "-a", "ADB_INPUT_B64", "--es", "msg", coded), len(piece))

    @contextmanager
    def _extra_chosen(self) -> Iterator[None]:
        """Choose the extra keyboard, and afterwards, whatever happens, the previous one again."""
        self.restore()
        told = self._link.ask_all(_CURRENT, ("ime", "list", "-s")).stdout
        before, *enabled = told.split() or [""]
        if "/" not in before:
            raise ActionHadNoEffect("the phone does not tell which keyboard is chosen")
        if before == EXTRA_KEYBOARD:
            yield
            return
        shown = _SHOWN in self._link.ask(*_STATUS).stdout
        self._before, self._enabled_before = before, EXTRA_KEYBOARD in enabled
        try:
            self._link.ask_all(("ime", "enable", EXTRA_KEYBOARD), ("ime", "set", EXTRA_KEYBOARD))
            self._await_ready(shown)
            yield
        finally:
            self.restore()

    def _await_ready(self, shown: bool) -> None:
        """Wait until the extra keyboard is chosen and up; a broadcast before is lost."""
        deadline = Deadline(READY_TIMEOUT_S, EXTRA_KEYBOARD)
        while True:
            told = self._link.ask(*_STATUS).stdout
            named = (_CHOSEN.search(told), _RUNNING.search(told))
            chosen = all(match.group(1) == EXTRA_KEYBOARD for match in named if match)
            if chosen and (not shown or _SHOWN in told):
                return
            if deadline.passed:
                if chosen:
                    return  # it is chosen; whether the text arrived, the next screen shows
                raise ActionHadNoEffect(f"the phone did not switch to {EXTRA_KEYBOARD}")
            time.sleep(POLL_PAUSE_S)


def _named(character: str) -> str:
    """Return a character for the message: itself, its code and its name."""
    code = f"U+{ord(character):04X}"
    if not character.isprintable():
        return f"{code} {unicodedata.name(character, 'a control character')}"
    return f"{character!r} ({code})"
