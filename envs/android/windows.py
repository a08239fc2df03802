"""What windows say about the screen: whether captures are forbidden, where the keyboard is.

All of it is text that `dumpsys` writes for people, in forms that differ between Android versions;
both the words of newer and the numbers of older ones are read.
"""

import re
from collections.abc import Iterator

from eyehand.envs.android.link import DeviceLink

# android.view.WindowManager.LayoutParams.FLAG_SECURE
_FLAG_SECURE = 0x2000
_WINDOW = re.compile(r"^\s*Window #\d+ Window\{\S+ (?:u\d+ )?([^}]*)\}", re.MULTILINE)
_FLAGS = re.compile(r"(?<![a-z])fl=(#?[0-9a-fx]+\b|[A-Z_0-9]+(?: [A-Z_0-9]+)*)")
_HIDDEN = re.compile(r"\b(?:mHasSurface|isOnScreen|isVisible)=false")
_REGION = re.compile(r"touchable region=SkRegion\(\((\d+),(\d+),(\d+),(\d+)\)")
_INSETS = re.compile(r"mGivenContentInsets=\[\d+,(\d+)\]")
_FRAME = re.compile(r"(?<![A-Za-z])m?[Ff]rame=\[(\d+),(\d+)\]\[(\d+),(\d+)\]")
_ASLEEP = re.compile(r"mWakefulness=(?!Awake)\w+")
_KEYBOARD_SHARE = 0.45
"""The part of the screen that a keyboard takes where it does not say."""


def forbids_capture(link: DeviceLink) -> bool:
    """Return whether a window on the screen has FLAG_SECURE."""
    told = link.ask("dumpsys", "window", "windows").stdout
    return any(
        _is_secure(flags.group(1))
        for _, block in _windows(told)
        if not _HIDDEN.search(block) and (flags := _FLAGS.search(block))
    )


def asleep(link: DeviceLink) -> bool:
    """Return whether the screen is off."""
    return bool(_ASLEEP.search(link.ask("dumpsys", "power").stdout))


def keyboard_top(link: DeviceLink, height: int) -> int | None:
    """Return the y of the soft keyboard's upper edge in touch pixels; None where none is shown.

    Args:
        link: The device.
        height: The display's height in touch pixels.
    """
    if "mInputShown=true" not in link.ask("dumpsys", "input_method").stdout:
        return None
    told = link.ask("dumpsys", "window", "windows").stdout
    for name, block in _windows(told):
        if name.strip() == "InputMethod":
            top = _upper_edge(block)
            if top is not None and 0 < top < height:
                return top
    return round(height * (1 - _KEYBOARD_SHARE))


def _upper_edge(block: str) -> int | None:
    region = _REGION.search(block)
    if region:
        return int(region.group(2))
    frame, insets = _FRAME.search(block), _INSETS.search(block)
    if frame is None:
        return None
    return int(frame.group(2)) + (int(insets.group(1)) if insets else 0)


def _windows(told: str) -> Iterator[tuple[str, str]]:
    """Yield name and description of every window."""
    heads = list(_WINDOW.finditer(told))
    ends = [head.start() for head in heads[1:]] + [len(told)]
    for head, end in zip(heads, ends, strict=False):
        yield head.group(1), told[head.end() : end]


def _is_secure(flags: str) -> bool:
    words = flags.split()
    if "SECURE" in words:
        return True
    number = words[0].removeprefix("#").removeprefix("0x")
    return bool(re.fullmatch("[0-9a-f]+", number)) and bool(int(number, 16) & _FLAG_SECURE)
