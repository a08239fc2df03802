"""ActionSpace: the actions that a task permits, as a Gymnasium space."""

from collections.abc import Callable, Iterable, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import numpy as np
from gymnasium.spaces import Space
from pydantic import ValidationError

from eyehand.actions.action import Action, Point
from eyehand.actions.coordinates import Coordinates
from eyehand.actions.nearest import nearest, what_is_permitted
from eyehand.actions.sampling import sample_arguments
from eyehand.errors import InvalidArgument, ModelFeedback, OutOfRange, UnknownAction, UsageError

Handler = Callable[[Any, Any], str | None]
"""Performs a custom action: `handler(action, environment)` returns what happened, or None."""


class ActionSpace(Space[Action]):
    """A set of permitted action types.

    Args:
        types: The permitted action types, in the order in which a prompt lists them.
        handlers: For custom actions, what performs each type; an environment calls it as
            `handler(action, environment)`. The vocabulary's own actions need none.
        seed: Seed or generator of `sample`.

    Raises:
        UsageError: two types share a name.

    Example:
        >>> class Wave(Action):
        ...     '''Wave a number of times.'''
        ...     times: int = 1
        >>> space = ActionSpace([Wave])
        >>> space.build("wave", {"times": 2})
        Wave(times=2)
    """

    def __init__(
        self,
        types: Iterable[type[Action]],
        handlers: Mapping[type[Action], Handler] | None = None,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        self.types: tuple[type[Action], ...] = tuple(types)
        self.handlers: dict[type[Action], Handler] = dict(handlers or {})
        self._by_name = {action_type.name: action_type for action_type in self.types}
        if len(self._by_name) != len(self.types):
            raise UsageError(f"two actions share a name: {[t.name for t in self.types]}")
        super().__init__(shape=None, dtype=None, seed=seed)

    @property
    def names(self) -> tuple[str, ...]:
        """The permitted names, in order."""
        return tuple(self._by_name)

    @property
    def is_np_flattenable(self) -> bool:
        """Actions hold text, so they do not flatten to a fixed box."""
        return False

    def type_named(self, name: str) -> type[Action]:
        """Return the action type called `name`.

        Raises:
            UnknownAction: no permitted action has that name.
        """
        try:
            return self._by_name[name]
        except KeyError:
            permitted = what_is_permitted(nearest(name, self.names), self.names)
            raise UnknownAction(f"{name[:60]!r} is not an action here; {permitted}") from None

    def build(
        self, name: str, arguments: Mapping[str, Any], coordinates: Coordinates | None = None
    ) -> Action:
        """Build a validated action from a name and the arguments as a model wrote them.

        Args:
            name: The action's name.
            arguments: Field name to value; points in the numbers of `coordinates`.
            coordinates: How points are written; thousandths by default.

        Raises:
            UnknownAction: the name is not permitted.
            InvalidArgument: an argument is missing, unknown or of the wrong type.
            OutOfRange: a number or a point lies outside its bounds.
        """
        action_type = self.type_named(name)
        reader = coordinates or Coordinates()
        read: dict[str, Any] = {}
        for field, value in arguments.items():
            info = action_type.model_fields.get(field)
            is_point = info is not None and holds_point(info.annotation)
            if is_point and value is not None and not isinstance(value, Point):
                value = reader.read(value)
            read[field] = value
        try:
            return action_type.model_validate(read)
        except ValidationError as error:
            raise _feedback(action_type, error) from None

    def check(self, action: object) -> None:
        """Refuse what is no permitted action with valid values.

        Raises:
            UsageError: it is no action, or another type of the same name is permitted.
            UnknownAction: no permitted action has its name.
            InvalidArgument: a value is none that its field takes.
            OutOfRange: a number or a point lies outside its bounds.
        """
        if not isinstance(action, Action):
            raise UsageError(f"step takes an action, not {_shown(action)}; {self._example(action)}")
        action_type = type(action)
        if self.type_named(action.name) is not action_type:
            raise UsageError(
                f"another action than {action_type.__module__}.{action_type.__name__} is called "
                f"{action.name!r} here"
            )
        try:
            action_type.model_validate(action.model_dump())
        except ValidationError as error:
            raise _feedback(action_type, error) from None

    def contains(self, x: Any) -> bool:
        """Return whether `x` is an action of a permitted type with valid values."""
        try:
            self.check(x)
        except (ModelFeedback, UsageError):
            return False
        return True

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> Action:
        """Draw a permitted type uniformly, then valid arguments uniformly.

        Args:
            mask: Unused; there for the signature of `gymnasium.Space`.
            probability: Unused; there for the signature of `gymnasium.Space`.
        """
        action_type = self.types[int(self.np_random.integers(len(self.types)))]
        return action_type.model_validate(sample_arguments(action_type, self.np_random))

    def extended(self, action_type: type[Action], handler: Handler | None = None) -> "ActionSpace":
        """Return a space that also permits `action_type`, performed by `handler`."""
        handlers = {**self.handlers, **({action_type: handler} if handler else {})}
        return ActionSpace((*self.types, action_type), handlers)

    def restricted(self, names: Iterable[str]) -> "ActionSpace":
        """Return a space with only the named actions, in the order of `names`.

        Raises:
            UnknownAction: a name is not in this space.
        """
        return ActionSpace([self.type_named(name) for name in names], self.handlers)

    def _example(self, given: object) -> str:
        """Return what to pass instead: the action that was meant, or the first one there is."""
        name = given.get("name") if isinstance(given, Mapping) else given
        meant = [t for t in self.types if name in (t, t.name, t.__name__)]
        chosen = (meant or list(self.types))[0]
        needed = [field for field, info in chosen.model_fields.items() if info.is_required()]
        written = {field: "..." for field in needed}
        return (
            f"pass an instance, such as {chosen.__name__}({', '.join(f'{f}=...' for f in needed)}),"
            " or make one of a model's words: "
            f"environment.action_space.build({chosen.name!r}, {written})"
        )

    def __eq__(self, other: object) -> bool:
        """Two spaces are equal when they permit the same types in the same order."""
        return isinstance(other, ActionSpace) and self.types == other.types

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return `ActionSpace(name, ...)`."""
        return f"ActionSpace({', '.join(self.names)})"


def holds_point(annotation: object) -> bool:
    """Return whether a field's annotation is Point, or a union that admits one."""
    if get_origin(annotation) in (Annotated, Union, UnionType):
        return any(holds_point(part) for part in get_args(annotation))
    return annotation is Point


def _shown(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"{str(value)[:60]!r}" if isinstance(value, str) else f"{type(value).__name__} {value!r}"


def _feedback(action_type: type[Action], error: ValidationError) -> InvalidArgument | OutOfRange:
    """Turn pydantic's report into one line for the model."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "arguments"
    kind = first["type"]
    expected = ", ".join(action_type.model_fields) or "no arguments"
    if kind == "missing":
        return InvalidArgument(f"{action_type.name} needs {field!r}; its arguments: {expected}")
    if kind == "extra_forbidden":
        return InvalidArgument(
            f"{action_type.name} has no {field[:60]!r}; its arguments: {expected}"
        )
    message = f"{action_type.name}: {field}: {first['msg']}; got {str(first['input'])[:60]!r}"
    bounds = ("greater_than", "less_than", "greater_than_equal", "less_than_equal")
    return OutOfRange(message) if kind in bounds else InvalidArgument(message)
