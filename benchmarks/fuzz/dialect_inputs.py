"""Answers for the dialects' readers: written, spliced, with strange values, nested, huge."""

import re
from collections.abc import Sequence
from random import Random

from benchmarks.fuzz.codec_inputs import PLACES, TOKENS, VALUES, AnswerGenerator
from eyehand.actions.codecs.codec import Codec
from eyehand.actions.codecs.verbs import VerbCodec
from eyehand.actions.space import ActionSpace
from eyehand.errors import UsageError
from eyehand.prompts.dialects.dialect import Dialect

SIZE = (1288, 728)
"""Width and height of the picture that the model saw."""

_STOCK = 200
_LARGEST = 1_000_000
_THOUGHTS = ("", "", "I click it.", "我应该点击它。", "Action: no\nthought", "<think>", "{'a': 1}")
_MARK = re.compile(r"<[^<>]{1,30}>|[A-Za-z_.]{2,40}\s?[:：(（=]?|[^\sA-Za-z]")
_VALUE = re.compile(r"'[^']{0,80}'|\"[^\"]{0,80}\"|\[[^\[\]]{0,60}\]|\(\d[^()]{0,40}\)|-?\d+\.?\d*")
_OPENERS = ("[", "(", "{", '{"a":', "[[", "（", "click(", "'(", '"[', "<tool_call>", "<point>")
_FILLERS = (" ", "\n", "\t", "a", "\\", "'", '"', "(", ",", "A", "\r\n", " \n", "<", "。", "\u2028")


class DialectAnswers(AnswerGenerator):
    """Draws answers of one dialect, and what is left of them.

    Args:
        dice: The only source of randomness.
        dialect: Whose answers.
        spaces: Permitted actions; answers are written for all of them.
    """

    def __init__(self, dice: Random, dialect: Dialect, spaces: Sequence[ActionSpace]) -> None:
        super().__init__(dice, (), spaces[0])
        codec = dialect.codec
        self._written: dict[Codec, list[str]] = {codec: []}
        where = codec.coordinates(None, *SIZE)
        for space in spaces:
            for _ in range(_STOCK):
                try:
                    written = codec.write(space.sample(), where, dice.choice(_THOUGHTS))
                except UsageError:
                    continue
                self._written[codec].append(written)
        self._tokens = (*TOKENS, *_marks(codec, self._written[codec][:40]))

    def _from_grammar(self, codec: Codec) -> str:
        """Splice answers, put strange values in, nest, or blow one up."""
        dice, written = self._dice, self._written[codec]
        first, kind = dice.choice(written), dice.random()
        if kind < 0.45:
            return _VALUE.sub(self._strange, first)
        if kind < 0.75:
            second = dice.choice(written)
            return first[: dice.randint(0, len(first))] + second[dice.randint(0, len(second)) :]
        if kind < 0.9:
            return "".join(dice.choices(self._tokens, k=dice.randint(1, 60)))
        place = dice.randint(0, len(first))
        if kind < 0.995:
            inner = dice.choice(_OPENERS) * dice.choice((5, 40, 400))
        elif kind < 0.9995:
            inner = dice.choice((*_FILLERS, *self._tokens)) * dice.choice((1000, 10_000))
        else:
            filler = dice.choice((*_FILLERS, *self._tokens, first))
            inner = filler * (_LARGEST // max(1, len(filler)))
        return first[:place] + inner + first[place:]

    def _strange(self, value: re.Match[str]) -> str:
        dice = self._dice
        if dice.random() < 0.6:
            return value[0]
        return dice.choice(PLACES if dice.random() < 0.5 else VALUES)


def _marks(codec: Codec, written: Sequence[str]) -> list[str]:
    """Return what a dialect's answers are made of: its words, tags and signs."""
    found = {mark for text in written for mark in _MARK.findall(text)}
    if isinstance(codec, VerbCodec):
        found |= {f"{verb.word}(" for verb in codec.verbs} | {verb.word for verb in codec.verbs}
        found |= set(_MARK.findall(codec.expected))
    return sorted(found)
