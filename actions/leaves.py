"""Takes a Gymnasium space apart into single numbers, and puts an action for it together again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from eyehand.errors import UsageError

Path = tuple[str, ...]
"""Where a number lies in a space: keys of Dict, positions in Tuple, indices in an array."""

MAX_LEAVES = 64
"""Most numbers that one call may carry; a prompt that lists more is of no use to a model."""


@dataclass(frozen=True)
class ScalarField:
    """One number of a space.

    Attributes:
        path: Where it lies.
        low: Its least value, for a real number at least the dtype's.
        high: Its largest value.
        is_integer: Whether it is a whole number.
        is_choice: Whether it counts alternatives (Discrete, MultiDiscrete), not a quantity.
    """

    path: Path
    low: float
    high: float
    is_integer: bool
    is_choice: bool


def flatten(space: spaces.Space[Any], path: Path = ()) -> list[ScalarField]:
    """List the numbers of a space, in a fixed order.

    Raises:
        UsageError: the space holds a kind that has no mapping, or too many numbers.
    """
    found = list(_leaves(space, path))
    if len(found) > MAX_LEAVES:
        raise UsageError(
            f"the action space holds {len(found)} numbers; a call carries at most {MAX_LEAVES}"
        )
    return found


def assemble(space: spaces.Space[Any], values: Mapping[Path, float], path: Path = ()) -> Any:
    """Make a space's action of its numbers, in the exact types, dtypes and shapes of the space.

    Args:
        space: The space, or a part of it.
        values: A number for each leaf.
        path: Where the part lies.
    """
    if isinstance(space, spaces.Dict):
        return {key: assemble(part, values, (*path, key)) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(assemble(part, values, (*path, str(i))) for i, part in enumerate(space.spaces))
    if isinstance(space, spaces.Discrete):
        return _number_type(space)(values[path])
    array = np.empty(space.shape or (), dtype=space.dtype)
    for index, leaf_path in _indices(array.shape, path):
        array[index] = values[leaf_path]
    return array


def _leaves(space: spaces.Space[Any], path: Path) -> Iterator[ScalarField]:
    if isinstance(space, spaces.Dict):
        for key, part in space.spaces.items():
            yield from _leaves(part, (*path, key))
    elif isinstance(space, spaces.Tuple):
        for position, part in enumerate(space.spaces):
            yield from _leaves(part, (*path, str(position)))
    elif isinstance(space, spaces.Discrete):
        yield ScalarField(path, int(space.start), int(space.start + space.n - 1), True, True)
    elif isinstance(space, spaces.Box):
        yield from _box_leaves(space, path)
    elif isinstance(space, spaces.MultiDiscrete | spaces.MultiBinary):
        yield from _choice_leaves(space, path)
    else:
        raise UsageError(
            f"no mapping for {type(space).__name__} at {'.'.join(path) or 'the top'}: expected "
            "Discrete, MultiDiscrete, MultiBinary, Box, or Dict and Tuple of these"
        )


def _choice_leaves(
    space: spaces.MultiDiscrete | spaces.MultiBinary, path: Path
) -> Iterator[ScalarField]:
    """List the choices of an array space."""
    for index, leaf_path in _indices(space.shape, path):
        if isinstance(space, spaces.MultiBinary):
            low, count = 0, 2
        else:
            low, count = int(space.start[index]), int(space.nvec[index])
        yield ScalarField(leaf_path, low, low + count - 1, True, True)


def _box_leaves(space: spaces.Box, path: Path) -> Iterator[ScalarField]:
    """List a Box's elements; where it is open, the dtype's own limits bound them."""
    is_integer = bool(np.issubdtype(space.dtype, np.integer))
    dtype: np.dtype[Any] = np.dtype(space.dtype)
    limits: Any = np.iinfo(dtype) if is_integer else np.finfo(dtype)
    kind = int if is_integer else float
    least, largest = kind(limits.min), kind(limits.max)
    for index, leaf_path in _indices(space.shape, path):
        low = max(space.low[index].item(), least)
        high = min(space.high[index].item(), largest)
        yield ScalarField(leaf_path, low, high, is_integer, False)


def _indices(shape: tuple[int, ...], path: Path) -> Iterator[tuple[tuple[int, ...], Path]]:
    """Pair each index of an array with its path; a single element has its array's own path."""
    is_single = int(np.prod(shape, dtype=np.int64)) == 1
    for index in np.ndindex(*shape):
        yield index, path if is_single else (*path, *map(str, index))


def _number_type(space: spaces.Discrete) -> Any:
    return np.dtype(space.dtype or np.int64).type
