"""What environments share: messages for a missing reset or handler, and performer tables."""

from collections.abc import Mapping
from typing import TypeVar

from eyehand.actions import Action
from eyehand.errors import UsageError

Part = TypeVar("Part")
Performer = TypeVar("Performer")

UNCHANGED = "Nothing visible changed."
"""Said after a step that left what is seen as it was, such as one against a wall."""


def call_reset(what: str = "no episode is running") -> UsageError:
    """Return the error for what only a reset makes possible."""
    return UsageError(f"{what}: call reset first")


def opened(part: Part | None, what: str = "no episode is running") -> Part:
    """Return a part that `reset` opens.

    Raises:
        UsageError: it is not open.
    """
    if part is None:
        raise call_reset(what)
    return part


def performer_of(performers: Mapping[type[Action], Performer], action: Action) -> Performer:
    """Return what performs a type of action.

    Raises:
        UsageError: nothing does; the message says how to register a handler.
    """
    performer = performers.get(type(action))
    if performer is None:
        raise no_handler(action)
    return performer


def no_handler(action: Action) -> UsageError:
    """Return the error for a permitted action that nobody performs."""
    return UsageError(
        f"{action.name} has no handler: register one with "
        "ActionSpace.extended(action_type, handler)"
    )
