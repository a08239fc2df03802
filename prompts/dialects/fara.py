"""Fara-7B (Qwen2.5-VL): a browser's own tool; the last thought is the answer.

Source: microsoft/fara, src/fara/_prompts.py and fara_agent.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote_plus

from eyehand.actions import Action, ActionSpace
from eyehand.actions.codecs.verbs import Arguments, Here, Verb, given_fields, verb
from eyehand.actions.coordinates import Unit
from eyehand.prompts.dialects.dialect import Message, Picture, PictureBounds, Turn
from eyehand.prompts.dialects.function_call import (
    COMMON,
    COMPUTER_VERBS,
    MEANINGS,
    FunctionCallCodec,
    FunctionCallDialect,
)
from eyehand.prompts.dialects.scrolling import scroll_pixels

SEARCH = "https://www.bing.com/search?q="
"""Where `web_search` looks, as in its makers' agent."""

_PAGE = 8
"""Tenths of the screen that a scroll moves: a page, whatever number of pixels is given."""


def _read_type(replaces: bool) -> Any:
    def read(given: Arguments, here: Here) -> Arguments | None:
        if bool(given.get("delete_existing_text", False)) is not replaces:
            return None
        read: dict[str, Any] = {"text": given.get("text")}
        if "press_enter" in here.fields and given.get("press_enter", True):
            read["press_enter"] = True
        if "point" in here.fields and given.get("coordinate"):
            read["point"] = given["coordinate"]
        return read

    return read


def _write_type(replaces: bool) -> Any:
    def write(action: Action, here: Here) -> Arguments | None:
        given = given_fields(action)
        said: dict[str, Any] = {
            "text": given["text"],
            "press_enter": bool(given.get("press_enter")),
        }
        if given.get("point"):
            said["coordinate"] = given["point"]
        return said | ({"delete_existing_text": True} if replaces else {})

    return write


def _read_search(given: Arguments, here: Here) -> Arguments | None:
    return {"url": SEARCH + quote_plus(str(given.get("query", ""))[:1000])}


def _read_scroll(given: Arguments, here: Here) -> Arguments | None:
    return {"direction": "down" if scroll_pixels(given) < 0 else "up", "amount": _PAGE}


def _write_scroll(action: Action, here: Here) -> Arguments | None:
    direction = given_fields(action)["direction"]
    pixels = {"up": 500, "down": -500}.get(direction)
    return None if pixels is None else {"pixels": pixels}


def _read_final(given: Arguments, here: Here) -> Arguments | None:
    if here.thought and given.get("status", "success") == "success":
        return {"text": here.thought}
    return None


class FaraCodec(FunctionCallCodec):
    """The browser's words; the number of a scroll is not heeded, as in its makers' agent."""

    name: ClassVar[str] = "fara"
    unit: ClassVar[Unit] = "pixels"
    verbs: ClassVar[tuple[Verb, ...]] = (
        Verb("type", "type_text", _read_type(False), _write_type(False), "text"),
        Verb("type", "replace_text", _read_type(True), _write_type(True), "text"),
        Verb("scroll", "scroll", _read_scroll, _write_scroll, "pixels"),
        verb("visit_url", "go_to", {}, shown="url"),
        Verb("web_search", "go_to", _read_search, None, "query"),
        verb("history_back", "back", shown="history_back"),
        Verb("terminate", "answer", _read_final, None),
        *(known for known in COMPUTER_VERBS if known.word in ("key", "mouse_move", "left_click")),
        *(known for known in COMMON if known.word in ("wait", "terminate")),
    )


class Fara(FunctionCallDialect):
    """Three screens, with the address beside each."""

    name: ClassVar[str] = "fara"
    about: ClassVar[str] = "Fara-7B (Qwen2.5-VL), web only"
    window: ClassVar[int | None] = 3
    bounds: ClassVar[PictureBounds] = PictureBounds(28, 3136, 12845056)
    max_tokens: ClassVar[int] = 1024
    thinks: ClassVar[str] = (
        "Stop before anything that binds the user, such as paying, sending or signing, unless the "
        "task allows it: terminate there, and say so. Think in a few sentences, then write the "
        "call. The thought before terminate is the final answer."
    )
    meanings: ClassVar[Mapping[str, str]] = {
        **MEANINGS,
        "visit_url": "open an address",
        "web_search": "search the web for a query",
        "history_back": "go back to the page before",
    }

    def __init__(self) -> None:
        self.codec = FaraCodec()

    def messages(self, task: str, space: ActionSpace, turns: Sequence[Turn]) -> list[Message]:
        """Keep every answer; older pictures leave their turns."""
        neutral, shown = self.codec.neutral, self.pictures(turns)
        chat = [Message("system", (self.rules(task, space, turns[-1].size_px),))]
        for step, turn in enumerate(turns):
            picture = (Picture(step),) if step in shown else ()
            words = neutral(task) if step == 0 else "Here is the next screen."
            said = neutral(turn.said)
            text = "\n".join(part for part in (said, words) if part)
            chat.append(Message("user", (*picture, text)))
            if turn.answer is not None:
                chat.append(Message("assistant", (turn.answer,)))
        return chat


DIALECT = Fara
