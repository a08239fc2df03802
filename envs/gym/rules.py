"""Rules: when an episode has succeeded or ends, as a short text that is parsed, never evaluated.

RULE       CONDITION, or several joined by "and"
CONDITION  terminated, truncated, info.KEY, each perhaps after "not";
           or a number compared: reward_sum, last_reward, steps or info.KEY with
           > >= < <= == != and a number;
           or a text compared: info.KEY with == != contains and a text in quotes
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from eyehand.envs.gym.contained import one_number
from eyehand.envs.gym.faults import one_line
from eyehand.errors import UsageError

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_QUANTITY = r"(?P<quantity>reward_sum|last_reward|steps|info\.\w+)"
_NUMBER = r"(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
_COMPARED = re.compile(rf"{_QUANTITY}\s*(?P<sign>>=|<=|==|!=|>|<)\s*{_NUMBER}")
_QUOTED = r"""(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)')"""
_TEXT = re.compile(rf"info\.(?P<key>\w+)\s*(?P<sign>==|!=|contains)\s*{_QUOTED}")
# "and" between conditions, not inside quotes.
_AND = re.compile(r"""\s+and\s+(?=(?:[^"']|"[^"]*"|'[^']*')*$)""")
_KEY = re.compile(r"\binfo\.(\w+)")
_FLAG = re.compile(r"(?P<negated>not\s+)?(?P<flag>terminated|truncated|info\.\w+)")

LONGEST = 2_000
"""Characters of a rule."""

EXPECTED = (
    'expected "terminated", "truncated", "info.KEY", or a comparison such as "reward_sum > 0" '
    "(reward_sum, last_reward, steps, info.KEY), or info.KEY ==, != or contains 'a text', "
    'joined by "and"'
)


@dataclass(frozen=True)
class Standing:
    """How an episode stands after a step; what a rule is asked about.

    Attributes:
        reward_sum: Sum of the rewards so far.
        last_reward: The reward of the last step.
        steps: Number of steps so far.
        terminated: Whether the environment reached an end state.
        truncated: Whether an outer limit ended the episode.
        info: What the environment said at the last step.
    """

    reward_sum: float = 0.0
    last_reward: float = 0.0
    steps: int = 0
    terminated: bool = False
    truncated: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)


class Rule:
    """A rule, parsed.

    Args:
        text: See the module.

    Raises:
        UsageError: it cannot be read; the message says what is expected.

    Example:
        >>> rule = Rule("terminated and reward_sum > 0")
        >>> rule.holds(Standing(reward_sum=0.9, terminated=True))
        True
        >>> rule.holds(Standing(reward_sum=0.9))
        False
    """

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise UsageError(f"a rule has at most {LONGEST:,} characters, got {len(text):,}")
        self.text = " ".join(text.split())
        parts = _AND.split(self.text)
        self._conditions = [_condition(part, self.text) for part in parts]

    def holds(self, standing: Standing) -> bool:
        """Return whether every condition holds.

        About a key that info does not have at this step, as where it comes with a success only,
        nothing holds but that there is nothing: "not info.KEY" and "info.KEY == ''". So no
        comparison with "!=" holds either, with a number or with a text.

        Raises:
            UsageError: a key's value is no number.
        """
        return all(condition(standing) for condition in self._conditions)

    def not_told(self, standing: Standing) -> str:
        """Return a line that names what the rule asks for and info does not hold; empty without."""
        keys = dict.fromkeys(_KEY.findall(self.text))
        missing = [f"info.{key}" for key in keys if key not in standing.info]
        if not missing:
            return ""
        held = ", ".join(map(str, standing.info)) or "nothing"
        return f"the rule asks for {' and '.join(missing)}, but info held {held}"

    def __str__(self) -> str:
        """Return the text, its spaces made even."""
        return self.text


def _condition(part: str, rule: str) -> Callable[[Standing], bool]:
    if found := _COMPARED.fullmatch(part):
        compare, number = _COMPARISONS[found["sign"]], float(found["number"])
        quantity = found["quantity"]
        return lambda standing: _compared(compare, _number(standing, quantity), number)
    if found := _TEXT.fullmatch(part):
        return _text_condition(
            found["key"], found["sign"], found["double"] or found["single"] or ""
        )
    if found := _FLAG.fullmatch(part):
        wanted, flag = not found["negated"], found["flag"]
        return lambda standing: bool(_number(standing, flag)) is wanted
    raise UsageError(f"cannot read {part!r} in the rule {rule!r}: {EXPECTED}")


def _text_condition(key: str, sign: str, wanted: str) -> Callable[[Standing], bool]:
    """Return a condition on a text; numbers are equal as numbers.

    What is not there equals the empty text and differs from none, as it does from no number.
    """

    def holds(standing: Standing) -> bool:
        if key not in standing.info:
            return sign == "==" and not wanted
        value = standing.info[key]
        if sign == "contains":
            return wanted.casefold() in str(value).casefold()
        return (_plain(value) == _plain(wanted)) is (sign == "==")

    return holds


def _plain(value: object) -> object:
    """Return a number where a text or a value is one, else the text."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return str(value)


def _compared(compare: Callable[[float, float], bool], value: float | None, number: float) -> bool:
    return value is not None and compare(value, number)


def _number(standing: Standing, quantity: str) -> float | None:
    """Return a quantity of the standing, yes and no as 1 and 0; None for a key that is missing."""
    _, dot, key = quantity.partition(".")
    if not dot:
        return float(getattr(standing, quantity))
    if key not in standing.info:
        return None
    value = one_number(standing.info[key])
    if value is None or math.isnan(value):
        shown = one_line(repr(standing.info[key]))
        raise UsageError(f"the rule asks for {quantity}, which is {shown}, not a number")
    return value
