"""Answers as UI-TARS writes them, valid and odd, each with what is odd about it."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

TEXTS = (
    "hello", "two words", "3.14", "点击确认", "Grüße, 你好", "😀 ok", "a,b;c", "x = (1+2)", "100%",
    "tab\\there", "https://example.org/a?b=c&d=e#f", "SELECT * FROM t;", "user@example.org",
)  # fmt: skip
THOUGHTS = (
    "I click the button.", "我应该点击“确定”按钮。", "First this.\nThen that.",
    "It's the \"OK\" key.",
    "The Action is to click: it is near (3, 4).", "",
)  # fmt: skip
DIRECTIONS = ("down", "up", "left", "right")
KEYS = ("enter", "ctrl c", "ctrl shift t", "alt f4", "esc", "tab", "f5")


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        kind: What is odd about it; "plain" for nothing.
        text: It.
    """

    kind: str
    text: str


class Writer:
    """Draws answers.

    Args:
        dice: The only source of randomness.
        width: Most that an x may be, in the dialect's numbers.
        height: Most that a y may be.
    """

    def __init__(self, dice: Random, width: int, height: int) -> None:
        self._dice, self._width, self._height = dice, width, height
        self._kinds: dict[str, Callable[[], str]] = {
            "plain": lambda: self._answer(self._call()),
            "no box tokens, blanks in the place": lambda: self._answer(self._at(self._spaced())),
            "a box of four numbers": lambda: self._answer(self._at(self._box())),
            "a point between tags": self._tagged,
            "a place with decimals": lambda: self._answer(self._at(self._decimals())),
            "a place in square brackets": lambda: self._answer(self._at(self._bracketed())),
            "a place outside the screen": lambda: self._answer(self._at(self._outside())),
            "double quotes around values": self._double_quoted,
            "blanks in the call": self._blanks,
            "a quote in a text, escaped": lambda: self._typed(self._with("\\'")),
            "a quote in a text, bare": lambda: self._typed(self._with("'")),
            "double quotes in a text": lambda: self._typed(self._with('"')),
            "an escaped line end in a text": lambda: self._typed(self._with("\\n")),
            "a bare line end in a text": lambda: self._typed(self._with("\n")),
            "a text that ends in a line end": lambda: self._typed(dice.choice(TEXTS) + "\\n"),
            "a doubled backslash in a text": lambda: self._typed(self._with("\\\\")),
            "a backslash before a letter": lambda: self._typed(self._with(dice.choice(
                ("\\d", "\\w", "\\.", "\\(")))),
            "a character by its number": lambda: self._typed(self._with(dice.choice(
                ("\\u4e2d", "\\u00e9", "\\u4f60\\u597d")))),
            "an escape that Python alone has": lambda: self._typed(self._with(dice.choice(
                ("\\x64", "\\a", "\\b", "\\f")))),
            "brackets in a text": lambda: self._typed(self._with(dice.choice(("(1)", "[a]", ")")))),
            "a quote and a bracket in a text": lambda: self._typed(self._with("')")),
            "a text like a call": lambda: self._typed("click(start_box=3)"),
            "an empty text": lambda: self._typed(""),
            "several calls": self._several,
            "no thought": lambda: f"Action: {self._call()}",
            "Reflection and Action_Summary": self._reflected,
            "Action with a full-width colon": lambda: f"Thought: x\nAction：{self._call()}",
            "no Action at all": lambda: f"Thought: x\n{self._call()}",
            "Action in the thought too": lambda: self._answer(
                self._call(), "I write Action: click and go on."),
            "words behind the call": lambda: self._answer(self._call() + "\nI did it."),
            "cut off": self._cut,
            "nothing in the box": lambda: self._answer("click(start_box='')"),
            "a sign in the box": lambda: self._answer("click(start_box='=')"),
        }  # fmt: skip

    def draw(self) -> Answer:
        """Draw one answer; a third are plain."""
        dice = self._dice
        kind = "plain" if dice.random() < 0.33 else dice.choice(list(self._kinds))
        return Answer(kind, self._kinds[kind]())

    def _answer(self, call: str, thought: str | None = None) -> str:
        said = self._dice.choice(THOUGHTS) if thought is None else thought
        return f"Thought: {said}\nAction: {call}" if said else f"Action: {call}"

    def _call(self) -> str:
        dice, here = self._dice, f"<|box_start|>{self._pair()}<|box_end|>"
        there = f"<|box_start|>{self._pair()}<|box_end|>"
        return dice.choice((
            f"click(start_box='{here}')", f"click(start_box='{here}')",
            f"left_double(start_box='{here}')", f"right_single(start_box='{here}')",
            f"drag(start_box='{here}', end_box='{there}')",
            f"scroll(start_box='{here}', direction='{dice.choice(DIRECTIONS)}')",
            f"hotkey(key='{dice.choice(KEYS)}')", f"type(content='{dice.choice(TEXTS)}')",
            "wait()", "finished()", "call_user()",
            f"finished(content='{dice.choice(('42', 'the answer is 7', '完成'))}')",
        ))  # fmt: skip

    def _at(self, place: str) -> str:
        word = self._dice.choice(("click", "left_double", "right_single"))
        return f"{word}(start_box='{place}')"

    def _x(self) -> int:
        return self._dice.randint(0, self._width)

    def _y(self) -> int:
        return self._dice.randint(0, self._height)

    def _pair(self) -> str:
        return f"({self._x()},{self._y()})"

    def _spaced(self) -> str:
        return f"( {self._x()} , {self._y()} )"

    def _box(self) -> str:
        return f"({self._x()},{self._y()},{self._x()},{self._y()})"

    def _decimals(self) -> str:
        return (
            f"({self._dice.uniform(0, self._width):.2f},{self._dice.uniform(0, self._height):.1f})"
        )

    def _bracketed(self) -> str:
        return self._dice.choice((
            f"[{self._x()}, {self._y()}]", f"[{self._x()}, {self._y()}, {self._x()}, {self._y()}]",
        ))  # fmt: skip

    def _outside(self) -> str:
        return f"({self._width + self._dice.randint(1, 900)},{self._y()})"

    def _tagged(self) -> str:
        here, there = (f"<point>{self._x()} {self._y()}</point>" for _ in range(2))
        return self._answer(self._dice.choice((
            f"click(point='{here}')", f"drag(start_point='{here}', end_point='{there}')",
            f"scroll(point='{here}', direction='down')", f"left_double(point='{here}')",
        )))  # fmt: skip

    def _double_quoted(self) -> str:
        return self._answer(self._dice.choice((
            f'click(start_box="{self._pair()}")', f'hotkey(key="{self._dice.choice(KEYS)}")',
            f'finished(content="{self._dice.choice(TEXTS[:4])}")',
            f'type(content="{self._dice.choice(TEXTS)}")',
        )))  # fmt: skip

    def _blanks(self) -> str:
        return self._answer(self._dice.choice((
            f"click( start_box = '{self._pair()}' )", f" click(start_box='{self._pair()}') ",
            f"scroll(start_box='{self._pair()}',direction='up')", "wait( )",
        )))  # fmt: skip

    def _with(self, part: str) -> str:
        first, last = self._dice.choice(TEXTS), self._dice.choice(TEXTS)
        return f"{first}{part}{last}"

    def _typed(self, text: str) -> str:
        return self._answer(f"type(content='{text}')")

    def _several(self) -> str:
        calls = [self._call() for _ in range(self._dice.randint(2, 4))]
        return self._answer("\n\n".join(calls))

    def _reflected(self) -> str:
        said = self._dice.choice(THOUGHTS[:4])
        return f"Reflection: it did not work\nAction_Summary: {said}\nAction: {self._call()}"

    def _cut(self) -> str:
        call = self._call()
        return self._answer(call[: self._dice.randint(3, max(3, len(call) - 1))])
