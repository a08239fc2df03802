"""Formulas of the card games: a parser of their own, exact, and no code is ever evaluated."""

from collections.abc import Sequence
from fractions import Fraction

OPERATORS = ("+", "-", "*", "/")
BRACKETS = ("(", ")")


def formula_value(tokens: Sequence[str]) -> Fraction | None:
    """Return the value of a formula, exactly; None where it is none or divides by zero.

    Tokens are taken as they come: two numbers one after the other are no formula, and a minus
    stands between two terms only, never before one.

    Args:
        tokens: Whole numbers, operators and brackets.

    Example:
        >>> formula_value(["(", "5", "-", "1", "/", "5", ")", "*", "5"])
        Fraction(24, 1)
        >>> formula_value(["1", "2"]) is None
        True
    """
    reader = _Reader(tokens)
    try:
        value = reader.total()
    except (_NotAFormula, ZeroDivisionError):
        return None
    return value if reader.at_end else None


class _NotAFormula(ValueError):
    """The tokens are no formula."""


class _Reader:
    """Reads by recursive descent: a sum of products of factors."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens
        self._next = 0

    @property
    def at_end(self) -> bool:
        return self._next == len(self._tokens)

    def total(self) -> Fraction:
        value = self._product()
        while (sign := self._take("+", "-")) is not None:
            term = self._product()
            value = value + term if sign == "+" else value - term
        return value

    def _product(self) -> Fraction:
        value = self._factor()
        while (sign := self._take("*", "/")) is not None:
            factor = self._factor()
            value = value * factor if sign == "*" else value / factor
        return value

    def _factor(self) -> Fraction:
        if self._take("(") is not None:
            value = self.total()
            if self._take(")") is None:
                raise _NotAFormula
            return value
        if self.at_end or not self._tokens[self._next].isdecimal():
            raise _NotAFormula
        self._next += 1
        return Fraction(int(self._tokens[self._next - 1]))

    def _take(self, *wanted: str) -> str | None:
        """Take the next token where it is one of those wanted."""
        if self.at_end or self._tokens[self._next] not in wanted:
            return None
        self._next += 1
        return self._tokens[self._next - 1]
