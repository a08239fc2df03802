"""The rule of AITZ ("Android in the Zoo", arXiv:2403.02713) for one step.

Type match: the same gesture. Exact match, besides:

- click: by `Clicks`, see there;
- scroll: the same direction;
- type: one text contains the other, or their similarity is above 0.8, as in the data set's own
  evaluation code (https://github.com/IMNearth/CoAT, `coat/evaluate.py`);
- press: the same key;
- stop: always;
- a call that AITZ does not know: the same arguments, points by the rule for clicks.

One departure: an empty text matches an empty text only. The published code holds it to be
contained in every text.
"""

from collections.abc import Sequence
from enum import StrEnum
from math import hypot

from eyehand.agent.scoring.calls import same_value
from eyehand.agent.scoring.gestures import Gesture, point_of
from eyehand.agent.scoring.similarity import similarity
from eyehand.agent.scoring.steps import Box

TAP_DISTANCE = 0.14
"""Two taps so near are the same, as a share of the screen (Android in the Wild,
arXiv:2307.10088)."""
BOX_GROWTH_WILD = 1.4
"""Android in the Wild adds so much of a box's size to it: 2.4 times its width and height."""
BOX_SCALE_ZOO = 1.2
LEAST_OVERLAP = 0.5
LEAST_SIMILARITY = 0.8


class Clicks(StrEnum):
    """When a click is right.

    `DISTANCE` is the rule of Android in the Wild, which AITZ and Auto-UI report by: within 14% of
    the screen, or in the same element's enlarged box. `BOX` is strict: the same element's box,
    enlarged to 1.2 times as in AITZ's evaluation code; without boxes nothing but the same point
    is right.
    """

    DISTANCE = "distance"
    BOX = "box"


def type_match(prediction: Gesture | None, reference: Gesture) -> bool:
    """Return whether the predicted gesture is of the reference's kind."""
    return prediction is not None and prediction.kind == reference.kind


def exact_match(
    prediction: Gesture | None,
    reference: Gesture,
    boxes: Sequence[Box] = (),
    clicks: Clicks = Clicks.DISTANCE,
) -> bool:
    """Return whether the predicted gesture does what the reference does.

    Args:
        prediction: What was predicted; None where the answer held no call.
        reference: What should have been done.
        boxes: Elements of the screen.
        clicks: When a click is right.
    """
    if prediction is None or prediction.kind != reference.kind:
        return False
    if not (prediction.complete and reference.complete):
        return False
    match reference.kind:
        case "click":
            return _same_click(prediction, reference, boxes, clicks)
        case "scroll":
            return prediction.direction == reference.direction
        case "type":
            return same_text(prediction.text or "", reference.text or "")
        case "press":
            return prediction.key == reference.key
        case "stop":
            return True
    return _same_arguments(prediction, reference, boxes, clicks)


def same_text(prediction: str, reference: str) -> bool:
    """Return whether one text contains the other or both are much alike.

    Example:
        >>> same_text("wifi", "wifi settings"), same_text("wify", "wifi"), same_text("", "wifi")
        (True, False, False)
    """
    if not (prediction and reference):
        return prediction == reference
    contained = prediction in reference or reference in prediction
    return contained or similarity(prediction, reference) > LEAST_SIMILARITY


def same_place(
    first: tuple[float, float],
    second: tuple[float, float],
    boxes: Sequence[Box] = (),
    clicks: Clicks = Clicks.DISTANCE,
) -> bool:
    """Return whether two taps do the same. It does not matter which of them comes first.

    Args:
        first: (x, y) as shares of the screen.
        second: The other one.
        boxes: Elements of the screen.
        clicks: The rule.
    """
    if clicks is Clicks.DISTANCE:
        near = hypot(first[0] - second[0], first[1] - second[1]) <= TAP_DISTANCE
        grown = [_grown(box) for box in boxes]
    else:
        near = first == second
        grown = [_scaled(box) for box in boxes]
    return near or any(_holds(box, first) and _holds(box, second) for box in grown)


def _same_click(
    prediction: Gesture, reference: Gesture, boxes: Sequence[Box], clicks: Clicks
) -> bool:
    """Compare places; a box that was predicted instead of a point is compared as in AITZ's code."""
    target = reference.point or _centre(reference.box)
    if reference.box:
        boxes = (*boxes, reference.box)
    if prediction.point:
        return same_place(prediction.point, target, boxes, clicks)
    predicted = _scaled(prediction.box) if prediction.box else (0.0, 0.0, 0.0, 0.0)
    if _holds(predicted, target):
        return True
    around = [_scaled(box) for box in boxes if _holds(_scaled(box), target)]
    return any(overlap(predicted, box) > LEAST_OVERLAP for box in around)


def _same_arguments(
    prediction: Gesture, reference: Gesture, boxes: Sequence[Box], clicks: Clicks
) -> bool:
    ours, theirs = prediction.call.arguments, reference.call.arguments
    rest: list[dict[str, object]] = [{}, {}]
    for name in ours.keys() | theirs.keys():
        first, second = point_of(ours.get(name)), point_of(theirs.get(name))
        if first and second:
            if not same_place(first, second, boxes, clicks):
                return False
        else:
            rest[0][name], rest[1][name] = ours.get(name), theirs.get(name)
    return same_value(*rest)


def overlap(first: Box, second: Box) -> float:
    """Return the intersection over the union of two boxes, 0 to 1; 0 where they have no area."""
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(0.0, across) * max(0.0, down)
    union = _area(first) + _area(second) - shared
    return shared / union if union > 0 else 0.0


def _grown(box: Box) -> Box:
    """Enlarge as Android in the Wild does: the corner moves first, then the size grows from it."""
    width, height = box[2] - box[0], box[3] - box[1]
    left = max(0.0, box[0] - BOX_GROWTH_WILD * width / 2)
    top = max(0.0, box[1] - BOX_GROWTH_WILD * height / 2)
    growth = 1 + BOX_GROWTH_WILD
    return left, top, left + min(1.0, growth * width), top + min(1.0, growth * height)


def _scaled(box: Box) -> Box:
    """Enlarge about the centre, as AITZ's code does."""
    x, y = _centre(box)
    half_width, half_height = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
    across, down = BOX_SCALE_ZOO * half_width, BOX_SCALE_ZOO * half_height
    return x - across, y - down, x + across, y + down


def _centre(box: Box | None) -> tuple[float, float]:
    return ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) if box else (0.0, 0.0)


def _holds(box: Box, point: tuple[float, float]) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
