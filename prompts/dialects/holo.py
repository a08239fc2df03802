"""Holo1.5 (Qwen2.5-VL): one JSON object with a note, a thought and an action.

Source: hcompai/hai-cookbook, utils/navigation.py.
"""

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from eyehand.actions import Action, ActionSpace, Coordinates, Point
from eyehand.actions.codecs.arguments import read_arguments
from eyehand.actions.codecs.marks import without_quoted_names
from eyehand.actions.codecs.verbs import (
    Arguments,
    Here,
    Verb,
    VerbCall,
    VerbCodec,
    given_fields,
    verb,
)
from eyehand.actions.codecs.writing import clean_thought
from eyehand.actions.coordinates import Unit
from eyehand.errors import Unparsable
from eyehand.prompts.dialects.dialect import (
    Dialect,
    Message,
    Picture,
    PictureBounds,
    Turn,
    told_steps,
)
from eyehand.prompts.parameters import parameters


def _read_at(given: Arguments, here: Here) -> Arguments | None:
    return {"point": [given.get("x"), given.get("y")]}


def _write_at(action: Action, here: Here) -> Arguments | None:
    return {"element": "the target", "": given_fields(action)["point"]}


def _read_write(given: Arguments, here: Here) -> Arguments | None:
    read: dict[str, Any] = {"text": given.get("content")}
    if "press_enter" in here.fields:
        read["press_enter"] = True
    if "point" in here.fields and "x" in given:
        read |= {"point": [given["x"], given.get("y")]}
    return read


def _write_write(action: Action, here: Here) -> Arguments | None:
    given = given_fields(action)
    if "press_enter" in here.fields and not given.get("press_enter"):
        return None
    return {"content": given["text"], "element": "the field", "": given.get("point")}


def _read_scroll(given: Arguments, here: Here) -> Arguments | None:
    return {"direction": given.get("direction")}


def _read_answer(given: Arguments, here: Here) -> Arguments | None:
    return {"text": given["content"]} if given.get("content") else None


VERBS: tuple[Verb, ...] = (
    Verb("click_element", "click", _read_at, _write_at,
         '{"action": "click_element", "element": "what it is", "x": 1, "y": 1}'),
    Verb("click_element", "tap", _read_at, _write_at,
         '{"action": "click_element", "element": "what it is", "x": 1, "y": 1}'),
    Verb("write_element_abs", "type_text", _read_write, _write_write,
         '{"action": "write_element_abs", "content": "the text, Enter follows", '
         '"element": "what it is", "x": 1, "y": 1}'),
    Verb("scroll", "scroll", _read_scroll,
         lambda action, here: {"direction": given_fields(action)["direction"]},
         '{"action": "scroll", "direction": "down, up, left or right"}'),
    verb("go_back", "back", shown='{"action": "go_back"}'),
    verb("refresh", "reload", shown='{"action": "refresh"}'),
    verb("goto", "go_to", {}, shown='{"action": "goto", "url": "the address"}'),
    verb("wait", "wait", {}, shown='{"action": "wait", "seconds": 2}'),
    Verb("answer", "answer", _read_answer,
         lambda action, here: {"content": given_fields(action)["text"]},
         '{"action": "answer", "content": "the answer"}'),
    Verb("answer", "finish", lambda given, here: {"status": "success"},
         lambda action, here: {"content": given_fields(action).get("message", "")}
         if given_fields(action)["status"] == "success" else None),
)  # fmt: skip


class HoloCodec(VerbCodec):
    """One object; places are pixels of the resized picture, as x and y."""

    name: ClassVar[str] = "holo"
    unit: ClassVar[Unit] = "pixels"
    verbs: ClassVar[tuple[Verb, ...]] = VERBS
    expected: ClassVar[str] = (
        '{"note": "", "thought": "...", "action": {"action": "click_element", "element": "...", '
        '"x": 1, "y": 1}}'
    )

    def read_calls(self, text: str) -> tuple[str, list[VerbCall]]:
        """Read the object; what stands around it is not read."""
        start = text.find("{")
        if start < 0:
            raise Unparsable("the answer holds no object")
        value = read_arguments(text[start:]).value
        action = value.get("action") if isinstance(value, dict) else None
        if isinstance(action, str):  # the action alone, without note and thought
            value, action = {"action": value}, value
        if not isinstance(action, dict) or not isinstance(action.get("action"), str):
            raise Unparsable("the object names no action")
        given = {name: v for name, v in action.items() if name != "action"}
        thought = value.get("thought")
        return thought if isinstance(thought, str) else "", [
            VerbCall(action["action"], given, text)
        ]

    def write_call(self, word: str, arguments: Arguments, coordinates: Coordinates) -> str:
        """Write the action's object alone."""
        said: dict[str, Any] = {"action": word}
        for name, value in arguments.items():
            if isinstance(value, Point) and not name:
                said["x"], said["y"] = coordinates.write(value)
            elif isinstance(value, Point):
                said[name] = coordinates.write(value)
            elif name:
                said[name] = value
        return json.dumps(said, ensure_ascii=False)

    def with_thought(self, call: str, thought: str) -> str:
        """Write the whole object."""
        reasoning = json.dumps(clean_thought(thought), ensure_ascii=False)
        return f'{{"note": "", "thought": {reasoning}, "action": {call}}}'

    def without_marks(self, text: str) -> str:
        """Replace the colon behind the object's names."""
        return without_quoted_names(text, ("note", "thought", "action"))


class Holo(Dialect):
    """The task, the step and the newest screen; what was done before is told."""

    name: ClassVar[str] = "holo"
    about: ClassVar[str] = "Holo1 and Holo1.5 (Qwen2.5-VL)"
    bounds: ClassVar[PictureBounds] = PictureBounds(28, 56 * 56, 1280 * 28 * 28)

    codec: HoloCodec

    def __init__(self) -> None:
        self.codec = HoloCodec()

    def messages(self, task: str, space: ActionSpace, turns: Sequence[Turn]) -> list[Message]:
        """Write the rules into the system prompt, and tags around what the user says."""
        neutral, step = self.codec.neutral, len(turns) - 1
        told = "\n".join(f"{n}. {neutral(text)}" for n, text in enumerate(told_steps(turns), 1))
        before = f"Done so far:\n{told}\n" if told else ""
        said = neutral(turns[-1].said)
        return [
            Message("system", (self.rules(task, space, turns[-1].size_px),)),
            Message("user", (
                f"<task>\n{neutral(task)}\n</task>\n{before}<observation step={step}>\n"
                + (f"{said}\n" if said else "") + "<screenshot>\n",
                Picture(step),
                "\n</screenshot>\n</observation>",
            )),
        ]  # fmt: skip

    def own_rules(self, task: str, space: ActionSpace, size_px: tuple[int, int]) -> str:
        """Show the calls."""
        shown = [word.shown for word in self.codec.words(space) if word.shown]
        shown += [_own_object(other, self.codec.unit) for other in self.codec.others(space)]
        listed = "\n".join(f"- {line}" for line in dict.fromkeys(shown))
        return (
            "You work in a browser or an app, one step at a time. Answer with one JSON object: "
            '{"note": what to remember of the screen, "thought": what to do next and why, '
            f'"action": one of the actions}}.\nActions:\n{listed}\n'
            "x and y are pixels of the picture."
        )


def _own_object(action_type: type[Action], unit: Unit) -> str:
    given = {item.name: item.description for item in parameters(action_type, unit=unit)}
    return json.dumps({"action": action_type.name, **given}, ensure_ascii=False)


DIALECT = Holo
