"""ShowUI-2B (Qwen2-VL): Python dictionaries with an action, a value and a position from 0 to 1.

Source: showlab/ShowUI, QUICK_START.md and data/template/shared_navigation.py.
"""

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from eyehand.actions import Action, ActionSpace, Coordinates, Point
from eyehand.actions.codecs.arguments import read_arguments
from eyehand.actions.codecs.marks import without_quoted_names
from eyehand.actions.codecs.python_calls import MOST_CALLS
from eyehand.actions.codecs.verbs import (
    Arguments,
    Here,
    Verb,
    VerbCall,
    VerbCodec,
    given_fields,
    verb,
)
from eyehand.actions.coordinates import Unit
from eyehand.errors import Unparsable
from eyehand.prompts.dialects.dialect import Dialect, Message, Picture, PictureBounds, Turn

_START = re.compile(r"\{\s*['\"]action['\"]")
MOST_EARLIER = 8
"""So many past actions are told."""


def _read_scroll(given: Arguments, here: Here) -> Arguments | None:
    value = str(given.get("value") or "").strip().lower()
    return {"direction": value} | ({"point": p} if (p := given.get("position")) else {})


def _write_scroll(action: Action, here: Here) -> Arguments | None:
    given = given_fields(action)
    return {"value": given["direction"], "position": given.get("point")}


def _read_input(given: Arguments, here: Here) -> Arguments | None:
    place = given.get("position")
    return {"text": given.get("value")} | (
        {"point": place} if place and "point" in here.fields else {}
    )


def _write_input(action: Action, here: Here) -> Arguments | None:
    given = given_fields(action)
    if set(given) - {"text", "point"}:
        return None
    return {"value": given["text"], "position": given.get("point")}


def _read_two(given: Arguments, here: Here) -> Arguments | None:
    places = given.get("position")
    if not isinstance(places, list) or len(places) != 2 or not isinstance(places[0], list | tuple):
        raise Unparsable("position holds two points here: [[x1, y1], [x2, y2]]")
    return {"start": places[0], "end": places[1]}


def _write_two(action: Action, here: Here) -> Arguments | None:
    return {"position": [*given_fields(action).values()]}


def _key(name: str) -> tuple[Any, Any]:
    def read(given: Arguments, here: Here) -> Arguments | None:
        return {"key": name.lower()} if "key" in here.fields else {"keys": [name]}

    def write(action: Action, here: Here) -> Arguments | None:
        given = given_fields(action)
        return {} if given.get("key") == name.lower() or given.get("keys") == [name] else None

    return read, write


def _read_end(given: Arguments, here: Here) -> Arguments | None:
    return {"status": "success"}


def _write_end(action: Action, here: Here) -> Arguments | None:
    good = given_fields(action)["status"] == "success"
    return {"value": "task complete"} if good else None


def _read_answer(given: Arguments, here: Here) -> Arguments | None:
    said = given.get("value")
    return {"text": said} if said and str(said).lower() != "task complete" else None


VERBS: tuple[Verb, ...] = (
    verb("CLICK", "click", {"position": "point"}, shown="click something; value is None"),
    verb("TAP", "tap", {"position": "point"}, shown="tap something; value is None"),
    verb("CLICK", "tap", {"position": "point"}),
    Verb("INPUT", "type_text", _read_input, _write_input, "type a text; value is the text"),
    verb("SELECT", "select_option", {"position": "point", "value": "option"},
         shown="choose an option; value is the option"),
    verb("HOVER", "hover", {"position": "point"}, shown="move the mouse there; value is None"),
    Verb("ANSWER", "answer", _read_answer,
         lambda action, here: {"value": given_fields(action)["text"]},
         "answer the question; value is the answer"),
    Verb("ANSWER", "finish", _read_end, _write_end,
         "the task is complete; value is 'task complete'"),
    Verb("ENTER", "press_keys", *_key("Enter"), "press Enter; value and position are None"),
    Verb("ENTER", "press", *_key("Enter"), "press Enter; value and position are None"),
    Verb("SCROLL", "scroll", _read_scroll, _write_scroll,
         "scroll; value is up, down, left or right"),
    Verb("SELECT_TEXT", "drag", _read_two, _write_two,
         "select a text; position is [[x1, y1], [x2, y2]], its start and end"),
    Verb("COPY", "press_keys", lambda given, here: {"keys": ["Control", "c"]},
         lambda action, here: {} if given_fields(action)["keys"] == ["Control", "c"] else None,
         "copy what is selected; value and position are None"),
    Verb("SWIPE", "swipe", _read_two, _write_two,
         "swipe; position is [[x1, y1], [x2, y2]], its start and end"),
)  # fmt: skip


