"""How alike two texts are, by insertions and deletions."""

LONGEST = 2_000
"""Longer texts are cut here: the time grows with the product of the lengths."""


def similarity(first: str, second: str) -> float:
    """Return the normalised similarity of two texts, 0 to 1.

    It is 1 - d / (len(first) + len(second)), where d counts the insertions and deletions that turn
    one into the other: what the package Levenshtein calls `ratio`, which AITZ's evaluation uses.

    Example:
        >>> similarity("kitten", "sitting")
        0.6153846153846154
    """
    first, second = first[:LONGEST], second[:LONGEST]
    total = len(first) + len(second)
    return 2 * _common(first, second) / total if total else 1.0


def _common(first: str, second: str) -> int:
    """Return the length of the longest common subsequence."""
    row = [0] * (len(second) + 1)
    for character in first:
        diagonal = 0
        for index, other in enumerate(second, start=1):
            diagonal, row[index] = (
                row[index],
                diagonal + 1 if character == other else max(row[index], row[index - 1]),
            )
    return row[-1]
