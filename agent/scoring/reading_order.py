"""The order in which AITZ numbers a screen's elements: by rows, and from left to right in each."""

from collections.abc import Sequence
from functools import cmp_to_key

from eyehand.agent.scoring.steps import Box


def in_reading_order(boxes: Sequence[Box]) -> list[Box]:
    """Return boxes in the order of their numbers on AITZ's "tag" screens.

    The rule is that of the data set's code (https://github.com/IMNearth/CoAT, `row_col_sort`).
    Boxes are put in a first order, and then in rows: one joins the row where the row's mean centre
    lies within its height and its own centre within that of the last one there.

    Args:
        boxes: Left, top, right, bottom, in any unit.

    Example:
        >>> in_reading_order([(0.5, 0.0, 0.9, 0.1), (0.0, 0.3, 1.0, 0.4), (0.0, 0.0, 0.4, 0.1)])
        [(0.0, 0.0, 0.4, 0.1), (0.5, 0.0, 0.9, 0.1), (0.0, 0.3, 1.0, 0.4)]
    """
    rows: list[list[Box]] = []
    for box in sorted(boxes, key=cmp_to_key(_before)):
        if rows and _joins(box, rows[-1]):
            rows[-1].append(box)
        else:
            rows.append([box])
    return [box for row in rows for box in sorted(row, key=lambda box: box[0])]


def _before(first: Box, second: Box) -> int:
    """Compare two boxes: one is below another where its top is below the other's middle."""
    if first[1] > second[1] and first[1] > _middle(second):
        return 1
    if first[1] < second[1] and second[1] > _middle(first):
        return -1
    return (first[0] > second[0]) - (first[0] < second[0])


def _joins(box: Box, row: Sequence[Box]) -> bool:
    centre = sum(map(_middle, row)) / len(row)
    last = row[-1]
    return box[1] < centre < box[3] and last[1] < _middle(box) < last[3]


def _middle(box: Box) -> float:
    return (box[1] + box[3]) / 2
