"""What an answer must obey while it is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor


class Matcher(Protocol):
    """Follows one answer, token by token.

    Attributes:
        complete: Whether nothing more may follow.
        lasts: Whether what is permitted now, the same object, is likely to be permitted after the
            next token too; then tokens may be computed before they are looked at.
    """

    complete: bool

    @property
    def lasts(self) -> bool:
        """See above."""

    def permitted(self) -> Tensor | None:
        """Returns what may come next, bool (vocabulary,); None: everything."""
        ...

    def accept(self, token: int) -> Sequence[int] | None:
        """Takes the token that was chosen among the permitted ones.

        Returns:
            The tokens that follow because no others can, taken as well; None where the token is
            refused, so that another one has to be chosen.
        """
        ...


class Constraint(Protocol):
    """What answers must obey; one may serve many answers."""

    def matcher(self) -> Matcher:
        """Returns what follows a new answer."""
        ...


@dataclass(frozen=True)
class TokenRule:
    """A constraint that a function states, asked anew at each token.

    Attributes:
        permitted: From the ids of the answer so far to the permitted next ids, bool (vocabulary,);
            None: all.
        lasts: Whether it is likely to return the same object again, see `Matcher`.
    """

    permitted: Callable[[Sequence[int]], Tensor | None]
    lasts: bool = False

    def matcher(self) -> Matcher:
        """Returns what follows a new answer."""
        return _Ruled(self)


@dataclass
class _Ruled:
    rule: TokenRule
    ids: list[int] = field(default_factory=list)
    complete: bool = False

    @property
    def lasts(self) -> bool:
        """See `Matcher`."""
        return self.rule.lasts

    def permitted(self) -> Tensor | None:
        return self.rule.permitted(self.ids)

    def accept(self, token: int) -> Sequence[int]:
        self.ids.append(token)
        return ()


FREE = TokenRule(lambda _: None, lasts=True)
"""Permits everything."""
