"""Draw: the random choices that a phone's contents and a task's parameters are made of."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Draw:
    """Uniform choices from one seeded generator; the same generator gives the same choices.

    Args:
        generator: Where the randomness comes from, such as an environment's `np_random`.

    Example:
        >>> draw = Draw(np.random.default_rng(3))
        >>> 1 <= draw.integer(1, 6) <= 6
        True
    """

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator

    def integer(self, lowest: int, highest: int) -> int:
        """Return a whole number, both ends included."""
        return int(self._generator.integers(lowest, highest + 1))

    def chance(self, probability: float = 0.5) -> bool:
        """Return True with the given probability."""
        return bool(self._generator.random() < probability)

    def choice(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[self.integer(0, len(options) - 1)]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """Return `count` different options in a drawn order."""
        chosen = self._generator.permutation(len(options))[:count]
        return [options[int(index)] for index in chosen]

    def other(self, options: Sequence[T], excluded: T) -> T:
        """Return one of the options that is not the excluded one."""
        return self.choice([option for option in options if option != excluded])
