"""The plots of an evaluation's page: inline SVG, coloured by the page's own style sheet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from eyehand.agent.report.evaluation_names import name_label, names_height
from eyehand.agent.report.evaluation_scales import Bins, bins, round_ticks, three_digits

WIDTH = 900
LABEL_WIDTH = 250
HALF_WIDTH = 580
"""Two plots stand side by side; theirs are drawn narrower, so that the letters stay as large."""

HALF_LABEL_WIDTH = 215
RIGHT = 70
"""Room behind the bars for a number."""

AXIS = 26
LINE = 17
"""Height of one dot with its whisker."""

GAP = 11
SERIES = 4
"""The style sheet has so many colours; further series begin again."""


@dataclass(frozen=True)
class Dot:
    """A rate with its interval, 0 to 1; `value` is None where nothing was measured."""

    value: float | None
    low: float
    high: float
    said: str


@dataclass(frozen=True)
class ChartMark:
    """A line across a task's dots: the best rate there can be, 0 to 1."""

    value: float
    said: str


@dataclass(frozen=True)
class DotRow:
    """A task's name, its dot in each run, in the same order in every row, and its ceiling."""

    name: str
    dots: Sequence[Dot]
    ceiling: ChartMark | None = None


@dataclass(frozen=True)
class Bar:
    """A stacked bar: a label and its parts in one unit."""

    label: str
    parts: Mapping[str, float]
    said: str


def dots(rows: Sequence[DotRow]) -> Markup:
    """Draw success rates with their intervals and ceilings: a row a task, a dot a run."""
    named = names_height([row.name for row in rows], LABEL_WIDTH)
    heights = [max(LINE * len(row.dots), name) + GAP for row, name in zip(rows, named, strict=True)]
    bottom = sum(heights) + 4
    parts = [_rate_axis(bottom)]
    top = 4.0
    for row, height in zip(rows, heights, strict=True):
        middle = top + height / 2
        if top > 4:
            parts.append(_separator(top))
        parts.append(name_label(row.name, middle, LABEL_WIDTH))
        if row.ceiling:
            parts.append(_ceiling(row.name, row.ceiling, top + 2, top + height - 2))
        first = middle - LINE * len(row.dots) / 2
        for index, dot in enumerate(row.dots):
            parts.append(_whisker(row.name, dot, index, first + LINE * (index + 0.5)))
        top += height
    return _svg(WIDTH, bottom + AXIS, "Success rates with their 95% intervals", parts)


def histogram(counts: Sequence[tuple[int, bool]]) -> Markup:
    """Draw how many steps the episodes took: those that succeeded below, the others above.

    Args:
        counts: Steps of an episode, and whether it succeeded.
    """
    found = bins(counts)
    bottom, left, width = 180.0, 46.0, HALF_WIDTH - 46.0 - 10.0
    ticks = round_ticks(max(4, *found.totals))  # fewer would get ticks between whole numbers
    scale = (bottom - 12) / ticks[-1]
    parts = [_level(tick, bottom - tick * scale, left) for tick in ticks]
    for index in range(found.count):
        parts.append(_column(found, index, left, width / found.count, bottom, scale))
    label = Markup('<text x="{}" y="{}" class="tick" text-anchor="middle">steps an episode</text>')
    parts.append(label.format(left + width / 2, bottom + 36))
    return _svg(HALF_WIDTH, bottom + 44, "Steps an episode", parts)


def stacked(bars: Sequence[Bar], unit: str) -> Markup:
    """Draw stacked bars, one a row, all to one scale.

    Args:
        bars: At least one.
        unit: What a tick of the scale is in: "ms".
    """
    most = max(sum(bar.parts.values()) for bar in bars)
    ticks = round_ticks(most)
    span = HALF_WIDTH - HALF_LABEL_WIDTH - RIGHT
    named = names_height([bar.label for bar in bars], HALF_LABEL_WIDTH)
    heights = [max(26.0, name + 8) for name in named]
    bottom = sum(heights) + 6
    parts = []
    for tick in ticks:
        x = HALF_LABEL_WIDTH + span * tick / ticks[-1]
        parts.append(_vertical(x, bottom, f"{tick:g} {unit}" if tick else "0"))
    top = 6.0
    for bar, height in zip(bars, heights, strict=True):
        parts.append(_stack(bar, top + (height - 26) / 2, span / ticks[-1]))
        top += height
    return _svg(HALF_WIDTH, bottom + AXIS, "Time a step by part", parts)


