"""Whether an answer to a question about the phone is right."""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

from eyehand.envs.phone.tasks.compare import digits

AnswerKind = Literal["text", "phone", "price", "count"]

_CURRENCY = re.compile(r"[$€£]|\b(?:usd|eur|dollars?|euros?)\b")
_NUMBER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
)  # fmt: skip


@dataclass(frozen=True)
class RightAnswer:
    """The answer that a question expects.

    Attributes:
        text: The answer as the phone shows it.
        kind: How it is compared: "text" by its letters, "phone" by its digits, "price" and
            "count" by their value.
    """

    text: str
    kind: AnswerKind = "text"

    def accepts(self, answer: str) -> bool:
        """Return whether an answer says the same, and only that.

        Case, spaces, quotes around it and a full stop at its end do not count, nor do currency
        signs around a price.

        Example:
            >>> RightAnswer("$12.50", "price").accepts(" 12.5 dollars."), \
RightAnswer("3", "count").accepts("three")
            (True, True)
        """
        if self.kind == "phone":
            written = re.fullmatch(r"[+\d\s()./-]+", answer.strip().rstrip("."))
            return written is not None and digits(answer) == digits(self.text)
        if self.kind == "text":
            return _plain(answer) == _plain(self.text)
        value = _value(answer)
        return value is not None and value == _value(self.text)


def _plain(text: str) -> str:
    """Return a text in lower case, single spaces, no quotes around it, no full stop at its end."""
    bare = text.strip().strip("\"'“”‘’«»").strip()
    return " ".join(bare.rstrip(".").casefold().split())


def _value(text: str) -> Decimal | None:
    """Return the number that a text is; None where it is none, or more than one."""
    bare = _CURRENCY.sub("", _plain(text)).strip()
    if bare in _NUMBER_WORDS:
        return Decimal(_NUMBER_WORDS.index(bare))
    # A comma with exactly two digits behind it is a decimal comma; any other sets off thousands.
    bare = re.sub(r",(\d\d)$", r".\1", bare).replace(",", "")
    try:
        return Decimal(bare) if re.fullmatch(r"\d+(\.\d+)?", bare) else None
    except InvalidOperation:
        return None
