"""Predictions on AITZ: as lines of ours, or as files of AITZ's own code.

AITZ's code (https://github.com/IMNearth/CoAT) writes a file a step,
`general-123/general-123_0.json`, with `{"action_predict": {"COAT": {"txt": {"ACTION": ..., "ARGS":
...}}}}`: an answer for each way of prompting and each way of showing the screen. Boxes in it are
thousandths of the screen; "tag" screens carry the elements' numbers in reading order, and an answer
may name such a number.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eyehand.agent.scoring.reading_order import in_reading_order
from eyehand.agent.scoring.steps import Box, Call, ScoredStep, StepLine, read_lines
from eyehand.agent.scoring.zoo import ZooStep
from eyehand.errors import UsageError

KINDS = ("click", "scroll", "type", "press", "stop")
"""An ACTION is of the first of these kinds that its name contains; "input" is typing."""

STEP_FILE = re.compile(r"(?P<episode>.+)_(?P<step>\d+)\.json")
Place = tuple[str, int]
"""An episode's name, in lower case, and the number of a step."""


class PredictedStep(StepLine):
    """A line of ours: what was predicted in a step.

    A whole line, as `read_steps` takes it, will do; the reference in it is not read.

    Attributes:
        prediction: What was predicted; None where the answer held no call.
    """

    prediction: Call | None
    reference: Any = None
    boxes: Any = None


@dataclass
class Answered:
    """The reference's steps with what was predicted.

    Attributes:
        steps: Those of all episodes with a prediction.
        missing: Steps of those episodes without one; they are scored as without an answer.
        unpaired: Episodes that only one side has, which are not scored.
    """

    steps: list[ScoredStep] = field(default_factory=list)
    missing: int = 0
    unpaired: list[str] = field(default_factory=list)


def answer(reference: Sequence[ZooStep], predictions: Path, mode: str | None = None) -> Answered:
    """Put predictions to the steps of the reference.

    Args:
        reference: Steps of AITZ.
        predictions: A JSONL file of ours, or a folder of files of AITZ's code.
        mode: Which answer of such files: "COAT/txt"; None where they hold only one.

    Raises:
        UsageError: the predictions cannot be read, none is for an episode of the reference, or
            files hold several answers and `mode` does not say which.
    """
    given: dict[Place, Any]
    if predictions.is_dir():
        given = dict(_chosen(predictions, mode))
    elif mode is not None:
        raise UsageError(f"{predictions} is no folder of AITZ's code: leave --mode away")
    else:
        lines = read_lines(predictions, PredictedStep)
        given = {(line.episode.lower(), line.step): line.prediction for line in lines}
    if not given:
        raise UsageError(f"{predictions} holds no prediction: no file such as general-1_0.json")
    return _answered(reference, given, predictions)


def call_of_answer(answer: Any, boxes: Sequence[Box] = ()) -> Call | None:
    """Read an answer of AITZ's code; None where it holds no known action.

    Args:
        answer: `{"ACTION": "click_element", "ARGS": {"bbox": [x1, y1, x2, y2]}}`.
        boxes: The screen's elements in the data set's order, which `{"idx": n}` refers to.
    """
    if not isinstance(answer, dict) or not isinstance(answer.get("ACTION"), str):
        return None
    name = answer["ACTION"].lower()
    kind = "type" if name == "input" else next((k for k in KINDS if k in name), None)
    if kind is None:
        return None
    given = answer.get("ARGS")
    arguments = dict(given) if isinstance(given, dict) else {}
    if kind == "click":
        arguments = _clicked(arguments, boxes)
    elif kind == "press":
        arguments = {"key": name.split("_")[1]} if "_" in name else {}
    elif kind == "type":
        arguments.setdefault("text", "")
    return Call(name=kind, arguments=arguments)


def _clicked(arguments: dict[str, Any], boxes: Sequence[Box]) -> dict[str, Any]:
    """Return the box that was clicked: the element of a number, or the one in thousandths."""
    try:
        number = int(arguments["idx"])
    except (KeyError, TypeError, ValueError, OverflowError):
        number = -1
    if 0 <= number < len(boxes):
        return {"box": list(in_reading_order(boxes)[number])}
    box = arguments.get("bbox")
    if isinstance(box, list) and len(box) >= 4 and all(map(_is_number, box[:4])):
        return {"box": [edge / 1000 for edge in box[:4]]}
    return {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _answered(reference: Sequence[ZooStep], given: dict[Place, Any], source: Path) -> Answered:
    episodes = {episode for episode, _ in given}
    answered, met = Answered(), set()
    for step in reference:
        # AITZ's folders write the part in capitals, its code in small letters; the number alone
        # is as good where it is given.
        number = step.episode.rpartition("-")[2]
        name = next((n for n in (step.episode.lower(), number) if n in episodes), None)
        if name is None:
            answered.unpaired.append(step.episode)
            continue
        met.add(name)
        found = given.get((name, step.step))
        answered.missing += (name, step.step) not in given
        answered.steps.append(
            ScoredStep(
                episode=step.episode,
                step=step.step,
                reference=step.call,
                prediction=found if isinstance(found, Call) else call_of_answer(found, step.boxes),
                boxes=step.boxes,
            )
        )
    if not answered.steps:
        raise UsageError(f"{source} has no prediction for an episode of the reference")
    answered.unpaired = sorted({*answered.unpaired, *(episodes - met)})
    return answered


def _chosen(folder: Path, mode: str | None) -> Iterable[tuple[Place, Any]]:
    """Yield the answers of one mode; a step's file without it is one without an answer."""
    found = {
        place: answers
        for file in sorted(folder.rglob("*.json"))
        for place, answers in _answers(file)
    }
    modes = sorted({name for answers in found.values() for name in answers})
    if mode is None and len(modes) > 1:
        raise UsageError(f"{folder} holds answers of {', '.join(modes)}: choose one with --mode")
    if mode is not None and mode not in modes:
        held = ", ".join(modes) or "none"
        raise UsageError(f"{folder} holds no answer of {mode}; there are: {held}")
    chosen = mode or (modes[0] if modes else "")
    return ((place, answers.get(chosen)) for place, answers in found.items())


def _answers(file: Path) -> Iterable[tuple[Place, dict[str, Any]]]:
    """Yield the answers of a step's file by "MODE/SCREEN"; nothing of other files."""
    named = STEP_FILE.fullmatch(file.name)
    if not named or file.name.startswith("."):
        return
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"cannot read {file}: {error}") from None
    predicted = content.get("action_predict") if isinstance(content, dict) else None
    answers = {
        f"{prompt}/{screen}": answer
        for prompt, screens in (predicted if isinstance(predicted, dict) else {}).items()
        for screen, answer in (screens if isinstance(screens, dict) else {}).items()
    }
    yield (named["episode"].lower(), int(named["step"])), answers
