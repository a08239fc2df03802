"""Aguvis-7B-720P (Qwen2-VL): a thought in one message, pyautogui code in the next.

Source: xlang-ai/aguvis, src/aguvis/constants.py and serve/cli.py. The code is read, never run.
"""

import json
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
    told_steps,
)
from eyehand.prompts.dialects.function_call import own_tool

RECIPIENT, END = "<|recipient|>", "<|diff_marker|>"
GAME = "environment"
"""The plugin that an environment's own actions belong to."""

_CODE = re.compile(
    r"(?:<\|recipient\|>|\A)\s*os\s*\n"
    r"|(?m:^[^\S\n]*(?=(?:pyautogui|browser|mobile|computer|environment)\.))"
)
_THOUGHT = re.compile(r"Thought\s{0,9}[:：](.*?)(?:\n[^\S\n]*Action\s{0,9}[:：]|<\||\Z)", re.DOTALL)
_POSITIONAL = {
    "click": ("x", "y"), "moveTo": ("x", "y"), "doubleClick": ("x", "y"), "rightClick": ("x", "y"),
    "dragTo": ("x", "y"), "write": ("message",), "press": ("keys",), "scroll": ("page",),
    "select_option": ("x", "y", "value"), "swipe": ("from_coord", "to_coord"), "wait": ("seconds",),
    "long_press": ("x", "y"), "open_app": ("app_name",), "terminate": ("status",),
    "answer": ("text",),
}  # fmt: skip
"""Names of arguments that may stand without one, by the last part of the function's name."""


def _read_at(given: Arguments, here: Here) -> Arguments | None:
    rest = {name: value for name, value in given.items() if name not in ("x", "y")}
    return {"point": [given.get("x"), given.get("y")], **rest}


def _write_at(action: Action, here: Here) -> Arguments | None:
    given = given_fields(action)
    return {"": given.pop("point"), **given}


def _read_option(given: Arguments, here: Here) -> Arguments | None:
    return {"point": [given.get("x"), given.get("y")], "option": given.get("value")}


def _write_option(action: Action, here: Here) -> Arguments | None:
    given = given_fields(action)
    return {"": given["point"], "value": given["option"]}


def _read_keys(given: Arguments, here: Here) -> Arguments | None:
    keys = given.get("keys", given.get("args"))
    if "key" in here.fields:
        return {"key": keys[0] if isinstance(keys, list) and len(keys) == 1 else keys}
    return {"keys": [keys] if isinstance(keys, str) else keys}


def _write_keys(one: bool) -> Any:
    def write(action: Action, here: Here) -> Arguments | None:
        given = given_fields(action)
        keys = given.get("keys") or [given["key"]]
        if (len(keys) == 1) is not one or given.get("key") in ("home", "back"):
            return None
        known = {"Control": "ctrl"}
        return {"keys": [known.get(k, k.lower().removeprefix("arrow")) for k in keys]}

    return write


def _read_text(given: Arguments, here: Here) -> Arguments | None:
    return read_line(given.get("message"), here)


def _write_text(action: Action, here: Here) -> Arguments | None:
    return None if "point" in given_fields(action) else {"message": written_line(action)}


def _read_scroll(given: Arguments, here: Here) -> Arguments | None:
    page = given.get("page")
    if not isinstance(page, int | float) or isinstance(page, bool):
        return {"direction": page}
    amount = min(20, max(1, round(abs(page) * 10)))
    return {"direction": "up" if page > 0 else "down", "amount": amount}


def _write_scroll(action: Action, here: Here) -> Arguments | None:
    given = given_fields(action)
    sign = {"up": 1, "down": -1}.get(given["direction"])
    return None if sign is None else {"page": sign * given.get("amount", 5) / 10}


def _read_end(given: Arguments, here: Here) -> Arguments | None:
    return {"status": given.get("status", "success")}


VERBS: tuple[Verb, ...] = (
    Verb("pyautogui.click", "click", _read_at, _write_at, "pyautogui.click(x=0.1, y=0.2)"),
    Verb("pyautogui.click", "tap", _read_at, _write_at, "pyautogui.click(x=0.1, y=0.2)"),
    Verb("pyautogui.moveTo", "hover", _read_at, _write_at, "pyautogui.moveTo(x=0.1, y=0.2)"),
    Verb("pyautogui.doubleClick", "double_click", _read_at, _write_at,
         "pyautogui.doubleClick(x=0.1, y=0.2)"),
    Verb("pyautogui.rightClick", "right_click", _read_at, _write_at,
         "pyautogui.rightClick(x=0.1, y=0.2)"),
    Verb("pyautogui.write", "type_text", _read_text, _write_text, "pyautogui.write(message='')"),
    Verb("pyautogui.press", "press_keys", _read_keys, _write_keys(True),
         "pyautogui.press(keys=['enter'])"),
    Verb("pyautogui.press", "press", _read_keys, _write_keys(True),
         "pyautogui.press(keys=['enter'])"),
    Verb("pyautogui.hotkey", "press_keys", _read_keys, _write_keys(False),
         "pyautogui.hotkey(keys=['ctrl', 'c'])"),
    Verb("pyautogui.scroll", "scroll", _read_scroll, _write_scroll, "pyautogui.scroll(page=-0.5)"),
    Verb("browser.select_option", "select_option", _read_option, _write_option,
         "browser.select_option(x=0.1, y=0.2, value='')"),
    verb("mobile.swipe", "swipe", {"from_coord": "start", "to_coord": "end"},
         shown="mobile.swipe(from_coord=[0.1, 0.2], to_coord=[0.3, 0.4])"),
    verb("mobile.home", "press", means={"key": "home"}, shown="mobile.home()"),
    verb("mobile.back", "press", means={"key": "back"}, shown="mobile.back()"),
    verb("mobile.wait", "wait", {}, shown="mobile.wait(seconds=3)"),
    Verb("mobile.long_press", "long_press", _read_at, _write_at,
         "mobile.long_press(x=0.1, y=0.2)"),
    verb("mobile.open_app", "open_app", {"app_name": "app"}, shown="mobile.open_app(app_name='')"),
    verb("computer.answer", "answer", {}, shown="computer.answer(text='')"),
    Verb("computer.terminate", "finish", _read_end,
         lambda action, here: {"status": given_fields(action)["status"]},
         "computer.terminate(status='success')"),
)  # fmt: skip


