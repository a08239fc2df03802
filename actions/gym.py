"""Maps a Gymnasium action space to named calls, declaratively: no code for any one game.

A Discrete space becomes one call an action. Every other space becomes one call whose arguments
are its numbers, each with a name, a unit, bounds and a description.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Literal

import gymnasium
from gymnasium import spaces
from pydantic import Field, create_model

from eyehand.actions.action import Action
from eyehand.actions.leaves import Path, ScalarField, assemble, flatten
from eyehand.actions.space import ActionSpace
from eyehand.errors import UsageError

MAX_CALLS = 40
"""A Discrete space without names and with more actions than this becomes `choose(value)`."""

PerNumber = Sequence[str] | Mapping[str, str]
"""A text for each number: in the space's order, or by path ("arm.0") for some of them."""


@dataclass(frozen=True)
class Labels:
    """What a person or an environment says about an action space; every part may be left out.

    Attributes:
        names: For a Discrete space the names of its calls, otherwise of the arguments.
        units: Unit of each argument ("m/s", "degrees").
        descriptions: What each call or argument does.
        values: For arguments that choose among alternatives: the alternatives' names by path.
        call: Name of the one call of a space that is not Discrete.
        description: What that call does.

    Paths are keys and indices with dots between, such as "arm.0" in `Dict(arm=Box(..., (3,)))`; a
    space of a single number has the path of what holds it, and "" at the top.
    """

    names: PerNumber = ()
    units: PerNumber = ()
    descriptions: PerNumber = ()
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    call: str = "act"
    description: str = "Act for one time step."


class ActionMapping:
    """Named calls for a Gymnasium space, and the way back.

    Attributes:
        space: The Gymnasium space.
        action_space: The calls.

    Example:
        >>> mapping = ActionMapping.from_space(spaces.Discrete(2), names=["stand", "hit"])
        >>> mapping.action_space
        ActionSpace(stand, hit)
        >>> int(mapping.to_gym(mapping.action_space.build("hit", {})))
        1
    """

    def __init__(
        self,
        space: spaces.Space[Any],
        types: Mapping[type[Action], Mapping[Path, "_Source"]],
    ) -> None:
        """Keep the parts; use `from_space` or `from_environment`."""
        self.space = space
        self.action_space = ActionSpace(types)
        self._sources = dict(types)

    @classmethod
    def from_space(
        cls,
        space: spaces.Space[Any],
        labels: Labels | Mapping[str, Any] | None = None,
        **parts: Any,
    ) -> "ActionMapping":
        """Map a space.

        Args:
            space: Discrete, MultiDiscrete, MultiBinary, Box, or Dict and Tuple of these, nested.
            labels: Names, units and descriptions, as `Labels` or as a mapping of its fields.
            **parts: Fields of `Labels` that replace the ones in `labels`.

        Raises:
            UsageError: the space has no mapping, or the labels do not fit it.
        """
        described = _labels(labels, parts)
        if isinstance(space, spaces.Discrete) and (described.names or int(space.n) <= MAX_CALLS):
            return cls(space, _discrete_types(space, described))
        return cls(space, _one_type(space, described))

    @classmethod
    def from_environment(
        cls,
        environment: gymnasium.Env[Any, Any],
        labels: Labels | Mapping[str, Any] | None = None,
        **parts: Any,
    ) -> "ActionMapping":
        """Map an environment's action space, with the names that the environment itself knows."""
        described = _labels(labels, parts)
        if not described.names:
            described = replace(described, names=action_names(environment))
        return cls.from_space(environment.action_space, described)

    def to_gym(self, action: Action) -> Any:
        """Return the Gymnasium action: exact dtype and shape, contained in the space.

        Raises:
            UsageError: the action is not one of this mapping.
        """
        sources = self._sources.get(type(action))
        if sources is None:
            raise UsageError(f"{action.name} is not a call of this mapping: {self.action_space}")
        return assemble(self.space, {path: s.read(action) for path, s in sources.items()})


def action_names(environment: gymnasium.Env[Any, Any]) -> tuple[str, ...]:
    """Return the names that an environment gives to its discrete actions; none where it has none.

    Known places: `get_action_meanings()` (ALE) and an Enum called `actions` (minigrid), both on
    `environment.unwrapped`.
    """
    space = environment.action_space
    if not isinstance(space, spaces.Discrete):
        return ()
    inner = environment.unwrapped
    found: dict[int, str] = {}
    meanings = getattr(inner, "get_action_meanings", None)
    members = getattr(inner, "actions", None)
    if callable(meanings):
        found = {int(space.start) + i: str(name) for i, name in enumerate(meanings())}
    elif isinstance(members, type) and issubclass(members, Enum):
        found = {int(member.value): member.name for member in members}
    wanted = range(int(space.start), int(space.start + space.n))
    if set(found) != set(wanted):
        return ()
    return tuple(_identifier(found[value]) for value in wanted)


@dataclass(frozen=True)
class _Source:
    """Where a number comes from: a fixed one, or an argument, perhaps by the name of its value."""

    fixed: float = 0
    argument: str = ""
    values: tuple[str, ...] = ()
    low: int = 0

    def read(self, action: Action) -> float:
        if not self.argument:
            return self.fixed
        value = getattr(action, self.argument)
        return self.low + self.values.index(value) if self.values else value


