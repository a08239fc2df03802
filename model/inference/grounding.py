"""Places on a picture in Qwen2-VL's own notation.

An answer names an object and where it is::

    <|object_ref_start|>the button<|object_ref_end|><|box_start|>(412,90),(588,140)<|box_end|>

It is asked for with the object in the same marks: "Find <|object_ref_start|>the button<|...|>".
Numbers run from 0 to 1000 over the width and the height of the picture (arXiv 2409.12191,
section 2.2). Here coordinates are 0..1, so that they mean the same at every resolution.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from eyehand.errors import UsageError
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import GenerationConfig
from eyehand.model.inference.session import Session
from eyehand.model.inputs.image import Picture

SCALE = 1000
"""What the model writes for the right and the lower edge."""

_MARK = re.compile(r"<\|((?:object_ref|box|quad)_(?:start|end))\|>")
_END = re.compile(r"<\|(?:box|quad)_end\|>")
_NUMBERS = re.compile(r"[\s\d.,()\[\]-]*")  # what a place begins with; words may follow
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?!\w)")

_OPENING = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
_TURN = "<|object_ref_end|><|im_end|>\n<|im_start|>assistant\n"

XY = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """An upright rectangle; a point is a box without size.

    Attributes:
        x1: Left edge, 0..1.
        y1: Upper edge, 0..1.
        x2: Right edge, x1..1.
        y2: Lower edge, y1..1.
        label: What is there, in the model's words; None when it said nothing.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    label: str | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.x1 <= self.x2 <= 1 and 0 <= self.y1 <= self.y2 <= 1):
            raise UsageError(
                "a box needs 0 <= x1 <= x2 <= 1 and 0 <= y1 <= y2 <= 1, got "
                f"({self.x1}, {self.y1}, {self.x2}, {self.y2})"
            )

    @property
    def center(self) -> XY:
        """The middle (x, y), where one would click."""
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2

    def contains(self, x: float, y: float) -> bool:
        """Whether a point (0..1) lies inside or on the edge."""
        return self.x1 <= x <= self.x2 and self.y1 <= y <= self.y2

    def overlap(self, other: "Box") -> float:
        """Intersection over union with another box, 0..1."""
        width = min(self.x2, other.x2) - max(self.x1, other.x1)
        height = min(self.y2, other.y2) - max(self.y1, other.y1)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self._area() + other._area() - shared)

    def _area(self) -> float:
        return (self.x2 - self.x1) * (self.y2 - self.y1)


@dataclass(frozen=True)
class Quad:
    """A quadrangle, for slanted text.

    Attributes:
        corners: Four points (x, y), 0..1, in the order in which the model gave them.
        label: What is there, or None.
    """

    corners: tuple[XY, XY, XY, XY]
    label: str | None = None

    @property
    def box(self) -> Box:
        """The upright rectangle around the corners."""
        xs, ys = zip(*self.corners, strict=True)
        return Box(min(xs), min(ys), max(xs), max(ys), self.label)


def ground(
    session: Session, description: str, image: Picture, max_new_tokens: int = 512
) -> list[Box]:
    """Asks where something is on a picture; see `eyehand.model.hub.Qwen2VL.ground`.

    Args:
        session: An empty one, which the question is appended to.
        description: What to find.
        image: Where.
        max_new_tokens: Most tokens the answer.
    """
    if not description.strip():
        raise UsageError("say what to find: the description is empty")
    session.append_template(_OPENING)
    session.append_image(image)
    session.append_template("Find <|object_ref_start|>")
    session.append_text(description)
    session.append_template(_TURN)
    (answer,) = generate([session], GenerationConfig(max_new_tokens))
    # Of an answer that was cut off, the last number may be half of one.
    text = answer.text if answer.stop_reason != "length" else _whole_places(answer.text)
    return parse_boxes(text)


def _whole_places(text: str) -> str:
    """The text up to its last end mark."""
    return text[: max((found.end() for found in _END.finditer(text)), default=0)]


def parse(text: str) -> list[Box | Quad]:
    """Reads every place in a model's answer, in order.

    Damaged notation is read as far as its meaning is clear: missing brackets and end marks,
    corners in the wrong order and numbers outside 0..1000 (clamped) are accepted; a place with
    too few numbers is left out. One label serves all places up to the next label.

    Args:
        text: A decoded answer, control tokens kept.

    Returns:
        Boxes and quadrangles; a lone point gives a box without size.
    """
    label: str | None = None
    places: list[Box | Quad] = []
    for mark, content in _pieces(text):
        if mark == "object_ref_start":
            label = content.strip() or None
        elif mark in ("box_start", "quad_start"):
            places += [replace(p, label=label) for p in _places(mark, _coordinates(content))]
    return places


def parse_boxes(text: str) -> list[Box]:
    """Reads every place as an upright box; see `parse`."""
    return [place.box if isinstance(place, Quad) else place for place in parse(text)]


def write(place: Box | Quad) -> str:
    """Writes a place in the model's notation, coordinates rounded to 1/1000.

    A label cannot break the notation: control tokens in it are removed.
    """
    if isinstance(place, Quad):
        content = _written(place.corners)
        body = f"<|quad_start|>{content}<|quad_end|>"
    else:
        content = _written([(place.x1, place.y1), (place.x2, place.y2)])
        body = f"<|box_start|>{content}<|box_end|>"
    if place.label is None:
        return body
    label = re.sub(r"<\|\w+\|>", "", place.label)
    return f"<|object_ref_start|>{label}<|object_ref_end|>{body}"


def _written(points: Sequence[XY]) -> str:
    return ",".join(f"({round(x * SCALE)},{round(y * SCALE)})" for x, y in points)


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Every mark with the text up to the next one."""
    parts = _MARK.split(text)
    yield from zip(parts[1::2], parts[2::2], strict=True)


def _coordinates(content: str) -> list[float]:
    run = _NUMBERS.match(content)
    end = run.end() if run else 0
    found = [number for number in _NUMBER.finditer(content) if number.end() <= end]
    return [min(max(float(number[0]) / SCALE, 0.0), 1.0) for number in found]


def _places(mark: str, numbers: list[float]) -> Iterator[Box | Quad]:
    """The places between two marks, which may hold several; a single point is a box of its own."""
    points = list(zip(numbers[0::2], numbers[1::2], strict=False))
    if mark == "quad_start":
        for a, b, c, d in zip(*(points[corner::4] for corner in range(4)), strict=False):
            yield Quad((a, b, c, d))
        return
    if len(numbers) == 2:
        points *= 2
    for (x1, y1), (x2, y2) in zip(points[0::2], points[1::2], strict=False):
        yield Box(min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
