"""What an answer must obey while it is written."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor


class Matcher(Protocol):
    """Follows one answer, token by token.

    Attributes:
        complete: Whether nothing more may follow.
    """

    complete: bool

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


class _Free:
    """Permits everything."""

    complete = False

    def permitted(self) -> None:
        """Everything."""

    def accept(self, token: int) -> Sequence[int]:
        """Take any token."""
        return ()


FREE: Matcher = _Free()
"""Follows an answer without a constraint."""
