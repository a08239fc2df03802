"""How the commands print tables: no lines, and no text of a task is taken for a style.

Nor does a terminal act on any: control characters become blanks.
"""

from typing import Any

from rich.console import Console
from rich.table import Table

from eyehand.agent.printable import printable, printable_lines

TABLE_WIDTH = 120
"""Characters of the widest table."""


class PlainTable(Table):
    """A table whose heads and cells hold no control characters."""

    def add_column(self, header: Any = "", *rest: Any, **how: Any) -> None:
        """Add a column."""
        super().add_column(printable(str(header)), *rest, **how)

    def add_row(self, *cells: Any, **how: Any) -> None:
        """Add a row of texts."""
        super().add_row(*(printable(str(cell)) for cell in cells), **how)


class PlainConsole(Console):
    """A console that prints tables, and texts without control characters."""

    def print(self, *parts: Any, **how: Any) -> None:
        """Print."""
        shown = [printable_lines(part) if isinstance(part, str) else part for part in parts]
        super().print(*shown, **how)


def table(*columns: str, numbers: bool = False) -> Table:
    """Return a table without lines, whose first column, of names to copy, stays whole.

    Args:
        columns: Their heads.
        numbers: All but the first column hold numbers: they stand to the right and stay whole.
    """
    made = PlainTable(box=None, pad_edge=False)
    for index, head in enumerate(columns):
        whole = numbers or index == 0
        made.add_column(head, justify="right" if numbers and index else "left", no_wrap=whole)
    return made


def console(wide: bool = False) -> Console:
    """Return a console on standard output.

    Args:
        wide: In a pipe or a narrow window, lines run on rather than be folded.
    """
    made = PlainConsole(highlight=False, markup=False, soft_wrap=wide)
    if wide:
        made.width = max(made.width, TABLE_WIDTH)
    return made
