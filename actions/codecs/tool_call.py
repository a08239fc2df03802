"""JSON between tags, the dialect of the later Qwen models (Qwen-Agent's "nous" template).

One call and its result::

    <tool_call>
    {"name": "click", "arguments": {"point": [348, 291]}}
    </tool_call>
    <tool_response>(the new screen, in a user turn)</tool_response>
"""

import re
from collections.abc import Mapping
from typing import ClassVar

from eyehand.actions.action import Action
from eyehand.actions.codecs.arguments import ReadValue, read_arguments
from eyehand.actions.codecs.codec import Codec, Parsed
from eyehand.actions.codecs.grammar import CallGrammar, call_rules
from eyehand.actions.codecs.marks import without_tags
from eyehand.actions.codecs.reading import build_call, encodable, shorten
from eyehand.actions.codecs.writing import as_json, clean_thought, written_arguments
from eyehand.actions.coordinates import Coordinates
from eyehand.actions.nearest import nearest_in_text, what_is_permitted
from eyehand.actions.space import ActionSpace
from eyehand.errors import ModelFeedback, Unparsable

_OPEN = re.compile(r"<tool_call>")
_END = re.compile(r"</?tool_call>|</?tool_response>|<\|im_end\|>")
_NEVER = re.compile(r"</?tool_|<\|")
_EXPECTED = '<tool_call>\n{"name": "action", "arguments": {"argument": value}}\n</tool_call>'


class ToolCallCodec(Codec):
    """Writes calls as JSON in tags; the result comes in a turn of the user.

    Example:
        >>> from eyehand.actions import ActionSpace
        >>> from eyehand.actions.web import Wait
        >>> text = ToolCallCodec().write(Wait(seconds=2))
        >>> ToolCallCodec().parse(text, ActionSpace([Wait])).action
        Wait(seconds=2.0)
    """

    name: ClassVar[str] = "tool_call"
    stop_words = ("<tool_response>",)
    before_observation = "<|im_end|>\n<|im_start|>user\n<tool_response>\n"
    after_observation = "\n</tool_response><|im_end|>\n<|im_start|>assistant\n"

    def write(
        self, action: Action, coordinates: Coordinates | None = None, thought: str = ""
    ) -> str:
        """Write the thought, then the call on three lines."""
        reasoning = clean_thought(thought)
        before = f"{reasoning}\n" if reasoning else ""
        call = {"name": action.name, "arguments": written_arguments(action, coordinates)}
        return f"{before}<tool_call>\n{as_json(call)}\n</tool_call>"

    def parse(
        self, text: str, space: ActionSpace, coordinates: Coordinates | None = None
    ) -> Parsed:
        """Read the first call; further ones are returned as not performed."""
        text = encodable(text)
        starts = list(_OPEN.finditer(text))
        if not starts:
            permitted = what_is_permitted(nearest_in_text(text, space.names), space.names)
            message = f"the answer holds no call; write {_EXPECTED}; {permitted}"
            return Parsed(text.strip(), error=Unparsable(message))
        thought = text[: starts[0].start()].strip()
        ends = [*(match.start() for match in starts[1:]), len(text)]
        calls = [_body(text[start.end() : end]) for start, end in zip(starts, ends, strict=True)]
        others = tuple(shorten(call) for call in calls[1:])
        try:
            name, arguments = _name_and_arguments(calls[0])
            action = build_call(name, arguments, space, coordinates, _EXPECTED)
        except ModelFeedback as error:
            return Parsed(thought, error=error, not_performed=others)
        return Parsed(thought, action=action, not_performed=others)

    def grammar(self, space: ActionSpace) -> CallGrammar:
        """Begin behind the opening tag, and end with the closing one."""
        rules = call_rules(
            space, '\n{"name": ', lambda name: f'{as_json(name)}, "arguments": ', "}\n</tool_call>"
        )
        return CallGrammar(_OPEN, rules, _NEVER)

    def neutral(self, text: str) -> str:
        """Replace the opening bracket of tags."""
        return _EXPECTED.join(map(without_tags, text.split(_EXPECTED)))


def _body(call: str) -> str:
    end = _END.search(call)
    return (call[: end.start()] if end else call).strip()


def _name_and_arguments(body: str) -> tuple[str, str | ReadValue]:
    """Read the object between the tags.

    Raises:
        Unparsable: it is no object with a name and arguments.
    """
    try:
        read = read_arguments(body)
    except Unparsable as error:
        raise Unparsable(f"{error}; write {_EXPECTED}") from None
    call = read.value
    if not isinstance(call, Mapping) or not isinstance(call.get("name"), str):
        raise Unparsable(f"the call is no object with a name; write {_EXPECTED}")
    arguments = call.get("arguments", call.get("parameters"))
    if arguments is None:
        if read.open_objects:
            raise Unparsable(f"the call is cut off before its arguments; write {_EXPECTED}")
        return call["name"], ReadValue({})
    if not isinstance(arguments, str | Mapping):
        raise Unparsable(f"the arguments are not an object with names; write {_EXPECTED}")
    if isinstance(arguments, str):
        return call["name"], arguments
    # Of the objects that were left open, the outermost is the call itself.
    return call["name"], ReadValue(arguments, max(0, read.open_objects - 1))
