"""UI-TARS's answers, read by the `ui-tars` package and by ours."""

import re
from random import Random
from typing import Any

from benchmarks.readers.interpreter import Peer
from benchmarks.readers.ui_tars_answers import Answer, Writer
from benchmarks.readers.verdicts import Compared
from eyehand.actions import Action, ActionSpace
from eyehand.actions.codecs.codec import Codec
from eyehand.actions.web import WEB_ACTIONS
from eyehand.prompts.dialects import make_dialect

SIZE = (1288, 728)
"""Width and height of the picture that the places are of."""
KINDS = {"ui-tars": "qwen2vl", "ui-tars-1.5": "qwen25vl"}
"""Dialect to the package's name of the models that it reads."""

Read = tuple[str, dict[str, object], str]
"""The dialect's word, its arguments with places from 0 to 1, the thought."""

_TOKENS = re.compile(r"<\|box_(?:start|end)\|>")
_WORDS = {
    "click": "click", "double_click": "left_double", "right_click": "right_single", "drag": "drag",
    "scroll": "scroll", "press_keys": "hotkey", "type_text": "type", "wait": "wait",
    "answer": "finished", "finish": "finished", "swipe": "scroll",
}  # fmt: skip


def compare(peer: Peer, dialect: str, answers: int, seed: int) -> Compared:
    """Have both read the same answers.

    Args:
        peer: Has the package.
        dialect: "ui-tars" or "ui-tars-1.5".
        answers: How many.
        seed: Fixes them.
    """
    codec, space = make_dialect(dialect).codec, ActionSpace(WEB_ACTIONS)
    width, height = SIZE if codec.unit == "pixels" else (1000, 1000)
    writer = Writer(Random(seed), width, height)
    drawn = [writer.draw() for _ in range(answers)]
    theirs = peer.ask([
        # The package wants the text without box tokens, as a tokenizer decodes it that skips them.
        {"do": "ui_tars", "text": _TOKENS.sub("", answer.text), "kind": KINDS[dialect],
         "width": SIZE[0], "height": SIZE[1]}
        for answer in drawn
    ])  # fmt: skip
    found = Compared(f"{dialect}: {answers} answers, beside the package's parser")
    for answer, their in zip(drawn, theirs, strict=True):
        found.add(answer.kind, answer.text, our_read(codec, space, answer), their_read(their))
    return found


def our_read(codec: Codec, space: ActionSpace, answer: Answer) -> Read | None:
    """Return what our reader makes of an answer; None where it refuses it."""
    parsed = codec.parse(answer.text, space, codec.coordinates(None, *SIZE))
    if parsed.action is None:
        return None
    word, arguments = _said(parsed.action)
    return word, arguments, " ".join(parsed.thought.split())


def their_read(answer: dict[str, Any]) -> Read | None:
    """Return what the package makes of an answer, its first action; None where it refuses it."""
    if "error" in answer or not answer["actions"]:
        return None
    first = answer["actions"][0]
    given = {name: _their_value(name, value) for name, value in first["inputs"].items()}
    thought = " ".join((first["thought"] or "").split())
    return str(first["type"]), {n: v for n, v in given.items() if v is not None}, thought


def _their_value(name: str, value: str) -> object:
    if name in ("start_box", "end_box"):
        left, top, right, bottom = map(float, value.strip("[]").split(","))
        return _rounded((left + right) / 2, (top + bottom) / 2)
    return _keys(value) if name in ("key", "hotkey") else value


def _said(action: Action) -> tuple[str, dict[str, object]]:
    """Return an action in the dialect's word and arguments."""
    values = {name: getattr(action, name) for name in type(action).model_fields}
    word = _WORDS.get(action.name, action.name)
    points = {n: _rounded(p.x, p.y) for n, p in action.points().items()}
    places: dict[str, object] = {
        {"point": "start_box", "start": "start_box", "end": "end_box"}[n]: p
        for n, p in points.items()
    }
    if action.name == "type_text":
        return word, {"content": values["text"] + ("\n" if values.get("press_enter") else "")}
    if action.name == "press_keys":
        if values["keys"] == ["Enter"]:
            return word, {"key": "enter"}
        return word, {"key": _keys(" ".join(values["keys"]))}
    if action.name == "answer":
        return word, {"content": values["text"]}
    if action.name == "finish":
        return ("finished" if values["status"] == "success" else "call_user"), {}
    if action.name == "scroll":
        return word, {**places, "direction": values["direction"]}
    return word, places


def _keys(text: str) -> str:
    """Return keys in one spelling: how they are named is no matter of reading."""
    names = {"control": "ctrl", "escape": "esc"}
    return " ".join(names.get(key, key) for key in text.lower().split())


def _rounded(x: float, y: float) -> tuple[float, float]:
    return round(x, 5), round(y, 5)
