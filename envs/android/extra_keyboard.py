"""The keyboard app that types what a broadcast brings (ADBKeyBoard): chosen for one text.

The keyboard that was chosen before is written down on the phone first, as one of its settings, so
that a run which is killed in between is cleared up after by the next one. Manufacturers forbid adb
some of these commands; what they forbid is told, and an episode goes on without it.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from eyehand.envs.android.link import DeviceLink
from eyehand.envs.android.server import POLL_PAUSE_S, Deadline
from eyehand.errors import ActionHadNoEffect

EXTRA_KEYBOARD = "com.android.adbkeyboard/.AdbIME"
EXTRA_PACKAGE = EXTRA_KEYBOARD.partition("/")[0]
READY_TIMEOUT_S = 3.0
NOT_INSTALLED = "no extra keyboard is installed"
HOW_TO_PERMIT = (
    "a person can permit it in the phone's developer options ('USB debugging (Security settings)' "
    "or 'Disable permission monitoring'), or choose the extra keyboard in its settings"
)
# Which keyboard was chosen, with ",disable" where the extra one was not enabled.
_RECORD = ("secure", "eyehand_keyboard_before")
_DISABLE = ",disable"
_READ_RECORD = ("settings", "get", *_RECORD)
_FORGET = ("settings", "delete", *_RECORD)
_CURRENT = ("settings", "get", "secure", "default_input_method")
_ENABLED = ("settings", "get", "secure", "enabled_input_methods")
_SHOWN = "mInputShown=true"
_STATUS = ("dumpsys", "input_method")
# What is chosen, and, where Android tells it (mCurId), what runs already.
_CHOSEN = re.compile(r"\bmCurMethodId=(\S+)")
_RUNNING = re.compile(r"\bmCurId=(\S+)")


class KeyboardDenied(ActionHadNoEffect):
    """The phone does not let adb choose a keyboard; nothing was typed."""


class ExtraKeyboard:
    """The extra keyboard of a device.

    Args:
        link: The device.

    Attributes:
        why_not: Why it cannot be used; empty where it can, or where nobody asked yet.
        left: What is wrong with the phone's keyboard now, for the model; empty where nothing is.
    """

    def __init__(self, link: DeviceLink) -> None:
        self._link = link
        self._installed: bool | None = None
        self._before: str | None = None
        self._enabled_before = True
        self.why_not = ""
        self.left = ""

    def usable(self) -> bool:
        """Return whether it is installed and, as far as is known, may be chosen."""
        if self._installed is None:
            self._installed = self._listed()
            self.why_not = "" if self._installed else NOT_INSTALLED
        if self._installed and self.why_not and self._current() == EXTRA_KEYBOARD:
            self.why_not = ""  # a person has chosen it meanwhile
        return not self.why_not

    @contextmanager
    def chosen(self) -> Iterator[None]:
        """Choose it, and afterwards, whatever happens, the previous one again.

        Raises:
            KeyboardDenied: the phone does not permit it; the previous one is chosen.
            ActionHadNoEffect: the phone does not switch.
        """
        self.restore()
        before, enabled = self._standing()
        if before == EXTRA_KEYBOARD:
            yield
            return
        shown = _SHOWN in self._link.ask(*_STATUS).stdout
        try:
            self._switch(before, enabled)
            self._await_ready(shown)
            yield
        finally:
            self.restore()

    def restore(self) -> None:
        """Choose the keyboard again that was chosen before; nothing where it is.

        A phone that refuses keeps what it has: `left` says so, and the next call tries again.
        """
        if self._before is None:
            return
        before, self.left = self._before, ""
        result = self._link.ask_all(("ime", "set", before), *self._undo, _FORGET, _CURRENT)
        now = result.stdout.split()[-1:]
        if result.refusal or now != [before]:
            if self._current() == EXTRA_KEYBOARD:
                self.left = (
                    f"the phone's keyboard {before} could not be chosen again "
                    f"({result.refusal or 'it keeps the extra one'}); a person has to choose it"
                )
                return
            self._forget()
        self._before = None

    def recover(self) -> str:
        """Put back what a run left that was killed while it typed; return what was done.

        Returns:
            A sentence for the record; empty where there was nothing to put back.
        """
        record, now = self._recorded()
        if not record:
            return ""
        before = record.removesuffix(_DISABLE)
        self._enabled_before = before == record
        if now != EXTRA_KEYBOARD:
            self._forget()  # somebody has chosen another one since
            return ""
        self._before = before
        self.restore()
        return self.left or f"the keyboard {before}, which an earlier run had switched, is back"

    def left_behind(self) -> str:
        """Return the keyboard that a killed run did not choose again; empty where none did."""
        record, now = self._recorded()
        return record.removesuffix(_DISABLE) if now == EXTRA_KEYBOARD else ""

    # --- what the phone says --------------------------------------------------------------

    def _listed(self) -> bool:
        """Return whether it is installed; where adb may not list keyboards, packages tell."""
        told = self._link.ask("ime", "list", "-a", "-s")
        if not told.refusal:
            return EXTRA_KEYBOARD in told.stdout.split()
        told = self._link.ask("pm", "list", "packages", EXTRA_PACKAGE)
        return f"package:{EXTRA_PACKAGE}" in told.stdout.split()

    def _recorded(self) -> tuple[str, str]:
        """Return what was written down before a switch, or an empty text; and what is chosen."""
        told = self._link.ask_all(_READ_RECORD, _CURRENT).stdout.split()
        record, now = (*told, "", "")[:2]
        return ("" if record == "null" else record), now

    def _current(self) -> str:
        return self._link.ask(*_CURRENT).stdout.strip()

    def _standing(self) -> tuple[str, bool]:
        """Return the chosen keyboard, and whether the extra one is enabled."""
        result = self._link.ask_all(_CURRENT, _ENABLED)
        before, *rest = result.stdout.split() or [""]
        if "/" not in before:
            raise KeyboardDenied(
                f"the phone does not tell which keyboard is chosen ({result.refusal or before})"
            )
        # "com.a/.Ime;SUBTYPE:com.b/.Ime"
        enabled = {each.partition(";")[0] for each in "".join(rest).split(":")}
        return before, EXTRA_KEYBOARD in enabled

    # --- switching ------------------------------------------------------------------------

    @property
    def _undo(self) -> list[tuple[str, ...]]:
        """The command that takes back the permission to be chosen, where it was given for us."""
        return [] if self._enabled_before else [("ime", "disable", EXTRA_KEYBOARD)]

    def _forget(self) -> None:
        self._link.ask_all(*self._undo, _FORGET)

    def _switch(self, before: str, enabled: bool) -> None:
        """Write down what is chosen, then enable and choose the extra keyboard."""
        # A phone that keeps no such setting may still let adb choose keyboards.
        self._link.ask("settings", "put", *_RECORD, before + ("" if enabled else _DISABLE))
        self._before, self._enabled_before = before, enabled
        enable = [] if enabled else [("ime", "enable", EXTRA_KEYBOARD)]
        refusal = self._link.ask_all(*enable, ("ime", "set", EXTRA_KEYBOARD)).refusal
        if refusal and self._current() != EXTRA_KEYBOARD:
            self.why_not = (
                f"the phone does not permit adb to choose its extra keyboard: {refusal}; "
                f"{HOW_TO_PERMIT}"
            )
            raise KeyboardDenied(self.why_not)

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
