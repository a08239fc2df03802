"""The Qwen2-VL keyword pattern: FUNCTION, ARGS, RESULT, RETURN (arXiv 2409.12191, section 2.2.1).

One call and its result::

    ✿FUNCTION✿: click
    ✿ARGS✿: {"point": [348, 291]}
    ✿RESULT✿: (the new screen)
    ✿RETURN✿: (the next thought, and then the next call)

The paper prints the keywords between asterisks; Qwen-Agent writes U+273F. Both are always read.
"""

import re
from typing import ClassVar

from eyehand.actions.action import Action
from eyehand.actions.codecs.codec import Codec, Parsed
from eyehand.actions.codecs.grammar import CallGrammar, call_rules
from eyehand.actions.codecs.marks import without_keywords
from eyehand.actions.codecs.reading import build_call, encodable, shorten
from eyehand.actions.codecs.writing import as_json, clean_thought, written_arguments
from eyehand.actions.coordinates import Coordinates
from eyehand.actions.nearest import nearest_in_text, what_is_permitted
from eyehand.actions.space import ActionSpace
from eyehand.errors import ModelFeedback, Unparsable, UsageError

MARKS = ("✿", "*")
"""What may surround a keyword when it is written."""

# A keyword has its marks on both sides, or on one side and then a colon. Asterisks may be doubled:
# that is how a model that thinks in Markdown writes them.
_KEYWORD = (
    r"(?:(?:✿|\*{{1,2}})[ \t]*{word}[ \t]*(?:(?:✿|\*{{1,2}})[ \t]*[:：]?|[:：])"
    r"|(?<![^\W_]){word}[ \t]*(?:✿|\*{{1,2}})[ \t]*[:：])"
)
_FUNCTION = re.compile(_KEYWORD.format(word="FUNCTION"))
_ARGS = re.compile(_KEYWORD.format(word="ARGS"))
_RESULT = re.compile(_KEYWORD.format(word="(?:RESULT|RETURN)"))
# Where a call's name follows: the same, before its colon.
_BEGINS = re.compile(
    r"(?:✿|\*{1,2})[ \t]*FUNCTION[ \t]*(?:✿|\*{1,2}|[:：])"
    r"|(?<![^\W_])FUNCTION[ \t]*(?:✿|\*{1,2})[ \t]*[:：]"
)
_WORD = "(?:FUNCTION|ARGS|RESULT|RETURN)"
# Between arguments' quotation marks a keyword would cut the call.
_NEVER = re.compile(rf"✿|\*[ \t]*{_WORD}|{_WORD}[ \t]*\*|<\|")
# What is left of a keyword when generation ended inside it.
_CUT_KEYWORD = re.compile(r"\s*(?:✿|\*{1,2})[ \t]*[A-Z]{0,8}[ \t]*(?:✿|\*{1,2})?\s*\Z")
_NAME_END = re.compile(r"[\n\r{(\[]|<\|box_start\|>")
# The parentheses of `back()` and `click({...})` belong to the call and not to its arguments.
_PARENTHESES = re.compile(r"[(（]\s*(?=[{｛])|[(（]\s*[)）]\s*\Z")


