"""Finds one value in what a model wrote, and writes it the way that a JSON reader expects.

What is put right is what has one meaning only: full-width punctuation, curly quotes, tuples,
grounding boxes, and brackets that were left open after a finished value.
"""

import re
from collections.abc import Sequence

from eyehand.errors import Unparsable

MAX_DEPTH = 32
"""Deepest nesting of arguments; the vocabularies need three levels."""

_NUMBER = r"[-+]?\d{1,9}(?:\.\d{0,9})?"
_PAIR = rf"[(（]\s*({_NUMBER})\s*[,，]\s*({_NUMBER})\s*[)）]"
BOX = re.compile(
    rf"<\|box_start\|>\s*{_PAIR}\s*(?:[,，]?\s*{_PAIR}\s*(?:<\|box_end\|>)?|<\|box_end\|>)"
)
"""Qwen2-VL's grounding tokens around one corner pair, or around a single point."""

_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]++|\\.)*+"|'(?:[^'\\]++|\\.)*+')"""
    r"""|(?P<curly>[“”](?P<double>[^“”]*+)[“”]|[‘’](?P<single>[^‘’]*+)[‘’])"""
    r"""|(?P<label><\|object_ref_start\|>[^<]*+<\|object_ref_end\|>)"""
    r"""|(?P<box><\|box_start\|>)"""
    r"""|(?P<open>[\[{(［｛（【])|(?P<close>[\]})］｝）】])"""
    r"""|(?P<loose>["'“”‘’])"""
    r"""|(?P<plain>[^"'“”‘’<\[\]{}()［］｛｝（）【】]++|<)""",
    re.DOTALL,
)
# Every escape that JSON, JSON5 and Python agree on. A backslash before anything else stands for
# itself, as in a Windows path: dropping it, as JSON5 does, would change the text.
_ESCAPE = re.compile(r"\\(?:([\\'\"bfnrtv\nxu]|0(?!\d))|(/)|)")
_QUOTE_OR_ESCAPE = re.compile(r'(?s)\\.|"')
_CLOSER = {"[": "]", "(": "]", "［": "]", "（": "]", "【": "]", "{": "}", "｛": "}"}
_MEANT = {"]": "]", ")": "]", "］": "]", "）": "]", "】": "]", "}": "}", "｝": "}"}
_ASCII = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0x3001: 0x2C}
# A number or a word at the very end may have lost its last letters; these have not.
_FINISHED = re.compile(r"""(?:["'\]}]|(?<![^\W_])(?:true|false|null|True|False|None))\s*\Z""")


def normalised(text: str, start: int = 0) -> tuple[str, int]:
    """Rewrite the first value of `text` at or after `start` as close to JSON as it was meant.

    Returns:
        The value's text, and how many of its objects were still open where the text ended; the
        closing braces are added. An object that ended early may lack its last arguments.

    Raises:
        Unparsable: no value begins there, it is cut off, nested too deep, or its brackets cross.
    """
    parts: list[str] = []
    closers: list[str] = []
    for match in _TOKEN.finditer(text, start):
        if match.start() < start:
            continue  # inside a box that was read as a whole
        kind, token = match.lastgroup, match[0]
        if kind == "box":
            token, start = _box(text, match.start())
        elif kind == "open":
            closers.append(_CLOSER[token])
            token = "{" if closers[-1] == "}" else "["
        elif kind == "close":
            token = _close(closers, _MEANT[token])
        else:
            token = _plain_token(match)
        _check_start_and_depth(parts, closers, kind, token)
        parts.append(token)
        if not closers and kind in ("close", "box"):
            return "".join(parts), 0
    return _repaired("".join(parts), closers)


def point_in_text(text: str) -> list[float] | None:
    """Read a point that was written as text: "(348, 291)", "348, 291" or a grounding box.

    Returns:
        Its two numbers, the centre for a box; None where the text is something else.
    """
    text = text.strip()
    box = BOX.fullmatch(text)
    if box:
        return _centre(box)
    pair = re.fullmatch(rf"[\[(（]?\s*({_NUMBER})\s*[,，]\s*({_NUMBER})\s*[\])）]?", text)
    return [float(pair[1]), float(pair[2])] if pair else None


def _box(text: str, position: int) -> tuple[str, int]:
    """Turn the box at `position` into its centre, and return where it ends."""
    box = BOX.match(text, position)
    if not box:
        raise Unparsable(
            "a box is written <|box_start|>(x1,y1),(x2,y2)<|box_end|>, with numbers in it"
        )
    x, y = _centre(box)
    return f"[{x:g}, {y:g}]", box.end()


def _centre(box: re.Match[str]) -> list[float]:
    left, top = float(box[1]), float(box[2])
    if box[3] is None:
        return [left, top]
    return [(left + float(box[3])) / 2, (top + float(box[4])) / 2]


def _close(closers: list[str], closer: str) -> str:
    """Close a bracket, and the ones inside it that were left open.

    Raises:
        Unparsable: nothing of that kind is open.
    """
    if closer not in closers:
        raise Unparsable(f"the arguments close a bracket that is not open: {closer!r}")
    closed = ""
    while not closed.endswith(closer):
        closed += closers.pop()
    return closed


def _plain_token(match: re.Match[str]) -> str:
    """Rewrite a string or what stands between strings and brackets.

    Raises:
        Unparsable: a string is not closed.
    """
    kind, token = match.lastgroup, match[0]
    if kind == "loose":
        raise Unparsable("a text in the arguments is not closed by a quotation mark")
    if kind == "string":
        return _ESCAPE.sub(_plain_escape, token)
    if kind == "curly":
        return _straight(match["double"] if match["double"] is not None else match["single"])
    return "" if kind == "label" else token.translate(_ASCII)


def _plain_escape(match: re.Match[str]) -> str:
    """Double a backslash that escapes nothing, and drop the needless one before a slash."""
    if match[1]:
        return match[0]
    return match[2] or "\\\\"


def _straight(content: str | None) -> str:
    """Put straight quotation marks around what stood between curly ones."""
    escaped = _ESCAPE.sub(_plain_escape, content or "")
    quoted = _QUOTE_OR_ESCAPE.sub(lambda m: '\\"' if m[0] == '"' else m[0], escaped)
    return f'"{quoted}"'


def _check_start_and_depth(
    parts: Sequence[str], closers: Sequence[str], kind: str | None, token: str
) -> None:
    """Refuse prose before the value, and values that are nested too deep."""
    if len(closers) > MAX_DEPTH:
        raise Unparsable(f"the arguments are nested deeper than {MAX_DEPTH} levels")
    begins = kind in ("open", "box") or not token.strip()
    if not begins and not closers and not "".join(parts).strip():
        raise Unparsable('the arguments are not a JSON object such as {"name": value}')


def _repaired(text: str, closers: Sequence[str]) -> tuple[str, int]:
    """Close the objects that were left open at the end of the answer.

    Raises:
        Unparsable: the last value itself may be cut off, so that its meaning is not certain.
    """
    if not closers:
        raise Unparsable('the arguments are not a JSON object such as {"name": value}')
    if "]" in closers or not _FINISHED.search(text[-64:]):
        raise Unparsable("the arguments are cut off before the last value is finished")
    return text + "}" * len(closers), len(closers)
