"""OS-Atlas-Pro-7B (Qwen2-VL): `thoughts:` and `actions:`, words in capitals, custom actions.

Source: OS-Copilot/OS-Atlas, README.md and eval/.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, ClassVar

from eyehand.actions import Action, ActionSpace, Coordinates, Point
from eyehand.actions.codecs.arguments import read_arguments
from eyehand.actions.codecs.marks import without_words
from eyehand.actions.codecs.places import place
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
from eyehand.errors import Unparsable, UsageError
from eyehand.prompts.dialects.dialect import Dialect, Message, Picture, Turn, is_point, told_steps
from eyehand.prompts.parameters import parameters

POINT = "<point>[[x-axis, y-axis]]</point>"
_ACTIONS = re.compile(r"(?i)\bactions?\s{0,9}[:：]")
_THOUGHTS = re.compile(r"(?i)\A\s*thoughts?\s{0,9}[:：]\s*")
_CALL = re.compile(r"(?m)^[^\S\n]*([A-Z][A-Z_]{1,39})\b[ \t]*(.*)$")
_POINT = re.compile(r"<point>[^<]{0,100}</point>|<\|box_start\|>[^<]{0,100}<\|box_end\|>")
_KEYS = {"SPACE": "Space", "TAB": "Tab", "ESC": "Escape", "PGDN": "PageDown", "DOWN": "ArrowDown",
         "ENTER": "Enter", "RIGHT": "ArrowRight", "LEFT": "ArrowLeft", "UP": "ArrowUp",
         "PGUP": "PageUp"}  # fmt: skip


def _text(field: str) -> tuple[Any, Any]:
    """Return how a word with one text in brackets is read and written."""

    def read(given: Arguments, here: Here) -> Arguments | None:
        return {field: given["text"].replace("\\n", "\n")} if set(given) == {"text"} else None

    def write(action: Action, here: Here) -> Arguments | None:
        given = given_fields(action)
        return {"text": given[field]} if set(given) == {field} else None

    return read, write


def _fixed(**fields: Any) -> tuple[Any, Any]:
    """Return how a word without arguments is read and written that means one thing."""

    def read(given: Arguments, here: Here) -> Arguments | None:
        return dict(fields) if not given else None

    def write(action: Action, here: Here) -> Arguments | None:
        given = given_fields(action)
        return {} if {name: given.get(name) for name in fields} == fields else None

    return read, write


def _read_scroll(given: Arguments, here: Here) -> Arguments | None:
    return {"direction": str(given.get("text", "")).strip().lower()}


def _write_scroll(action: Action, here: Here) -> Arguments | None:
    return {"text": given_fields(action)["direction"].upper()}


def _read_hotkey(given: Arguments, here: Here) -> Arguments | None:
    parts = re.split(r"[_+\s]+", str(given.get("text", "")))
    return {"keys": [part.lower() if len(part) == 1 else part for part in parts if part]}


def _write_hotkey(action: Action, here: Here) -> Arguments | None:
    keys = given_fields(action)["keys"]
    return {"text": "_".join({"Control": "CTRL"}.get(key, key.upper()) for key in keys)}


VERBS: tuple[Verb, ...] = (
    verb("CLICK", "click", {}, shown=f"CLICK {POINT}"),
    verb("CLICK", "tap", {}, shown=f"CLICK {POINT}"),
    Verb("TYPE", "type_text", *_text("text"), "TYPE [input text]"),
    Verb("SCROLL", "scroll", _read_scroll, _write_scroll, "SCROLL [UP/DOWN/LEFT/RIGHT]"),
    verb("DOUBLECLICK", "double_click", {}, shown=f"DOUBLECLICK {POINT}"),
    verb("RIGHTCLICK", "right_click", {}, shown=f"RIGHTCLICK {POINT}"),
    verb("MOVETO", "hover", {}, shown=f"MOVETO {POINT}"),
    Verb("OPEN_APP", "open_app", *_text("app"), "OPEN_APP [app name]"),
    verb("LONG_PRESS", "long_press", {}, shown=f"LONG_PRESS {POINT}"),
    Verb("PRESS_BACK", "press", *_fixed(key="back"), "PRESS_BACK"),
    Verb("PRESS_HOME", "press", *_fixed(key="home"), "PRESS_HOME"),
    Verb("PRESS_RECENT", "press", *_fixed(key="recents"), "PRESS_RECENT"),
    Verb("ENTER", "press", *_fixed(key="enter"), "ENTER"),
    Verb("ENTER", "press_keys", *_fixed(keys=["Enter"])),
    *(Verb(f"PRESS_{word}", "press_keys", *_fixed(keys=[key]), f"PRESS_{word}")
      for word, key in _KEYS.items()),
    Verb("HOTKEY", "press_keys", _read_hotkey, _write_hotkey, "HOTKEY [CTRL_A]"),
    Verb("WAIT", "wait", lambda given, here: {"seconds": 2.0}, lambda action, here: {}, "WAIT"),
    Verb("COMPLETE", "finish", *_fixed(status="success"), "COMPLETE"),
    Verb("IMPOSSIBLE", "finish", *_fixed(status="failure"), "IMPOSSIBLE"),
)  # fmt: skip
_BASIC = ("CLICK", "TYPE", "SCROLL")
_WORDS = frozenset(known.word for known in VERBS)
_OWN = "OWN_"


def own_word(name: str) -> str:
    """Return the word of an environment's action: its name in capitals, told apart from ours."""
    word = name.upper()
    return f"{_OWN}{word}" if word in _WORDS else word


