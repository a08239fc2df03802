"""Names beside the bars of a plot: whole, over several lines where one has no room for them."""

import re
from collections.abc import Sequence

from markupsafe import Markup

LETTER = 6.7
"""Room for a letter of a name."""

LINE_HEIGHT = 14
_PIECES = re.compile(r"[^-_:/?&=. ]*[-_:/?&=. ]?")


def name_lines(name: str, width: float) -> list[str]:
    """Break a name into lines that a width has room for, after a mark where there is one.

    Example:
        >>> name_lines("phone:add-contact-with-address", 120)
        ['phone:add-', 'contact-with-', 'address']
    """
    longest = max(1, int((width - 14) / LETTER))
    lines = [""]
    for piece in _PIECES.findall(name):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > longest:
            lines.append("")
        lines[-1] += piece
        while len(lines[-1].rstrip()) > longest:
            lines[-1:] = [lines[-1][:longest], lines[-1][longest:]]
    return [line.rstrip() for line in lines]


def names_height(names: Sequence[str], width: float) -> list[float]:
    """Return the height that each name takes."""
    return [float(LINE_HEIGHT * len(name_lines(name, width))) for name in names]


def name_label(name: str, y: float, width: int) -> Markup:
    """Draw a name so that its lines lie around the height `y`, and end at the width."""
    lines = name_lines(name, width)
    first = y + 4 - LINE_HEIGHT * (len(lines) - 1) / 2
    spans = [
        Markup('<tspan x="{}" y="{:.1f}">{}</tspan>').format(
            width - 14, first + LINE_HEIGHT * number, line
        )
        for number, line in enumerate(lines)
    ]
    return Markup('<text class="name"><title>{}</title>{}</text>').format(
        name, Markup("").join(spans)
    )
