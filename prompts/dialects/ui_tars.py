"""UI-TARS (2B, 7B and 72B, Qwen2-VL): `Thought: ...`, then `Action: click(start_box='(x,y)')`.

Source: bytedance/UI-TARS, README_v1.md, data/training_example.json and its action parser.
"""

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from eyehand.actions import Action, ActionSpace, Coordinates, Point
from eyehand.actions.codecs.marks import without_words
from eyehand.actions.codecs.python_calls import MOST_CALLS, PythonCall, quoted, read_call
from eyehand.actions.codecs.verbs import (
    Arguments,
    Here,
    Verb,
    VerbCall,
    VerbCodec,
    given_fields,
    read_line,
    verb,
    written_line,
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
    action_lines,
    own_call,
)

BOX = "'<|box_start|>(x1,y1)<|box_end|>'"
WAIT_S = 5.0
"""What `wait()` means to the model, in seconds."""

_ACTION = re.compile(r"Action\s{0,9}[:：]")
_THOUGHT = re.compile(r"\A\s*(?:Thought|Reflection)\s{0,9}[:：]\s*")
_SUMMARY = re.compile(r"Action_Summary\s{0,9}[:：]\s*")
_CALL = re.compile(r"(?m)^[^\S\n]*[a-z_]{2,40}[(（]")


def _read_type(given: Arguments, here: Here) -> Arguments | None:
    """A line end after the text submits it."""
    text = given.get("content")
    if not isinstance(text, str) or set(given) - {"content", "start_box"}:
        return {name: value for name, value in given.items() if name != "content"} | {"text": text}
    read = read_line(text, here)
    if "start_box" in given and "point" in here.fields:
        read["point"] = given["start_box"]
    return read


def _write_type(action: Action, here: Here) -> Arguments | None:
    point = given_fields(action).get("point")
    return {"content": written_line(action), **({"start_box": point} if point else {})}


def _read_enter(given: Arguments, here: Here) -> Arguments | None:
    if given.get("content") != "\n":
        return None
    return {"key": "enter"} if "key" in here.fields else {"keys": ["Enter"]}


def _write_enter(action: Action, here: Here) -> Arguments | None:
    fields = given_fields(action)
    return {"content": "\n"} if fields.get("key") == "enter" else None


def _read_keys(given: Arguments, here: Here) -> Arguments | None:
    keys = given.get("key")
    return {"keys": re.split(r"[\s+]+", keys.strip()) if isinstance(keys, str) else keys}


def _write_keys(action: Action, here: Here) -> Arguments | None:
    keys = [key.lower().removeprefix("arrow") for key in given_fields(action)["keys"]]
    return {"key": " ".join({"control": "ctrl"}.get(key, key) for key in keys)}


def _read_wait(given: Arguments, here: Here) -> Arguments | None:
    return {"seconds": WAIT_S, **given}


def _read_swipe(given: Arguments, here: Here) -> Arguments | None:
    if "end_box" not in given:
        return None
    names = {"start_box": "start", "end_box": "end"}
    return {names.get(name, name): value for name, value in given.items() if name != "direction"}


def _write_swipe(action: Action, here: Here) -> Arguments | None:
    given = given_fields(action)
    return {"start_box": given["start"], "end_box": given["end"]}


def _read_scroll(given: Arguments, here: Here) -> Arguments | None:
    if "end_box" in given:
        return None
    return {{"start_box": "point"}.get(name, name): value for name, value in given.items()}


def _write_scroll(action: Action, here: Here) -> Arguments | None:
    given = given_fields(action)
    return {"start_box": given.get("point") or Point(x=0.5, y=0.5), "direction": given["direction"]}


def _read_answer(given: Arguments, here: Here) -> Arguments | None:
    return {"text": given["content"]} if given.get("content") else None


def _read_end(given: Arguments, here: Here) -> Arguments | None:
    message = {"message": given["content"]} if given.get("content") else {}
    rest = {name: value for name, value in given.items() if name != "content"}
    return {"status": "success", **message, **rest}


def _ends_with(status: str) -> Any:
    def write(action: Action, here: Here) -> Arguments | None:
        return {} if given_fields(action)["status"] == status else None

    return write


VERBS: tuple[Verb, ...] = (
    verb("click", "click", {"start_box": "point"}, shown=f"click(start_box={BOX})"),
    verb("click", "tap", {"start_box": "point"}, shown=f"click(start_box={BOX})"),
    verb("left_double", "double_click", {"start_box": "point"},
         shown=f"left_double(start_box={BOX})"),
    verb("left_double", "double_tap", {"start_box": "point"},
         shown=f"left_double(start_box={BOX})"),
    verb("right_single", "right_click", {"start_box": "point"},
         shown=f"right_single(start_box={BOX})"),
    verb("long_press", "long_press", {"start_box": "point"}, ignored=("time",),
         shown=f"long_press(start_box={BOX}, time='')"),
    verb("drag", "drag", {"start_box": "start", "end_box": "end"},
         shown=f"drag(start_box={BOX}, end_box={BOX})"),
    Verb("scroll", "swipe", _read_swipe, _write_swipe, f"scroll(start_box={BOX}, end_box={BOX})"),
    Verb("scroll", "scroll", _read_scroll, _write_scroll,
         f"scroll(start_box={BOX}, direction='down or up or right or left')"),
    Verb("type", "press_keys", _read_enter, None),
    Verb("type", "press", _read_enter, _write_enter),
    Verb("type", "type_text", _read_type, _write_type, "type(content='')"),
    Verb("hotkey", "press_keys", _read_keys, _write_keys, "hotkey(key='')"),
    verb("press_home", "press", means={"key": "home"}, shown="press_home()"),
    verb("press_back", "press", means={"key": "back"}, shown="press_back()"),
    verb("open_app", "open_app", {"app_name": "app"}, shown="open_app(app_name='')"),
    Verb("wait", "wait", _read_wait, lambda action, here: {}, "wait()"),
    Verb("finished", "answer", _read_answer,
         lambda action, here: {"content": given_fields(action)["text"]}, "finished(content='')"),
    Verb("finished", "finish", _read_end, _ends_with("success"), "finished()"),
    verb("call_user", "finish", means={"status": "failure"}, shown="call_user()"),
)  # fmt: skip


