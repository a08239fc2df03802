"""An exact solver for EZPoints and Points24: every way to join the cards, in fractions."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from itertools import combinations

from eyehand.agent.policies.base import Decision
from eyehand.envs.cards.formula import OPERATORS
from eyehand.envs.cards.points import PointsGame

Step = tuple[Fraction, str, Fraction]
"""Two values and the operator between them."""


def next_move(environment: PointsGame) -> Decision:
    """Return the next token of a formula that wins, or of one that is legal where none can win.

    The thought is what it follows from: the cards' values, what is written, the whole formula.
    """
    operators = ("+", "*") if environment.card_count == 2 else OPERATORS
    values = tuple(sorted(card.value for card in environment.cards))
    solution = solve(values, environment.target, operators)
    tokens = (*(solution or losing_formula(values)), "=")
    written = " ".join(environment.tokens) or "nothing"
    cards = ", ".join(str(card.value) for card in environment.cards)
    return Decision(
        thought=f"Cards {cards}. Written {written}. To write: {' '.join(tokens)}",
        action=environment.action_space.build("write", {"token": tokens[len(environment.tokens)]}),
    )


def losing_formula(values: Sequence[int]) -> tuple[str, ...]:
    """Return the sum of all cards: legal, and wrong where no formula makes the target."""
    return tuple(" + ".join(map(str, values)).split())


@cache
def solve(
    values: tuple[int, ...], target: int, operators: tuple[str, ...] = OPERATORS
) -> tuple[str, ...] | None:
    """Return the tokens of a formula that makes the target of all the values; None without one.

    The search is complete: two values are replaced by what an operator makes of them, until one
    is left.

    Args:
        values: The cards, each to be used once.
        target: The number to make.
        operators: Those permitted, of + - * and /.

    Example:
        >>> " ".join(solve((3, 4), 12, ("+", "*")))
        '3 * 4'
        >>> solve((1, 1, 1, 1), 24) is None
        True
    """
    steps = _steps(tuple(Fraction(value) for value in sorted(values)), target, operators)
    return None if steps is None else _written(values, steps)


@cache
def _steps(
    values: tuple[Fraction, ...], target: int, operators: tuple[str, ...]
) -> tuple[Step, ...] | None:
    """Return how to join the values, which are sorted, into the target; None where none does.

    Many hands come to the same two or three values, so that what they lead to is kept.
    """
    if len(values) == 1:
        return () if values[0] == target else None
    for first, second in combinations(range(len(values)), 2):
        rest = tuple(value for i, value in enumerate(values) if i not in (first, second))
        for step, value in _joined(values[first], values[second], operators):
            further = _steps(tuple(sorted((*rest, value))), target, operators)
            if further is not None:
                return (step, *further)
    return None


def _joined(
    one: Fraction, other: Fraction, operators: tuple[str, ...]
) -> Iterator[tuple[Step, Fraction]]:
    """Yield what the operators make of two values, in either order where that matters."""
    for operator in operators:
        for left, right in ((one, other),) if operator in "+*" else ((one, other), (other, one)):
            if operator != "/" or right != 0:
                yield (left, operator, right), _apply(operator, left, right)


def _apply(operator: str, left: Fraction, right: Fraction) -> Fraction:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case _:
            return left / right


def _written(values: Sequence[int], steps: Sequence[Step]) -> tuple[str, ...]:
    """Write the steps as one formula. Without the outermost brackets: at most 11 tokens of 20."""
    terms: list[tuple[Fraction, tuple[str, ...]]]
    terms = [(Fraction(value), (str(value),)) for value in values]
    for left, operator, right in steps:
        tokens = ("(", *_taken(terms, left), operator, *_taken(terms, right), ")")
        terms.append((_apply(operator, left, right), tokens))
    return terms[0][1][1:-1] if steps else terms[0][1]


def _taken(terms: list[tuple[Fraction, tuple[str, ...]]], value: Fraction) -> tuple[str, ...]:
    """Take a term of a value away and return its tokens."""
    place = next(i for i, term in enumerate(terms) if term[0] == value)
    return terms.pop(place)[1]
