"""What the function-calling dialects share: one tool with many actions, JSON between tags.

Source: QwenLM/Qwen3-VL, cookbooks/utils/agent_function_call.py and cookbooks/mobile_agent.ipynb.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from eyehand.actions import Action, ActionSpace, Coordinates, Point
from eyehand.actions.codecs.arguments import read_arguments
from eyehand.actions.codecs.marks import without_tags
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
from eyehand.actions.codecs.writing import as_json, clean_thought
from eyehand.actions.coordinates import Unit
from eyehand.errors import InvalidArgument, Unparsable
from eyehand.prompts.dialects.dialect import (
    Dialect,
    Message,
    Picture,
    Turn,
    is_point,
    told_steps,
)
from eyehand.prompts.dialects.scrolling import read_scroll, scroll_as_swipe, write_scroll
from eyehand.prompts.parameters import parameters

COMPUTER, PHONE = "computer_use", "mobile_use"
_OPEN = re.compile(r"<tool_call>")
_END = re.compile(r"</?tool_call>|</?tool_response>|<\|im_end\|>")
_FUNCTION = re.compile(r"<function=([\w.-]{1,100})>")
_PARAMETER = re.compile(
    r"<parameter=([\w.-]{1,100})>((?:(?!<parameter=).)*?)</parameter>", re.DOTALL
)
_LABEL = re.compile(r"\A\s*(?:Thought|Action)\s{0,9}[:：]\s*|\n[^\S\n]*Action\s{0,9}[:：][^\n]*")


def _read_text(given: Arguments, here: Here) -> Arguments | None:
    return given | read_line(given["text"], here) if "text" in given else given


def _write_text(action: Action, here: Here) -> Arguments | None:
    return None if "point" in given_fields(action) else {"text": written_line(action)}


def _read_keys(given: Arguments, here: Here) -> Arguments | None:
    keys = given.get("keys", given.get("text"))
    if isinstance(keys, str):
        keys = [part for part in re.split(r"[+\s]+", keys) if part]
    return {"keys": keys}


def _write_keys(action: Action, here: Here) -> Arguments | None:
    known = {"Control": "ctrl", "Escape": "esc"}
    return {"keys": [known.get(key, key.lower()) for key in given_fields(action)["keys"]]}


def _read_drag(given: Arguments, here: Here) -> Arguments | None:
    if here.coordinates.pointer is None:
        raise InvalidArgument(
            "left_click_drag begins where the mouse is: move it there first, with mouse_move"
        )
    return {"start": here.coordinates.pointer, "end": given.get("coordinate")}


def _write_drag(action: Action, here: Here) -> Arguments | None:
    given, pointer = given_fields(action), here.coordinates.pointer
    if pointer is None or here.coordinates.write(pointer) != here.coordinates.write(given["start"]):
        return None
    return {"coordinate": given["end"]}


def _button(name: str) -> tuple[Any, Any]:
    def read(given: Arguments, here: Here) -> Arguments | None:
        return {"key": name} if str(given.get("button", "")).lower() == name else None

    def write(action: Action, here: Here) -> Arguments | None:
        return {"button": name.capitalize()} if given_fields(action)["key"] == name else None

    return read, write


def _read_wait(given: Arguments, here: Here) -> Arguments | None:
    return {"seconds": given.get("time", 2.0)}


def _read_status(given: Arguments, here: Here) -> Arguments | None:
    return {"status": given.get("status", "success")}


def _write_status(action: Action, here: Here) -> Arguments | None:
    return {"status": given_fields(action)["status"]}


_AT = {"coordinate": "point"}
COMMON: tuple[Verb, ...] = (
    Verb("type", "type_text", _read_text, _write_text, "text"),
    Verb("wait", "wait", _read_wait, lambda a, here: {"time": given_fields(a)["seconds"]}, "time"),
    verb("answer", "answer", {}, shown="text"),
    Verb("terminate", "finish", _read_status, _write_status, "status"),
)
COMPUTER_VERBS: tuple[Verb, ...] = (
    Verb("key", "press_keys", _read_keys, _write_keys, "keys"),
    verb("mouse_move", "hover", _AT, shown="coordinate"),
    verb("left_click", "click", _AT, shown="coordinate"),
    Verb("left_click_drag", "drag", _read_drag, _write_drag, "coordinate"),
    verb("right_click", "right_click", _AT, shown="coordinate"),
    verb("double_click", "double_click", _AT, shown="coordinate"),
    Verb("scroll", "scroll", read_scroll("down", "up"), write_scroll("down", "up"), "pixels"),
    Verb("hscroll", "scroll", read_scroll("left", "right"), write_scroll("left", "right"),
         "pixels"),
)  # fmt: skip
PHONE_VERBS: tuple[Verb, ...] = (
    verb("click", "tap", _AT, shown="coordinate"),
    verb("tap", "tap", _AT),
    verb("long_press", "long_press", _AT, shown="coordinate", ignored=("time",)),
    verb("swipe", "swipe", {"coordinate": "start", "coordinate2": "end"}, shown="coordinate2"),
    *(Verb("system_button", "press", *_button(name), "button")
      for name in ("back", "home", "menu", "enter")),
    verb("open", "open_app", {"text": "app"}, shown="text"),
    Verb("swipe", "scroll", None, lambda a, here: scroll_as_swipe(a)),
)  # fmt: skip
MEANINGS = {
    "key": "press the keys of a combination together",
    "type": "type a text with the keyboard",
    "mouse_move": "move the pointer to a coordinate",
    "left_click": "click the left button at a coordinate",
    "left_click_drag": "drag from where the pointer is to a coordinate",
    "right_click": "click the right button at a coordinate",
    "double_click": "click the left button twice at a coordinate",
    "scroll": "turn the wheel by pixels; positive is up",
    "hscroll": "scroll sideways by pixels; positive is right",
    "click": "tap a coordinate",
    "long_press": "hold a coordinate for a time in seconds",
    "swipe": "swipe from coordinate to coordinate2",
    "system_button": "press Back, Home, Menu or Enter",
    "open": "open the app that text names",
    "wait": "wait for a time in seconds",
    "answer": "answer the question with a text",
    "terminate": "end the task with its status, success or failure",
}
_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "keys": {"type": "array", "items": {"type": "string"}},
    "text": {"type": "string"},
    "coordinate": {"type": "array", "description": "[x, y]"},
    "coordinate2": {"type": "array", "description": "[x, y]"},
    "pixels": {"type": "number"},
    "time": {"type": "number"},
    "button": {"type": "string", "enum": ["Back", "Home", "Menu", "Enter"]},
    "status": {"type": "string", "enum": ["success", "failure"]},
}


class FunctionCallCodec(VerbCodec):
    """`<tool_call>{"name": ..., "arguments": {"action": ...}}</tool_call>`."""

    verbs: ClassVar[tuple[Verb, ...]] = (*COMPUTER_VERBS, *PHONE_VERBS, *COMMON)
    expected: ClassVar[str] = (
        '<tool_call>\n{"name": "computer_use", "arguments": {"action": "left_click", '
        '"coordinate": [x, y]}}\n</tool_call>'
    )
    stop_words = ("<tool_response>",)

    def read_calls(self, text: str) -> tuple[str, list[VerbCall]]:
        """Read what stands between the tags, JSON or XML."""
        starts = list(_OPEN.finditer(text))
        if not starts:
            raise Unparsable("the answer holds no tool call")
        ends = [*(match.start() for match in starts[1:]), len(text)]
        bodies = [_body(text[s.end() : end]) for s, end in zip(starts, ends, strict=True)]
        calls = [self._call(bodies[0]), *(VerbCall("", {}, body) for body in bodies[1:])]
        return self.thought(text[: starts[0].start()]), calls

    def thought(self, text: str) -> str:
        """Return what stood before the call, without its labels."""
        return _LABEL.sub("", text).strip()

    def _call(self, body: str) -> VerbCall:
        arguments: Any
        function = _FUNCTION.search(body)
        if function:
            name = function[1]
            arguments = {n: _plain(given.strip()) for n, given in _PARAMETER.findall(body)}
        else:
            value = read_arguments(body).value
            if not isinstance(value, dict) or not isinstance(value.get("name"), str):
                raise Unparsable("the call is no object with a name")
            name = value["name"]
            arguments = value.get("arguments", value.get("parameters", {}))
            if isinstance(arguments, str):
                arguments = read_arguments(arguments).value
        if not isinstance(arguments, dict):
            raise Unparsable("the arguments are no object with names")
        if name in (COMPUTER, PHONE):
            word = arguments.pop("action", None)
            if not isinstance(word, str):
                raise Unparsable("the arguments name no action")
            return VerbCall(word, arguments, body)
        return VerbCall(name, arguments, body)

    def write_call(self, word: str, arguments: Arguments, coordinates: Coordinates) -> str:
        """Write the JSON between the tags."""
        values = {
            n: coordinates.write(v) if isinstance(v, Point) else v for n, v in arguments.items()
        }
        if word not in {known.word for known in self.verbs}:
            call: dict[str, Any] = {"name": word, "arguments": values}
        else:
            tool = PHONE if word in {known.word for known in PHONE_VERBS} else COMPUTER
            call = {"name": tool, "arguments": {"action": word, **values}}
        return f"<tool_call>\n{as_json(call)}\n</tool_call>"

    def with_thought(self, call: str, thought: str) -> str:
        """Write the thought before the tags."""
        reasoning = clean_thought(thought)
        return f"{reasoning}\n{call}" if reasoning else call

    def without_marks(self, text: str) -> str:
        """Replace the opening bracket of tags."""
        return without_tags(text)


class FunctionCallDialect(Dialect):
    """The tools in the system prompt; the task, what was done and the picture from the user."""

    thinks: ClassVar[str] = ""
    """What the model is asked to write before its call."""
    meanings: ClassVar[Mapping[str, str]] = MEANINGS
    """What the prompt says of each word."""

    codec: FunctionCallCodec

    def messages(self, task: str, space: ActionSpace, turns: Sequence[Turn]) -> list[Message]:
        """Tell past steps as text; only the newest screen is shown."""
        neutral, last = self.codec.neutral, len(turns) - 1
        steps = enumerate(told_steps(turns), 1)
        told = "".join(f"Step {n}: {neutral(step)}; " for n, step in steps)
        said = neutral(turns[-1].said)
        text = f"The user query: {neutral(task)}\nTask progress (what was done so far): {told}"
        return [
            Message("system", (self.rules(task, space, turns[-1].size_px),)),
            Message("user", (text + (f"\n{said}" if said else ""), Picture(last))),
        ]

    def declared_size(self, size_px: tuple[int, int]) -> tuple[int, int]:
        """Return the screen's size as the tool declares it."""
        return (1000, 1000) if self.codec.unit == "thousandths" else size_px

    def own_rules(self, task: str, space: ActionSpace, size_px: tuple[int, int]) -> str:
        """Return the system prompt: the tool with its actions, and a function for every other."""
        lines = [json.dumps(tool, ensure_ascii=False) for tool in self.tools(space, size_px)]
        return (
            "You are a helpful assistant.\n\n# Tools\n\nYou may call functions to do the task.\n\n"
            "Their signatures stand within <tools></tools> tags:\n<tools>\n"
            + "\n".join(lines)
            + "\n</tools>\n\nFor each call write a JSON object with the function's name and its "
            "arguments within <tool_call></tool_call> tags:\n<tool_call>\n"
            '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
            + (f"\n\n{self.thinks}" if self.thinks else "")
        )

    def tools(self, space: ActionSpace, size_px: tuple[int, int]) -> list[dict[str, Any]]:
        """Return the tools as JSON schemas."""
        words = [word for word in self.codec.words(space) if word.shown]
        tools = [self._main_tool(words, space, size_px)] if words else []
        return [*tools, *(own_tool(other, self.codec.unit) for other in self.codec.others(space))]

    def _main_tool(
        self, words: Sequence[Verb], space: ActionSpace, size_px: tuple[int, int]
    ) -> dict[str, Any]:
        width, height = self.declared_size(size_px)
        meanings = {word.word: self.meanings.get(word.word, word.word) for word in words}
        listed = "\n".join(f"* `{name}`: {meaning}" for name, meaning in meanings.items())
        where = "touchscreen" if "tap" in space.names else "mouse and keyboard"
        needed = dict.fromkeys(word.shown for word in words if word.shown != word.word)
        if "coordinate2" in needed:
            needed = {"coordinate": None, **needed}
        properties = {
            "action": {"type": "string", "enum": list(meanings), "description": listed},
            **{name: dict(_SCHEMAS.get(name, {"type": "string"})) for name in needed},
        }
        return _function(
            PHONE if "tap" in space.names else COMPUTER,
            f"Use a screen by {where}, looking at screenshots. The screen's resolution is "
            f"{width}x{height}.",
            properties, ["action"],
        )  # fmt: skip


def own_tool(action_type: type[Action], unit: Unit = "thousandths") -> dict[str, Any]:
    """Return an action as a function of its own name, in JSON schema.

    Args:
        action_type: The action.
        unit: How the codec writes places.
    """
    found = parameters(action_type, unit=unit)
    properties = {
        item.name: {
            "description": item.description,
            **({} if is_point(item.schema) else item.schema),
        }
        for item in found
    }
    needed = [item.name for item in found if item.required]
    return _function(action_type.name, action_type.description(), properties, needed)


def _function(
    name: str, description: str, properties: Mapping[str, Any], required: Sequence[str]
) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    function = {"name": name, "description": description, "parameters": schema}
    return {"type": "function", "function": function}


def _body(call: str) -> str:
    end = _END.search(call)
    return (call[: end.start()] if end else call).strip()


def _plain(value: str) -> Any:
    """Read a parameter of the XML form: JSON where it is JSON, else the text itself."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
