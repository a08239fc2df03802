"""Places as published models write them in a text: boxes, points, pairs; a box means its centre."""

import re
from collections.abc import Sequence
from typing import Any

_NUMBER = r"[-+]?\d{1,9}(?:\.\d{0,9})?"
_MARKS = re.compile(r"<\|?/?(?:box_start|box_end|point|bbox)\|?>")
_NUMBERS = re.compile(_NUMBER)
_ONLY_PLACES = re.compile(
    rf"[\s,，;()（）\[\]]*(?:{_NUMBER}[\s,，;()（）\[\]]*){{2}}(?:(?:{_NUMBER}[\s,，;()（）\[\]]*){{2}})?"
)


def place(value: Any) -> Any:
    """Return the pair of numbers that a value means, or the value itself.

    Read are "(3,4)", "[3, 4]", "3 4", "<point>3 4</point>", "<|box_start|>(3,4)<|box_end|>",
    "[1, 2, 5, 6]" and "(1,2),(5,6)", as text or as a list; four numbers are a box.

    Args:
        value: What a call gives for a point.
    """
    numbers = _numbers(value)
    if len(numbers) == 2:
        return numbers
    if len(numbers) == 4:
        return [(numbers[0] + numbers[2]) / 2, (numbers[1] + numbers[3]) / 2]
    return value


def _numbers(value: Any) -> list[float]:
    if isinstance(value, str) and len(value) <= 200:
        plain = _MARKS.sub(" ", value).strip()
        if _ONLY_PLACES.fullmatch(plain):
            return [float(number) for number in _NUMBERS.findall(plain)]
        return []
    if isinstance(value, Sequence) and not isinstance(value, str):
        flat = [n for item in value for n in (item if isinstance(item, list | tuple) else [item])]
        if all(isinstance(n, int | float) and not isinstance(n, bool) for n in flat):
            return [float(number) for number in flat]
    return []