class OsAtlasCodec(VerbCodec):
    """A word in capitals, places in point tags, one text or JSON in brackets."""

    name: ClassVar[str] = "os-atlas"
    verbs: ClassVar[tuple[Verb, ...]] = VERBS
    expected: ClassVar[str] = "thoughts:\\n...\\nactions:\\nCLICK <point>[[x, y]]</point>"

    def read_calls(self, text: str) -> tuple[str, list[VerbCall]]:
        """Read the lines behind `actions:` that begin with a word in capitals."""
        mark = _ACTIONS.search(text)
        thought, rest = (text[: mark.start()], text[mark.end() :]) if mark else ("", text)
        lines = list(_CALL.finditer(rest))
        if not lines:
            raise Unparsable("the answer holds no action in capitals")
        calls = [self._call(line[1], line[2].strip(), line[0].strip()) for line in lines[:20]]
        return _THOUGHTS.sub("", thought).strip(), calls

    def _call(self, word: str, rest: str, line: str) -> VerbCall:
        points = [place(re.sub(r"[\[\]]+", " ", found)) for found in _POINT.findall(rest)]
        inner = _POINT.sub("", rest).strip()
        arguments: Arguments = {}
        if word not in _WORDS:
            word = word.lower()
            if word.upper().removeprefix(_OWN) in _WORDS:
                word = word.removeprefix(_OWN.lower())
            if inner.startswith("{"):
                arguments = dict(read_arguments(inner).value)
                inner = ""
        if inner:
            bare = inner.removesuffix("<|im_end|>").strip()
            arguments["text"] = bare[1:-1] if bare[:1] == "[" and bare[-1:] == "]" else bare
        names = ("point",) if len(points) == 1 else ("start", "end")
        return VerbCall(word, arguments | dict(zip(names, points, strict=False)), line)

    def write_call(self, word: str, arguments: Arguments, coordinates: Coordinates) -> str:
        """Write the word, the places, then the rest."""
        parts = [word if word in _WORDS else own_word(word)]
        for value in arguments.values():
            if isinstance(value, Point):
                x, y = coordinates.write(value)
                parts.append(f"<point>[[{x},{y}]]</point>")
        rest = {name: v for name, v in arguments.items() if not isinstance(v, Point)}
        if set(rest) == {"text"} and word in _WORDS:
            if _POINT.search(rest["text"]):
                raise UsageError("a text that holds a place in tags cannot be told from a place")
            parts.append(f"[{_on_a_line(rest['text'])}]")
        elif rest:  # tags in a text are no places
            parts.append(json.dumps(rest, ensure_ascii=False).replace("<", "\\u003c"))
        return " ".join(parts)

    def with_thought(self, call: str, thought: str) -> str:
        """Write both parts under their words."""
        reasoning = " ".join(clean_thought(_ACTIONS.sub("", thought)).split())
        return f"thoughts:\n{reasoning}\nactions:\n{call}" if reasoning else f"actions:\n{call}"

    def without_marks(self, text: str) -> str:
        """Replace the colon behind the dialect's words, and the point tags."""
        plain = without_words(text, ("actions", "action", "thoughts", "thought"))
        return re.sub(r"<(?=/?point>)", "‹", plain)