class AguvisCodec(VerbCodec):
    """Code behind the `os` recipient; the thought goes to `all`."""

    name: ClassVar[str] = "aguvis"
    unit: ClassVar[Unit] = "fraction"
    verbs: ClassVar[tuple[Verb, ...]] = VERBS
    expected: ClassVar[str] = "os, then on a new line pyautogui.click(x=0.1, y=0.2)"
    stop_words = (END,)

    def read_calls(self, text: str) -> tuple[str, list[VerbCall]]:
        """Read the calls of the code, one a line."""
        marks = list(_CODE.finditer(text))
        if not marks:
            raise Unparsable("the answer holds no code for os")
        thought = _THOUGHT.search(text[: marks[0].start()])
        code = text[marks[-1].end() if len(marks) == 1 else marks[0].end() :].split(END)[0]
        calls: list[VerbCall] = []
        at = 0
        while at < len(code.rstrip()) and len(calls) < MOST_CALLS:
            try:
                found = read_call(code, at)
            except Unparsable:
                if not calls:
                    raise
                break
            calls.append(self._call(found, code[at : found.end].strip()))
            at = found.end
        if not calls:
            raise Unparsable("there is no call behind os")
        return (thought[1].strip() if thought else ""), calls

    def _call(self, found: PythonCall, text: str) -> VerbCall:
        prefix, _, last = found.name.rpartition(".")
        values = found.positional
        if last == "hotkey" and values:
            values = [values]
        names = ("keys",) if last == "hotkey" else _POSITIONAL.get(last, ())
        if len(values) > len(names):
            raise Unparsable(f"too many arguments in {found.name[:60]}")
        given = dict(zip(names, values, strict=False)) | found.named
        return VerbCall(last if prefix == GAME else found.name, given, text)

    def write_call(self, word: str, arguments: Arguments, coordinates: Coordinates) -> str:
        """Write one line of code."""
        shown = []
        for name, value in arguments.items():
            if isinstance(value, Point) and not name:
                x, y = coordinates.write(value)
                shown.append(f"x={x}, y={y}")
            elif isinstance(value, Point):
                shown.append(f"{name}={coordinates.write(value)}")
            else:
                said = quoted(value) if isinstance(value, str) else repr(value)
                shown.append(f"{name}={said}")
        name = word if "." in word else f"{GAME}.{word}"
        return f"{name}({', '.join(shown)})"

    def with_thought(self, call: str, thought: str) -> str:
        """Write the thought for all and the code for the system, in two messages."""
        reasoning = " ".join(clean_thought(thought).split())
        code = f"os\n{call}"
        if not reasoning:
            return code
        return f"all\nThought: {reasoning}\n<|im_end|>\n<|im_start|>assistant{RECIPIENT}{code}"

    def without_marks(self, text: str) -> str:
        """Replace the colon behind the dialect's words."""
        return without_words(text, ("Thought", "Action", "Instruction", "Previous actions"))


class Aguvis(Dialect):
    """The picture, the task and the past steps in one turn; the answer has its recipients."""

    name: ClassVar[str] = "aguvis"
    about: ClassVar[str] = "Aguvis-7B-720P (Qwen2-VL)"
    bounds: ClassVar[PictureBounds] = PictureBounds(28, 256 * 28 * 28, 46 * 26 * 28 * 28)
    max_tokens: ClassVar[int] = 1024
    answer_begins: ClassVar[str] = RECIPIENT

    codec: AguvisCodec

    def __init__(self) -> None:
        self.codec = AguvisCodec()

    def messages(self, task: str, space: ActionSpace, turns: Sequence[Turn]) -> list[Message]:
        """Tell past steps in words; only the newest screen is shown."""
        neutral = self.codec.neutral
        steps = enumerate(told_steps(turns), 1)
        history = "\n".join(f"Step {n}: {neutral(step)}" for n, step in steps)
        said = neutral(turns[-1].said)
        text = (
            "Generate the next move from the screenshot, the instruction and the previous actions."
            f"\n\nInstruction: {neutral(task)}\n\nPrevious actions:\n{history or 'None'}"
        )
        return [
            Message("system", (self.rules(task, space, turns[-1].size_px),)),
            Message("user", (Picture(len(turns) - 1), text + (f"\n\n{said}" if said else ""))),
        ]

    def own_rules(self, task: str, space: ActionSpace, size_px: tuple[int, int]) -> str:
        """Show the calls."""
        shown = dict.fromkeys(word.shown for word in self.codec.words(space) if word.shown)
        own = [
            json.dumps(_named(own_tool(other, self.codec.unit)))
            for other in self.codec.others(space)
        ]
        lines = "\n".join([*shown, *own])
        return (
            "You are a GUI agent. You get a task and a screenshot and do the task with pyautogui "
            f"commands. Functions:\n{lines}"
        )


def _named(tool: dict[str, Any]) -> dict[str, Any]:
    """Return a function's declaration under the plugin's name."""
    function = tool["function"]
    return {**function, "name": f"{GAME}.{function['name']}"}


DIALECT = Aguvis
