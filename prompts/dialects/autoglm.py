"""AutoGLM-Phone-9B: `<think>` and `<answer>`, calls `do(...)` and `finish(...)`, thousandths.

Source: zai-org/Open-AutoGLM, phone_agent/actions/handler.py and config/prompts_en.py.
"""

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from eyehand.actions import Action, ActionSpace, Coordinates, Point
from eyehand.actions.codecs.marks import without_markup
from eyehand.actions.codecs.python_calls import quoted, read_call
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
from eyehand.errors import Unparsable
from eyehand.prompts.dialects.dialect import Dialect, Message, Picture, PictureBounds, Turn
from eyehand.prompts.dialects.scrolling import scroll_as_swipe

_START = re.compile(r"\b(?:do|finish)\s{0,9}[(（]")
_THINK = re.compile(r"</?(?:think|answer)>")
_SECONDS = re.compile(r"\s*(\d{1,4}(?:\.\d{1,3})?)")


def _read_wait(given: Arguments, here: Here) -> Arguments | None:
    found = _SECONDS.match(str(given.get("duration", "2")))
    return {"seconds": float(found[1]) if found else given.get("duration")}


def _read_scroll(action: Action, here: Here) -> Arguments | None:
    said = scroll_as_swipe(action) or {}
    return {"start": said["coordinate"], "end": said["coordinate2"]}


def _key(key: str) -> dict[str, Any]:
    return {"means": {"key": key}}


def _read_end(given: Arguments, here: Here) -> Arguments | None:
    return {"status": "success"} | ({"message": m} if (m := given.get("message")) else {})


def _write_end(action: Action, here: Here) -> Arguments | None:
    return {"message": ""} if given_fields(action)["status"] == "success" else None


VERBS: tuple[Verb, ...] = (
    verb("Tap", "tap", {"element": "point"}, ignored=("message",),
         shown='do(action="Tap", element=[x,y])'),
    verb("Tap", "click", {"element": "point"}, ignored=("message",),
         shown='do(action="Tap", element=[x,y])'),
    verb("Type", "type_text", {}, shown='do(action="Type", text="xxx")'),
    verb("Type_Name", "type_text", {}),
    verb("Swipe", "swipe", {}, shown='do(action="Swipe", start=[x1,y1], end=[x2,y2])'),
    Verb("Swipe", "scroll", None, _read_scroll),
    verb("Long Press", "long_press", {"element": "point"},
         shown='do(action="Long Press", element=[x,y])'),
    verb("Double Tap", "double_tap", {"element": "point"},
         shown='do(action="Double Tap", element=[x,y])'),
    verb("Launch", "open_app", {}, shown='do(action="Launch", app="xxx")'),
    verb("Back", "press", **_key("back"), shown='do(action="Back")'),
    verb("Home", "press", **_key("home"), shown='do(action="Home")'),
    Verb("Wait", "wait", _read_wait,
         lambda action, here: {"duration": f"{given_fields(action)['seconds']:g} seconds"},
         'do(action="Wait", duration="x seconds")'),
    verb("Take_over", "finish", means={"status": "failure"},
         shown='do(action="Take_over", message="xxx")'),
    verb("Interact", "finish", means={"status": "failure"}, shown='do(action="Interact")'),
    Verb("finish", "answer",
         lambda given, here: {"text": given["message"]} if given.get("message") else None,
         lambda action, here: {"message": given_fields(action)["text"]},
         'finish(message="xxx")'),
    Verb("finish", "finish", _read_end, _write_end, 'finish(message="xxx")'),
)  # fmt: skip


class AutoGlmCodec(VerbCodec):
    """Calls like Python's within an answer tag."""

    name: ClassVar[str] = "autoglm"
    verbs: ClassVar[tuple[Verb, ...]] = VERBS
    says_own_names: ClassVar[bool] = False
    expected: ClassVar[str] = '<think>...</think>\n<answer>do(action="Tap", element=[x,y])</answer>'

    def read_calls(self, text: str) -> tuple[str, list[VerbCall]]:
        """Read the first `do` or `finish` behind the answer tag."""
        at = text.rfind("<answer>")
        start = _START.search(text, max(0, at))
        if start is None:
            raise Unparsable("the answer holds no do(...) or finish(...)")
        found = read_call(text, start.start())
        thought = _THINK.sub("", text[: at if at >= 0 else start.start()]).strip()
        given = dict(found.named)
        word = "finish" if found.name == "finish" else given.pop("action", None)
        if not isinstance(word, str):
            raise Unparsable("do(...) names no action")
        return thought, [VerbCall(word, given, text[start.start() : found.end])]

    def write_call(self, word: str, arguments: Arguments, coordinates: Coordinates) -> str:
        """Write `do(action="...")` or `finish(message="...")`."""
        shown = [f"{name}={_value(v, coordinates)}" for name, v in arguments.items()]
        if word == "finish":
            return f"finish({', '.join(shown)})"
        return f"do({', '.join([f'action={_text(word)}', *shown])})"

    def with_thought(self, call: str, thought: str) -> str:
        """Write both tags."""
        reasoning = _THINK.sub("", clean_thought(thought))
        return f"<think>{reasoning}</think>\n<answer>{call}</answer>"

    def without_marks(self, text: str) -> str:
        """Replace the opening bracket of the dialect's tags."""
        return without_markup(text, ("think", "answer"))


class AutoGlm(Dialect):
    """A picture leaves its turn as soon as it was answered."""

    name: ClassVar[str] = "autoglm"
    about: ClassVar[str] = "AutoGLM-Phone-9B, phones only"
    bounds: ClassVar[PictureBounds] = PictureBounds(28, 112 * 112, 5_000_000)
    top_p: ClassVar[float] = 0.85
    max_tokens: ClassVar[int] = 3000

    codec: AutoGlmCodec

    def __init__(self) -> None:
        self.codec = AutoGlmCodec()

    def messages(self, task: str, space: ActionSpace, turns: Sequence[Turn]) -> list[Message]:
        """Keep every turn, with the newest picture only."""
        neutral, shown = self.codec.neutral, self.pictures(turns)
        chat = [Message("system", (self.rules(task, space, turns[-1].size_px),))]
        for step, turn in enumerate(turns):
            picture = (Picture(step),) if step in shown else ()
            head = neutral(task) + "\n\n" if step == 0 else ""
            said = neutral(turn.said) or "{}"
            chat.append(Message("user", (*picture, f"{head}** Screen Info **\n\n{said}")))
            if turn.answer is not None:
                chat.append(Message("assistant", (turn.answer,)))
        return chat

    def own_rules(self, task: str, space: ActionSpace, size_px: tuple[int, int]) -> str:
        """Show the calls."""
        shown = dict.fromkeys(w.shown for w in self.codec.words(space))
        listed = "\n".join(f"- {line}" for line in shown if line)
        return (
            "You operate a phone from screenshots until the task is done. Answer in this form:\n"
            "<think>{why}</think>\n<answer>{call}</answer>\nThe calls:\n"
            f"{listed}\nPlaces are [x,y] from 0 to 999, from the top left."
        )


def _value(value: Any, coordinates: Coordinates) -> str:
    if isinstance(value, Point):
        x, y = coordinates.write(value)
        return f"[{x},{y}]"
    return _text(value) if isinstance(value, str) else repr(value)


def _text(text: str) -> str:
    """Write a text between double quotes."""
    inner = quoted(text)[1:-1].replace("\\'", "'").replace('"', '\\"')
    return f'"{inner}"'


DIALECT = AutoGlm