_Types = dict[type[Action], dict[Path, _Source]]


def _labels(labels: Labels | Mapping[str, Any] | None, parts: Mapping[str, Any]) -> Labels:
    given = labels if isinstance(labels, Labels) else Labels()
    changes = {**(labels if isinstance(labels, Mapping) else {}), **parts}
    unknown = set(changes) - set(Labels.__dataclass_fields__)
    if unknown:
        raise UsageError(
            f"labels have no {sorted(unknown)}; they have {list(Labels.__dataclass_fields__)}"
        )
    return replace(given, **changes)


def _discrete_types(space: spaces.Discrete, labels: Labels) -> _Types:
    """Make one call without arguments for each action of a Discrete space."""
    count, start = int(space.n), int(space.start)
    paths = [str(start + i) for i in range(count)]
    names = _per_number("names", labels.names, paths)
    descriptions = _per_number("descriptions", labels.descriptions, paths)
    types: _Types = {}
    for value, path in enumerate(paths, start):
        name = names.get(path, f"action_{value}".replace("-", "minus_"))
        told = descriptions.get(path, f"{name.replace('_', ' ').capitalize()}.")
        types[_action_type(name, told, {})] = {(): _Source(fixed=value)}
    _unique([action_type.name for action_type in types])
    return types


def _one_type(space: spaces.Space[Any], labels: Labels) -> _Types:
    """Make one call whose arguments are the numbers of a space."""
    parts = flatten(space)
    paths = [".".join(leaf.path) for leaf in parts]
    names = _per_number("names", labels.names, paths)
    units = _per_number("units", labels.units, paths)
    told = _per_number("descriptions", labels.descriptions, paths)
    if unknown := set(labels.values) - set(paths):
        raise UsageError(f"values are named for {sorted(unknown)}; the space has {paths}")
    fields: dict[str, Any] = {}
    sources: dict[Path, _Source] = {}
    _unique([names.get(path, _default_name(path)) for path in paths])
    for leaf, path in zip(parts, paths, strict=True):
        name = names.get(path, _default_name(path))
        description = told.get(path, name.replace("_", " "))
        if path in units:
            description = f"{description}, in {units[path]}"
        values = tuple(labels.values.get(path, ()))
        fields[name] = _field(leaf, values, description)
        sources[leaf.path] = _Source(
            argument=name, values=values, low=int(leaf.low) if values else 0
        )
    is_choice = isinstance(space, spaces.Discrete) and labels.call == "act"
    call = "choose" if is_choice else labels.call
    return {_action_type(call, labels.description, fields): sources}


def _field(leaf: ScalarField, values: tuple[str, ...], description: str) -> tuple[Any, Any]:
    """Return annotation and field of one argument."""
    if values:
        count = int(leaf.high - leaf.low) + 1
        if not leaf.is_choice or len(values) != count or len(set(values)) != count:
            raise UsageError(
                f"{'.'.join(leaf.path)!r} takes {count} different names of values, for a number "
                f"that chooses among alternatives; got {list(values)}"
            )
        return Literal[values], Field(description=description)
    kind = int if leaf.is_integer else float
    return kind, Field(
        ge=leaf.low,
        le=leaf.high,
        allow_inf_nan=None if leaf.is_integer else False,
        description=description,
    )


def _action_type(name: str, description: str, fields: dict[str, Any]) -> type[Action]:
    """Make an action class."""
    for word in (name, *fields):
        if not re.fullmatch(r"[a-z][a-z0-9_]*", word) or word in _TAKEN:
            raise UsageError(
                f"{word!r} cannot name a call or an argument: expected small letters, digits and "
                "underscores, such as turn_left, and no method of a pydantic model"
            )
    class_name = "".join(part.capitalize() for part in name.split("_"))
    made: type[Action] = create_model(class_name, __base__=Action, __doc__=description, **fields)
    made.name = name
    return made


_TAKEN = frozenset(word for word in dir(Action) if word != "name")


def _per_number(part: str, given: PerNumber, paths: Sequence[str]) -> dict[str, str]:
    """Return the texts by path.

    Raises:
        UsageError: their number, or a path, does not fit the space.
    """
    if isinstance(given, Mapping):
        if unknown := set(given) - set(paths):
            raise UsageError(f"{part} are given for {sorted(unknown)}; the space has {paths}")
        return dict(given)
    if given and len(given) != len(paths):
        raise UsageError(f"the space needs {len(paths)} {part}; got {len(given)}: {list(given)}")
    return dict(zip(paths, given, strict=False))


def _default_name(path: str) -> str:
    return _identifier(path if path[:1].isalpha() else f"value_{path}")


def _identifier(text: str) -> str:
    """Return a text in snake case: "RIGHTFIRE" is rightfire, "turnLeft" is turn_left."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    name = re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")
    return name if name[:1].isalpha() else f"action_{name}".rstrip("_")


def _unique(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"the names {twice} come twice; give `names` that differ")