class UiTarsCodec(VerbCodec):
    """Calls like Python's behind `Action:`, places between box marks."""

    name: ClassVar[str] = "ui-tars"
    verbs: ClassVar[tuple[Verb, ...]] = VERBS
    expected: ClassVar[str] = f"Thought: ... then on a new line Action: click(start_box={BOX})"

    def read_calls(self, text: str) -> tuple[str, list[VerbCall]]:
        """Read what stands behind `Action:`; without it, the first line that is a call."""
        marks = list(_ACTION.finditer(text))
        if marks:
            thought, rest = text[: marks[-1].start()], text[marks[-1].end() :]
        else:
            line = _CALL.search(text)
            if line is None:
                raise Unparsable("the answer holds no Action")
            thought, rest = text[: line.start()], text[line.start() :]
        calls: list[VerbCall] = []
        at = 0
        while at < len(rest) and len(calls) < MOST_CALLS:
            try:
                found = read_call(rest, at)
            except Unparsable:
                if not calls:
                    raise
                break
            calls.append(self._call(found, rest[at : found.end]))
            at = found.end
        if not calls:
            raise Unparsable("there is nothing behind Action:")
        plain = _SUMMARY.sub("", _THOUGHT.sub("", thought))
        return plain.strip(), calls

    def _call(self, found: PythonCall, text: str) -> VerbCall:
        if found.positional:
            raise Unparsable(f"an argument of {found.name[:40]} has no name")
        known = any(known.word == found.name for known in self.verbs)
        arguments = {_box_name(name) if known else name: v for name, v in found.named.items()}
        return VerbCall(found.name, arguments, text.strip())

    def write_call(self, word: str, arguments: Arguments, coordinates: Coordinates) -> str:
        """Write `word(name='value')`."""
        shown = (f"{name}={self._value(value, coordinates)}" for name, value in arguments.items())
        return f"{word}({', '.join(shown)})"

    def with_thought(self, call: str, thought: str) -> str:
        """Write the thought on the line before."""
        reasoning = clean_thought(_ACTION.sub("", thought))
        before = f"Thought: {' '.join(reasoning.split())}\n" if reasoning else ""
        return f"{before}Action: {call}"

    def without_marks(self, text: str) -> str:
        """Replace the colon behind the dialect's words."""
        return without_words(text, ("Action", "Thought", "Reflection", "Action_Summary"))

    def _value(self, value: Any, coordinates: Coordinates) -> str:
        if isinstance(value, Point):
            x, y = coordinates.write(value)
            return f"'<|box_start|>({x},{y})<|box_end|>'"
        return quoted(value) if isinstance(value, str) else repr(value)


def _box_name(name: str) -> str:
    """Return an argument's name as the first models write it: later ones have `point`."""
    return {"point": "start_box", "start_point": "start_box", "end_point": "end_box"}.get(
        name, name
    )


class UiTars(Dialect):
    """The task in words first, then every picture in a turn of its own."""

    name: ClassVar[str] = "ui-tars"
    about: ClassVar[str] = "UI-TARS 2B, 7B and 72B, SFT and DPO (Qwen2-VL)"
    window: ClassVar[int | None] = 5
    bounds: ClassVar[PictureBounds] = PictureBounds(28, 100 * 28 * 28, 2700 * 28 * 28)
    max_tokens: ClassVar[int] = 1000
    task_in_rules: ClassVar[bool] = True
    answer_marks: ClassVar[tuple[str, ...]] = ("<|box_start|>", "<|box_end|>")

    codec: UiTarsCodec

    def __init__(self) -> None:
        self.codec = UiTarsCodec()

    def messages(self, task: str, space: ActionSpace, turns: Sequence[Turn]) -> list[Message]:
        """Older pictures leave with their whole turn, so that answers follow each other."""
        shown = self.pictures(turns)
        chat = [
            Message("system", ("You are a helpful assistant.",)),
            Message("user", (self.rules(task, space, turns[-1].size_px),)),
        ]
        for step, turn in enumerate(turns):
            if step in shown:
                said = self.codec.neutral(turn.said)
                chat.append(Message("user", (Picture(step), *([said] if said else []))))
            if turn.answer is not None:
                chat.append(Message("assistant", (turn.answer,)))
        return chat

    def own_rules(self, task: str, space: ActionSpace, size_px: tuple[int, int]) -> str:
        """Show the calls, and end with the task."""
        codec = self.codec
        listed = [(w.shown, w.action) for w in codec.words(space) if w.shown]
        listed += [(own_call(t, BOX), t.name) for t in codec.others(space)]
        return (
            "You are a GUI agent. You get a task, the steps so far and screenshots. Do the next "
            "step of the task.\n\n## Output Format\n```\nThought: ...\nAction: ...\n```\n\n"
            f"## Action Space\n{action_lines(space, listed)}\n\n## Note\n"
            "- Use English in `Thought`.\n"
            "- Write a small plan and sum up the next step with its target in one sentence in "
            f"`Thought`.\n\n## User Instruction\n{task}"
        )


class UiTars15Codec(UiTarsCodec):
    """The same calls; places are pixels of the resized picture."""

    name: ClassVar[str] = "ui-tars-1.5"
    unit: ClassVar[Unit] = "pixels"


DIALECT = UiTars