class KeywordCodec(Codec):
    r"""Writes calls between keywords, and reads what is left of them in half-broken answers.

    Args:
        mark: What surrounds the keywords that are written: "✿" or "*".

    Raises:
        UsageError: another mark.

    Example:
        >>> from eyehand.actions import ActionSpace
        >>> from eyehand.actions.web import Wait
        >>> codec = KeywordCodec()
        >>> codec.write(Wait(seconds=2))
        '✿FUNCTION✿: wait\n✿ARGS✿: {"seconds": 2.0}'
        >>> codec.parse('*FUNCTION*: wait *ARGS*: {"seconds": 2}', ActionSpace([Wait])).action
        Wait(seconds=2.0)
    """

    name: ClassVar[str] = "keyword"

    def __init__(self, mark: str = "✿") -> None:
        if mark not in MARKS:
            raise UsageError(f"a keyword's mark is one of {' and '.join(MARKS)}; got {mark!r}")
        self.mark = mark
        self.stop_words = (self._keyword("RESULT"), self._keyword("RETURN"))
        self.before_observation = f"\n{self._keyword('RESULT')}: "
        self.after_observation = f"\n{self._keyword('RETURN')}: "

    def write(
        self, action: Action, coordinates: Coordinates | None = None, thought: str = ""
    ) -> str:
        """Write the thought, then the call on two lines."""
        reasoning = clean_thought(thought)
        before = f"{reasoning}\n" if reasoning else ""
        arguments = as_json(written_arguments(action, coordinates))
        function, args = self._keyword("FUNCTION"), self._keyword("ARGS")
        return f"{before}{function}: {action.name}\n{args}: {arguments}"

    def parse(
        self, text: str, space: ActionSpace, coordinates: Coordinates | None = None
    ) -> Parsed:
        """Read the first call; further ones are returned as not performed."""
        text = encodable(text)
        starts = list(_FUNCTION.finditer(text))
        if not starts:
            return Parsed(_without_cut_keyword(text), error=self._no_call(text, space))
        thought = text[: starts[0].start()].strip()
        ends = [*(match.start() for match in starts[1:]), len(text)]
        calls = [text[start.end() : end] for start, end in zip(starts, ends, strict=True)]
        others = tuple(shorten(_call_part(call)) for call in calls[1:])
        try:
            name, arguments = _name_and_arguments(_call_part(calls[0]))
            action = build_call(name, arguments, space, coordinates, self._expected())
        except ModelFeedback as error:
            return Parsed(thought, error=error, not_performed=others)
        return Parsed(thought, action=action, not_performed=others)

    def grammar(self, space: ActionSpace) -> CallGrammar:
        """Begin behind the keyword, however it is marked, and end with the arguments."""
        args = self._keyword("ARGS")
        rules = call_rules(space, ": ", lambda name: f"{name}\n{args}: ", "")
        return CallGrammar(_BEGINS, rules, _NEVER)

    def neutral(self, text: str) -> str:
        """Replace the marks around keywords, of either kind."""
        return self._expected().join(map(without_keywords, text.split(self._expected())))

    def _keyword(self, word: str) -> str:
        return f"{self.mark}{word}{self.mark}"

    def _expected(self) -> str:
        """Say how a call is written."""
        function, args = self._keyword("FUNCTION"), self._keyword("ARGS")
        return f'{function}: name, then on a new line {args}: {{"argument": value}}'

    def _no_call(self, text: str, space: ActionSpace) -> Unparsable:
        permitted = what_is_permitted(nearest_in_text(text, space.names), space.names)
        return Unparsable(f"the answer holds no call; write {self._expected()}; {permitted}")


def _call_part(call: str) -> str:
    """Cut a call where its result would begin, and what is left of a cut keyword."""
    result = _RESULT.search(call)
    return _without_cut_keyword(call[: result.start()] if result else call)


def _without_cut_keyword(text: str) -> str:
    """Strip the text, and a keyword at its end that generation did not finish."""
    # Only the tail can match; searching a long text for it would take quadratic time.
    head, tail = text[:-64], text[-64:]
    return (head + _CUT_KEYWORD.sub("", tail)).strip()


def _name_and_arguments(call: str) -> tuple[str, str]:
    """Split a call into the action's name and the text of its arguments.

    The arguments follow ARGS; where that keyword is missing, they follow the name.
    """
    keyword = _ARGS.search(call)
    if keyword:
        arguments = call[keyword.end() :]
        second = _ARGS.search(arguments)
        return call[: keyword.start()], arguments[: second.start()] if second else arguments
    call = call.strip()
    end = _NAME_END.search(call)
    if not end:
        return call, ""
    arguments = call[end.start() :]
    around = _PARENTHESES.match(arguments)
    return call[: end.start()], arguments[around.end() :] if around else arguments
