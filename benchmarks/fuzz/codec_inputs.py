"""The fuzzer's inputs: answers from a grammar, mutations of valid answers, and soups of tokens."""

import json
from collections.abc import Sequence
from random import Random

from eyehand.actions.action import Action
from eyehand.actions.codecs import Codec
from eyehand.actions.space import ActionSpace

_STOCK = 400
_MARKS = ("✿", "*", "**", "✿", "", "❀", "＊")
_COLONS = (": ", "：", ":", " : ", "", "\n")
_THOUGHTS = (
    "",
    "",
    "The button is at the top left.",
    "我应该点击按钮。",
    "*Note*: the FUNCTION key",
    "```json\n",
    "✿",
    "<think>",
    "<|box_start|>(1,2)<|box_end|>",
)
_TAILS = (
    "",
    "",
    "\n",
    "}",
    " I clicked it.",
    "\n✿RESULT✿: ",
    "\n*RETURN*: fine",
    "\n✿RESU",
    "\n```",
    "✿",
    "<|im_end|>",
    "</tool_call>",
    "。",
)
_NAMES = ("Click", "CLICK()", "tap", "", "`click`", "click.", "type text", "点击", "__class__", "*")
PLACES = (
    "[348, 291]",
    "(348,291)",
    "[1000, 1000]",
    "[1001, 0]",
    "[-1, 5]",
    "[348]",
    "348, 291",
    '"(348, 291)"',
    '{"x": 3, "y": 4}',
    "[1e999, 2]",
    "[NaN, 0]",
    "<|box_start|>(10,20),(30,40)<|box_end|>",
    '"<|box_start|>(10,20),(30,40)<|box_end|>"',
    "<|box_start|>(10,20)",
    "（348，291）",
    "[true, false]",
    "[[1, 2], [3, 4]]",
    "null",
    "[0x10, +5]",
    '["3", "4"]',
    "[99999999999999999999999999, 0]",
)
VALUES = (
    "null",
    "true",
    "True",
    "None",
    "3",
    "-1",
    "1e400",
    "Infinity",
    "0.5",
    "9" * 5000,
    "0x" + "f" * 400,
    '"text"',
    "'text'",
    '"\\ud800"',
    '"\\u0000"',
    '"it\'s"',
    "“曲线”",
    '"http://example.org/"',
    '"javascript:alert(1)"',
    '["Control", "a"]',
    '"Control+Shift+T"',
    "[]",
    "{}",
    "{1, 2}",
    "b'x'",
    "__import__('os')",
    "1+2j",
    "...",
    '"success"',
    '"down"',
    "lambda: 0",
)
TOKENS = (
    *("✿FUNCTION✿", "✿ARGS✿", "✿RESULT✿", "✿RETURN✿", "*FUNCTION*", "*ARGS*", "FUNCTION", "ARGS"),
    *(":", "：", ",", "，", "、", "{", "}", "[", "]", "(", ")", "｛", "｝", "（", "）", "【", "】"),
    *('"', "'", "“", "”", "‘", "’", "\\", "\\u", "\\x", '\\"', "`", "```", "//", "/*", "*/", "#"),
    *("<tool_call>", "</tool_call>", "<tool_response>", "<|im_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|object_ref_start|>", "<|object_ref_end|>", '"name"', '"arguments"'),
    *("click", "point", "scroll", "finish", "0", "-", "1e9", ".", "\n", "\r\n", "\t", " ", "\x00"),
    *("\ud800", "\udfff", "😀", "é", "\u200b", "\u2028", "\ufeff", "\x1b", "true", "None", "nan"),
)


