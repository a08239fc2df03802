"""Typing: text reaches whatever has the focus, as from a person's keyboard, and is read back.

A line break is Shift+Enter where there are several lines, so that nothing is sent half written. A
row of boxes gets a character when there is room for it. Where nothing holds text (a spreadsheet's
cell, a game), the characters are keys.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from playwright.async_api import Error as PlaywrightError

from eyehand.envs.web import fields
from eyehand.envs.web.action_context import ActionContext
from eyehand.envs.web.arrival import Arrival, Field, arrived
from eyehand.envs.web.closed import hears_keys
from eyehand.envs.web.elements import Element, focused_element
from eyehand.envs.web.faults import has_navigated, is_closed
from eyehand.errors import ActionHadNoEffect

# Typing sends every character as a key, about 1 ms each; longer text is put in as by pasting.
MAX_TYPED_LENGTH = 500
# Characters between two looks at whether the focus is still in a field.
CHUNK_LENGTH = 16
# How long a full box may take to pass the focus on.
BOX_PATIENCE_S = 0.6
# The first keys may open a field that the rest belongs to: each of them is waited for.
KEYS_WATCHED = 8

_NEXT_FRAME = """() => new Promise(resolve => {
  requestAnimationFrame(() => setTimeout(resolve, 0));
  setTimeout(resolve, 50);
})"""
_HELD = "e => e.isContentEditable ? e.innerText.trim() : e.value || ''"
_SELECT_ALL = """e => {
  if (e.isContentEditable || !e.select) return;
  const all = e.selectionStart === 0 && e.selectionEnd === e.value.length;
  if (!all) e.select();
}"""


async def type_text(context: ActionContext, text: str, press_enter: bool = False) -> None:
    """Type into what has the focus; a list or picker takes the text as its value.

    Args:
        context: What the action works on; it then says what arrived.
        text: Any characters.
        press_enter: Press Enter afterwards; not where a part of the text was lost.

    Raises:
        ActionHadNoEffect: nothing that takes text or keys has the focus.
        InvalidArgument: the list has no such option, or the picker takes no such value.
    """
    element = context.under = await focused_element(context.tab.page)
    if await fields.set_value(context, element, text):
        return await _finish(context, press_enter)
    await _check_typeable(context, element, text)
    await _Typing(context, element, f"typed {{}} into {element}").enter(text, press_enter)


async def replace_text(context: ActionContext, text: str, press_enter: bool = False) -> None:
    """Put a text in place of all that the focused field holds; see `type_text`."""
    element = context.under = await focused_element(context.tab.page)
    if await fields.set_value(context, element, text):
        return await _finish(context, press_enter)
    await _check_typeable(context, element, text)
    if element.kind == "text":
        await _clear(context, element, typed_over=bool(text))
    elif not text:
        # In a cell that is not being edited, Delete clears and a character replaces.
        context.effect = f"pressed Delete at {element}"
        await context.tab.page.keyboard.press("Delete")
    if not text:
        return await _finish(context, press_enter)
    typing = _Typing(context, element, f"replaced the text of {element} with {{}}", blank=True)
    await typing.enter(text, press_enter)


async def _finish(context: ActionContext, press_enter: bool) -> None:
    if press_enter:
        context.effect += " and pressed Enter"
        await context.tab.page.keyboard.press("Enter")


async def _check_typeable(context: ActionContext, element: Element, text: str) -> None:
    """Refuse text that nothing would take.

    Raises:
        ActionHadNoEffect: always where nothing does.
    """
    if element.kind in ("text", "keys", "frame"):
        return
    handle = await element.handle()
    heard = handle is not None and await hears_keys(handle, element.frame)
    if not heard and element.kind == "read-only":
        raise ActionHadNoEffect(f"{element} has the focus and cannot be changed")
    if not heard:
        raise ActionHadNoEffect("no text field has the focus; click one first")
    if element.pressed and any(character in " \n\r" for character in text):
        raise ActionHadNoEffect(
            f"{element} has the focus, and a space or line break would press it; click a text "
            "field first"
        )


async def _clear(context: ActionContext, element: Element, typed_over: bool) -> None:
    """Select all that a field holds and delete it.

    A field that holds nothing may stand for another (a code editor's, a spreadsheet's): its text
    is selected, to be typed over, and not deleted.
    """
    handle = await fields.handle_of(element)
    keyboard = context.tab.page.keyboard
    context.effect = f"cleared {element}"
    if not typed_over and not await handle.evaluate(_HELD):
        context.effect = f"{element} was empty already"
        return
    for key in ("Backspace", "Delete"):
        await keyboard.press("ControlOrMeta+a")
        await handle.evaluate(_SELECT_ALL)
        if not await handle.evaluate(_HELD):
            return
        await keyboard.press(key)
    if await handle.evaluate(_HELD) and not typed_over:
        context.failed = True
        context.feedback = f"{element} did not let its text be deleted."


async def _whole(keys: Coroutine[Any, Any, None]) -> None:
    """Press keys to the last one, also where the action is given up meanwhile."""
    pressing = asyncio.ensure_future(keys)
    try:
        await asyncio.shield(pressing)
    except asyncio.CancelledError:
        await asyncio.wait({pressing})
        raise


class _Typing:
    """Types one text, wherever the focus goes meanwhile.

    Args:
        context: What the action works on.
        element: What has the focus.
        verb: The effect, with {} for the characters.
        blank: The field holds nothing that was there before.
    """

    def __init__(
        self, context: ActionContext, element: Element, verb: str, blank: bool = False
    ) -> None:
        self._scene = context
        self._page = context.tab.page
        self._element = element
        self._verb = verb
        self._blank = blank
        self._arrival: Arrival | None = None
        self._patience_s = BOX_PATIENCE_S
        self._stopped = False
        self._keys = 0
        self._entered = {"Shift+Enter": 0, "Enter": 0}
        self._left_out = 0

    async def enter(self, text: str, press_enter: bool) -> None:
        """Type the text, press Enter where that is wanted, and say what arrived."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        try:
            await self._follow()
            self._scene.effect = self._said(len(text))
            await self._lines(text)
            if press_enter:  # what a page takes away in its next frame has not arrived
                await self._element.frame.evaluate(_NEXT_FRAME)
        except PlaywrightError as error:
            if is_closed(error) or not has_navigated(error):
                raise
            self._scene.effect = f"{self._said(len(text))}, until the page was left"
            return
        if not press_enter:

            async def read_back() -> None:
                await self._read_back(text)

            self._scene.afterwards = read_back
            return
        await self._read_back(text)
        if self._scene.failed:
            self._scene.feedback += " Enter was not pressed."
        else:
            await _finish(self._scene, press_enter)

    # --- typing ---------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Follow the text from the focused field, if one has the focus."""
        if self._element.kind == "text":
            field = await fields.handle_of(self._element)
            self._arrival = await Arrival.follow(field, self._blank)

    async def _lines(self, text: str) -> None:
        lines = text.split("\n")
        for number, line in enumerate(lines):
            if number:
                await self._break(is_last=not any(lines[number:]))
            if self._arrival is None:
                line = await self._as_keys(line)
            if line and not self._stopped:
                await self._into_field(line, len(text) > MAX_TYPED_LENGTH)

    async def _break(self, is_last: bool) -> None:
        """Begin the next line, in the way of what has the focus."""
        if self._stopped:
            return
        keyboard = self._page.keyboard
        if self._arrival is not None and not await self._arrival.multiline():
            self._left_out += 1
            if not is_last:
                await keyboard.type(" ")
            return
        key = "Enter" if self._arrival is None else "Shift+Enter"
        self._entered[key] += 1
        await keyboard.press(key)

    async def _into_field(self, line: str, is_long: bool) -> None:
        keyboard = self._page.keyboard
        if self._arrival is None:
            return await keyboard.type(line)
        if await self._arrival.boxed():
            return await self._into_boxes(self._arrival, line)
        if is_long:
            return await keyboard.insert_text(line)
        for start in range(0, len(line), CHUNK_LENGTH):
            if start and await self._arrival.lost():
                self._stopped = True
                return
            await _whole(keyboard.type(line[start : start + CHUNK_LENGTH]))

    async def _into_boxes(self, arrival: Arrival, line: str) -> None:
        """Type one character after the other, each when there is room for it."""
        for character in line:
            if not await arrival.make_room(self._patience_s):
                self._patience_s = 0.0  # these boxes do not pass the focus on
            if await arrival.lost():
                self._stopped = True
                return
            await self._page.keyboard.type(character)

    async def _as_keys(self, line: str) -> str:
        """Press a line's characters as keys until a field has the focus; return what is left."""
        keyboard = self._page.keyboard
        for number, character in enumerate(line):
            if self._keys >= KEYS_WATCHED:
                await keyboard.type(line[number:])
                return ""
            await keyboard.type(character)
            self._keys += 1
            await self._element.frame.evaluate(_NEXT_FRAME)
            now = await focused_element(self._page)
            if now.kind == "text":
                # The key that opened the field belongs to what it holds.
                self._element = self._scene.under = now
                self._arrival = await Arrival.follow(await fields.handle_of(now), blank=True)
                return line[number + 1 :]
        return ""

    # --- telling --------------------------------------------------------------------------

    async def _read_back(self, text: str) -> None:
        held: list[Field] = []
        try:
            held = await self._arrival.end() if self._arrival is not None else []
        except PlaywrightError as error:
            if is_closed(error):
                raise
        count = arrived(text, held)
        self._scene.effect = self._said(len(text) if count is None else count, len(text))
        told = [self._lost(count, len(text), held), self._without_breaks(), self._without_field()]
        self._scene.feedback = " ".join(filter(None, [self._scene.feedback, *told]))

    def _said(self, count: int, total: int | None = None) -> str:
        of = "" if total is None or count == total else f" of {total}"
        noun = "character" if (total or count) == 1 else "characters"
        verb = self._verb if self._arrival else f"typed {{}} as keys to {self._element}"
        said = verb.format(f"{count}{of} {noun}")
        keys = [f"{n} line break{'s' * (n > 1)} as {k}" for k, n in self._entered.items() if n]
        return f"{said} ({', '.join(keys)})" if keys else said

    def _lost(self, count: int | None, total: int, held: list[Field]) -> str:
        """Return what is missing, and why where that is known."""
        if count is None or count >= total:
            return ""
        self._scene.failed = True
        last = held[-1]
        why = ""
        if last.most and len(last.after) >= last.most:
            why = f", which takes at most {last.most}"
        elif not any(field.focused for field in held):
            why = ", and the focus is no longer in it"
        place = "the field" if len(held) == 1 else f"the {len(held)} fields"
        return f"Only {count} of the {total} characters are in {place} as typed{why}."

    def _without_breaks(self) -> str:
        if not self._left_out:
            return ""
        return "The field has one line: line breaks were left out; press_enter presses Enter."

    def _without_field(self) -> str:
        if self._arrival is not None:
            return ""
        if self._element.kind in ("keys", "frame"):
            return ""
        return (
            f"No text field has the focus: the characters went to {self._element} as keys. If "
            "nothing happened, click a text field first."
        )
