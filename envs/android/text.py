"""Typing: `input text` for what has a key, an input method's broadcast for everything else.

`input text` writes "%s" for a space, so a literal "%s" is cut in two commands; it takes printable
ASCII only. The rest goes through the extra keyboard, as base64 of UTF-8.
"""

import base64
import unicodedata
from collections.abc import Iterator

from eyehand.envs.android.extra_keyboard import EXTRA_PACKAGE, ExtraKeyboard, KeyboardDenied
from eyehand.envs.android.link import DeviceLink
from eyehand.errors import ActionHadNoEffect, EnvironmentFault, InvalidArgument

PIECE_CHARACTERS = 200
SECONDS_PER_CHARACTER = 0.03
_MAX_NAMED = 8


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


class DeviceKeyboard:
    """Types into the focused field of a device.

    Args:
        link: The device.

    Attributes:
        extra: The keyboard for what has no key.
        typed: How many characters of the last text were sent.
    """

    def __init__(self, link: DeviceLink) -> None:
        self._link = link
        self.extra = ExtraKeyboard(link)
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
        reason = f" (only ASCII can be: {self.extra.why_not})" if self.extra.why_not else ""
        raise InvalidArgument(f"these characters cannot be typed here{reason}: {named}{more}")

    def type(self, text: str) -> None:
        """Type a text that `check` accepted. `typed` counts the characters that were sent.

        Raises:
            InvalidArgument: the extra keyboard may not be chosen, and the text needs it.
            ActionHadNoEffect: the device refused; nothing of the text was typed.
            EnvironmentFault: it refused in the middle, or the connection failed.
        """
        self.typed, self.extra.left = 0, ""
        if has_keys(text):
            self._type_keys(text)
            return
        if self.has_extra():
            try:
                with self.extra.chosen():
                    self._broadcast(text)
                return
            except KeyboardDenied:
                if not self.extra.why_not:
                    raise
                self.check(text)
        self._type_lines(text)

    def has_extra(self) -> bool:
        """Return whether the keyboard that takes broadcasts can be used."""
        return self.extra.usable()

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
        if result.refusal:
            why = f"the phone refused to type: {result.refusal}"
            if self.typed:
                raise EnvironmentFault(f"{why}; {self.typed} characters were typed before")
            raise ActionHadNoEffect(why)
        self.typed += characters

    # --- by broadcast ---------------------------------------------------------------------

    def _broadcast(self, text: str) -> None:
        for start in range(0, len(text), PIECE_CHARACTERS):
            piece = text[start : start + PIECE_CHARACTERS]
            coded = base64.b64encode(piece.encode("utf-8")).decode("ascii")
            # To its package by name: manufacturers do not deliver what is meant for anybody.
            to = ("-a", "ADB_INPUT_B64", "-p", EXTRA_PACKAGE)
            self._sent(("am", "broadcast", *to, "--es", "msg", coded), len(piece))


def _named(character: str) -> str:
    """Return a character for the message: itself, its code and its name."""
    code = f"U+{ord(character):04X}"
    if not character.isprintable():
        return f"{code} {unicodedata.name(character, 'a control character')}"
    return f"{character!r} ({code})"