class AnswerGenerator:
    """Draws answers as models write them when they are tired.

    Args:
        dice: The only source of randomness.
        codecs: What writes the valid answers that are mutated.
        space: The actions that are written.
    """

    def __init__(self, dice: Random, codecs: Sequence[Codec], space: ActionSpace) -> None:
        self._dice = dice
        self._types: tuple[type[Action], ...] = space.types
        # Sampling goes through schemas and is slow; a stock is written once and drawn from.
        actions = [space.sample() for _ in range(_STOCK)]
        self._written = {codec: [codec.write(action) for action in actions] for codec in codecs}
        self._tokens: tuple[str, ...] = TOKENS

    def draw(self, codec: Codec) -> str:
        """Draw one answer in a codec's dialect, or in what is left of it."""
        kind = self._dice.random()
        if kind < 0.45:
            text = self._from_grammar(codec)
        elif kind < 0.5:
            return "".join(self._dice.choices(self._tokens, k=self._dice.randint(0, 40)))
        else:
            text = self._dice.choice(self._written[codec])
            if self._dice.random() < 0.1:
                text += "\n" + self._dice.choice(self._written[codec])
        return self._mutated(text) if self._dice.random() < 0.7 else text

    def _from_grammar(self, codec: Codec) -> str:
        choice = self._dice.choice
        name, arguments = self._call()
        thought, tail = choice(_THOUGHTS), choice(_TAILS)
        if codec.name == "tool_call":
            comma = choice((", ", ",", " ", "，"))
            body = f'{{"name": {json.dumps(name)}{comma}"arguments": {arguments}}}'
            return f"{thought}<tool_call>{choice(('', chr(10)))}{body}{tail}"
        left, right = choice(_MARKS), choice(_MARKS)
        if self._dice.random() < 0.7:
            left = right = choice(("✿", "*"))
        between = choice(("\n", " ", "", "\n\n"))
        args = f"{left}ARGS{right}{choice(_COLONS)}" if self._dice.random() < 0.9 else ""
        fence = choice(("", "", "", "```json\n", "```"))
        function = f"{left}FUNCTION{right}{choice(_COLONS)}{name}"
        return f"{thought}{function}{between}{args}{fence}{arguments}{tail}"

    def _call(self) -> tuple[str, str]:
        """Write a call's name and its arguments, most of them near to valid ones."""
        dice = self._dice
        action_type = dice.choice(self._types)
        name = action_type.name if dice.random() < 0.9 else dice.choice(_NAMES)
        quote = '"' if dice.random() < 0.8 else dice.choice(("'", "", "“"))
        items = []
        for field in action_type.model_fields:
            if dice.random() < 0.9:
                is_place = field in ("point", "start", "end") and dice.random() < 0.9
                value = dice.choice(PLACES if is_place else VALUES)
                items.append(f"{quote}{field}{quote}{dice.choice((': ', ':', '：'))}{value}")
        if dice.random() < 0.05:
            items.append(f'"extra": {dice.choice(VALUES)}')
        return name, "{" + dice.choice((", ", ",", "，")).join(items) + "}"

    def _mutated(self, text: str) -> str:
        """Break a text in one to four places."""
        for _ in range(self._dice.randint(1, 4)):
            text = self._mutated_once(text)
        return text

    def _mutated_once(self, text: str) -> str:
        dice = self._dice
        start = dice.randint(0, len(text))
        end = min(len(text), start + dice.randint(1, 8))
        kind = dice.randrange(7)
        if kind == 0:
            return text[:start] + text[end:]
        if kind == 1:
            return text[:end] + text[start:]
        if kind == 2:
            return text[:start] + dice.choice(self._tokens) + text[start:]
        if kind == 3:
            return text[:start] + dice.choice(self._tokens) + text[end:]
        if kind == 4:
            return (
                text[:start] if dice.random() < 0.3 else text[: max(0, len(text) - (end - start))]
            )
        if kind == 5:
            return text[:start] + chr(dice.randrange(0x3000)) + text[start:]
        if dice.random() < 0.98:
            return text[:start] + text[start:end].swapcase() + text[end:]
        return text[:start] + dice.choice(self._tokens) * dice.choice((40, 1000)) + text[start:]