def _rate_axis(bottom: float) -> Markup:
    lines = []
    for percent in (0, 25, 50, 75, 100):
        lines.append(_vertical(_rate_x(percent / 100), bottom, f"{percent}%"))
    return Markup("").join(lines)


def _separator(y: float) -> Markup:
    return Markup('<line x1="0" x2="{}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>').format(
        WIDTH, y=y
    )


def _rate_x(rate: float) -> float:
    return LABEL_WIDTH + (WIDTH - LABEL_WIDTH - RIGHT) * rate


def _ceiling(name: str, mark: ChartMark, top: float, bottom: float) -> Markup:
    return Markup(
        '<g class="ceiling"><title>{}: {}</title>'
        '<line x1="{x:.1f}" x2="{x:.1f}" y1="{:.1f}" y2="{:.1f}"/></g>'
    ).format(name, mark.said, top, bottom, x=_rate_x(mark.value))


def _whisker(name: str, dot: Dot, index: int, y: float) -> Markup:
    if dot.value is None:
        return Markup('<text x="{}" y="{:.1f}" class="tick end">not run</text>').format(
            WIDTH - 4, y + 4
        )
    return Markup(
        '<g class="series-{}"><title>{}: {}</title>'
        '<line x1="{:.1f}" x2="{:.1f}" y1="{y:.1f}" y2="{y:.1f}" class="whisker"/>'
        '<circle cx="{:.1f}" cy="{y:.1f}" r="4.5"/>'
        '<text x="{}" y="{:.1f}" class="number">{:.0f}%</text></g>'
    ).format(
        index % SERIES,
        name,
        dot.said,
        _rate_x(dot.low),
        _rate_x(dot.high),
        _rate_x(dot.value),
        WIDTH - 4,
        y + 4,
        100 * dot.value,
        y=y,
    )


def _column(
    found: Bins, index: int, left: float, width: float, bottom: float, scale: float
) -> Markup:
    solved, others = found.solved[index], found.others[index]
    x, gap = left + width * index, min(2.0, width / 5)
    box = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
    parts = [
        Markup("<g><title>{}</title>").format(
            f"{found.label(index)} steps: {solved} succeeded, {others} did not"
        )
    ]
    y = bottom
    for kind, count in (("solved", solved), ("unsolved", others)):
        if count:
            y -= count * scale
            parts.append(box.format(kind, x + gap / 2, y, width - gap, count * scale))
    if index % found.label_every == 0:
        text = Markup('<text x="{:.1f}" y="{}" class="tick" text-anchor="middle">{}</text>')
        parts.append(text.format(x + width / 2, bottom + 16, found.label(index)))
    return Markup("").join([*parts, Markup("</g>")])


def _stack(bar: Bar, y: float, scale: float) -> Markup:
    parts = [
        name_label(bar.label, y + 8, HALF_LABEL_WIDTH),
        Markup("<g><title>{}: {}</title>").format(bar.label, bar.said),
    ]
    x = float(HALF_LABEL_WIDTH)
    for name, amount in bar.parts.items():
        box = '<rect class="part-{}" x="{:.1f}" y="{:.1f}" width="{:.2f}" height="16"/>'
        parts.append(Markup(box).format(name, x, y, amount * scale))
        x += amount * scale
    text = Markup('<text x="{:.1f}" y="{:.1f}" class="number start">{}</text></g>')
    parts.append(text.format(x + 6, y + 12.5, three_digits(sum(bar.parts.values()))))
    return Markup("").join(parts)


def _vertical(x: float, bottom: float, label: str) -> Markup:
    return Markup(
        '<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{:.1f}" class="grid"/>'
        '<text x="{x:.1f}" y="{:.1f}" class="tick" text-anchor="middle">{}</text>'
    ).format(bottom, bottom + 17, label, x=x)


def _level(tick: float, y: float, left: float) -> Markup:
    return Markup(
        '<line x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
        '<text x="{}" y="{:.1f}" class="tick" text-anchor="end">{:g}</text>'
    ).format(left, HALF_WIDTH - 10, left - 8, y + 4, tick, y=y)


def _svg(width: int, height: float, title: str, parts: Sequence[Markup]) -> Markup:
    head = Markup('<svg class="plot" viewBox="0 0 {} {:.0f}" role="img" aria-label="{}">')
    return Markup("").join([head.format(width, height, title), *parts, Markup("</svg>")])