class ShowUiCodec(VerbCodec):
    """Python dictionaries, several apart by commas; no thought."""

    name: ClassVar[str] = "showui"
    unit: ClassVar[Unit] = "fraction"
    verbs: ClassVar[tuple[Verb, ...]] = VERBS
    says_own_names: ClassVar[bool] = False
    expected: ClassVar[str] = "{'action': 'CLICK', 'value': None, 'position': [x, y]}"

    def coordinates(
        self, screen: str | None = None, width_px: int = 0, height_px: int = 0,
        pointer: Point | None = None,
    ) -> Coordinates:  # fmt: skip
        """Places have two decimals, as the model was trained."""
        return Coordinates("fraction", width_px, height_px, screen, digits=2, pointer=pointer)

    def read_calls(self, text: str) -> tuple[str, list[VerbCall]]:
        """Read the dictionaries one after the other."""
        starts = [match.start() for match in _START.finditer(text)][:MOST_CALLS]
        if not starts:
            raise Unparsable("the answer holds no action")
        calls: list[VerbCall] = []
        for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
            try:
                value = read_arguments(text[start:end]).value
            except Unparsable:
                if not calls:
                    raise
                break
            if not isinstance(value, dict) or not isinstance(value.get("action"), str):
                raise Unparsable("the action is no word")
            given = {k: v for k, v in value.items() if k != "action" and v is not None}
            calls.append(VerbCall(value["action"].strip().upper(), given, text[start:end]))
        return text[: starts[0]].strip(" [\n"), calls

    def write_call(self, word: str, arguments: Arguments, coordinates: Coordinates) -> str:
        """Write the dictionary as Python does."""
        position = arguments.get("position")
        if isinstance(position, list):
            position = [coordinates.write(point) for point in position]
        elif isinstance(position, Point):
            position = coordinates.write(position)
        return repr({"action": word, "value": arguments.get("value"), "position": position})

    def with_thought(self, call: str, thought: str) -> str:
        """Leave the thought out: the model writes none."""
        return call

    def without_marks(self, text: str) -> str:
        """Replace the quotation marks of the dictionary's names."""
        return without_quoted_names(text, ("action", "value", "position"))


class ShowUi(Dialect):
    """One turn: the rules, the task, past actions as text, the picture last."""

    name: ClassVar[str] = "showui"
    about: ClassVar[str] = "ShowUI-2B (Qwen2-VL)"
    bounds: ClassVar[PictureBounds] = PictureBounds(28, 256 * 28 * 28, 1344 * 28 * 28)
    max_tokens: ClassVar[int] = 128

    codec: ShowUiCodec

    def __init__(self) -> None:
        self.codec = ShowUiCodec()

    def messages(self, task: str, space: ActionSpace, turns: Sequence[Turn]) -> list[Message]:
        """Tell past actions as the model wrote them."""
        neutral, where = self.codec.neutral, self.codec.coordinates()
        acted = [turn.action for turn in turns[:-1] if turn.action is not None]
        past = [self.codec.write(a) for a in acted if self.codec.words_for(a, where)]
        past = past[-MOST_EARLIER:]
        said = neutral(turns[-1].said)
        parts = [f"{self.rules(task, space, turns[-1].size_px)}\nTask: {neutral(task)}\n"]
        if past:
            parts.append(f"Past actions: {', '.join(past)}\n")
        if said:
            parts.append(f"{said}\n")
        return [Message("user", ("".join(parts), Picture(len(turns) - 1)))]

    def own_rules(self, task: str, space: ActionSpace, size_px: tuple[int, int]) -> str:
        """Say what each word means, and how a call is written."""
        words = [f"{w.word}: {w.shown}" for w in self.codec.words(space) if w.shown]
        listed = "\n".join(f"{number}. {rule}" for number, rule in enumerate(words, 1))
        return (
            "You are an assistant that navigates user interfaces. You get a task, the actions so "
            "far and a screenshot, and write the next action.\nThe actions are:\n"
            f"{listed}\n\nWrite an action as a dictionary:\n"
            "{'action': 'NAME', 'value': 'text', 'position': [x, y]}\n"
            "What does not apply is None. Positions are relative, from 0 to 1."
        )


DIALECT = ShowUi