def _on_a_line(text: str) -> str:
    """Return a text on one line: a line end would end the action."""
    return text.replace("\n", "\\n")


class OsAtlas(Dialect):
    """One turn that holds everything; the actions of the environment are its custom actions."""

    name: ClassVar[str] = "os-atlas"
    about: ClassVar[str] = "OS-Atlas-Pro-7B (Qwen2-VL)"
    answer_marks: ClassVar[tuple[str, ...]] = ()

    codec: OsAtlasCodec

    def __init__(self) -> None:
        self.codec = OsAtlasCodec()

    def messages(self, task: str, space: ActionSpace, turns: Sequence[Turn]) -> list[Message]:
        """Put the rules, the picture, the task and the history into one turn of the user."""
        neutral = self.codec.neutral
        steps = enumerate(told_steps(turns), 1)
        history = "\n".join(f"Step {n}: {neutral(step)}" for n, step in steps)
        said = neutral(turns[-1].said)
        after = f"\n{said}\n" if said else "\n"
        return [
            Message("user", (
                f"{self.rules(task, space, turns[-1].size_px)}\n\n"
                "Your current task, screenshot and history:\nScreenshot: ",
                Picture(len(turns) - 1),
                f"\nTask: {neutral(task)}\nHistory: \n{history or 'None'}\n{after}",
            )),
        ]  # fmt: skip

    def own_rules(self, task: str, space: ActionSpace, size_px: tuple[int, int]) -> str:
        """Describe the basic and the custom actions."""
        words = [word for word in self.codec.words(space) if word.shown]
        basic = [word for word in words if word.word in _BASIC]
        custom = [(w.word, w.shown, space.type_named(w.action).description())
                  for w in words if w.word not in _BASIC]  # fmt: skip
        for other in self.codec.others(space):
            word = own_word(other.name)
            shown = " ".join([word, *self._shown_arguments(other)])
            custom.append((word, shown, other.description()))
        lines = [
            "You operate screens as a foundation model of actions. Two kinds of actions are yours:",
            "1. Basic Actions",
            *(f"Basic Action {n}: {w.word}\n    - purpose: "
              f"{space.type_named(w.action).description()}\n    - format: {w.shown}"
              for n, w in enumerate(basic, 1)),
            "2.Custom Actions",
            *(f"Custom Action {n}: {word}\n    - purpose: {purpose}\n    - format: {shown}"
              for n, (word, shown, purpose) in enumerate(custom, 1)),
            "Write two parts: Thoughts, the reasoning for the next step in a sentence; and "
            "Actions, one call in the format of its action.",
        ]  # fmt: skip
        return "\n".join(lines)

    def _shown_arguments(self, action_type: type[Action]) -> list[str]:
        found = parameters(action_type)
        points = [POINT for item in found if is_point(item.schema)]
        rest = {item.name: item.description for item in found if not is_point(item.schema)}
        return [*points, *([json.dumps(rest, ensure_ascii=False)] if rest else [])]


DIALECT = OsAtlas
