"""How the commands print tables: no lines, and no text of a task is taken for a style."""

from rich.console import Console
from rich.table import Table

TABLE_WIDTH = 120
"""Characters of the widest table."""


def table(*columns: str, numbers: bool = False) -> Table:
    """Return a table without lines, whose first column, of names to copy, stays whole.

    Args:
        columns: Their heads.
        numbers: All but the first column hold numbers: they stand to the right and stay whole.
    """
    made = Table(box=None, pad_edge=False)
    for index, head in enumerate(columns):
        whole = numbers or index == 0
        made.add_column(head, justify="right" if numbers and index else "left", no_wrap=whole)
    return made


def console(wide: bool = False) -> Console:
    """Return a console on standard output.

    Args:
        wide: In a pipe or a narrow window, lines run on rather than be folded.
    """
    made = Console(highlight=False, markup=False, soft_wrap=wide)
    if wide:
        made.width = max(made.width, TABLE_WIDTH)
    return made
