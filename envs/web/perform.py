"""Actions become Playwright's calls: one small coroutine for each action of the web vocabulary."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from playwright.async_api import Error as PlaywrightError

from eyehand.actions import Action, Point, web
from eyehand.envs.common import performer_of
from eyehand.envs.web import fields, history, text, uploads
from eyehand.envs.web.action_context import ActionContext
from eyehand.envs.web.browser_keys import meant_for_the_browser
from eyehand.envs.web.dialogs import describe_dialog
from eyehand.envs.web.elements import PICKER_FORMATS, Element, element_at
from eyehand.envs.web.faults import is_closed
from eyehand.errors import ActionHadNoEffect, ModelFeedback, OutOfRange

EnterText = Callable[[ActionContext, str, bool], Awaitable[None]]
"""Types or replaces a text, and presses Enter or not."""

DRAG_STEPS = 12
MAX_OPTIONS_TOLD = 30
CLOSE_TIMEOUT_S = 3.0

# Where the page and every area around an element are scrolled to.
SCROLL_PLACES = """e => {
  const places = [scrollX, scrollY];
  for (; e; e = e.parentElement || (e.getRootNode && e.getRootNode().host))
    places.push(e.scrollLeft, e.scrollTop);
  return places;
}"""


async def perform(action: Action, context: ActionContext) -> None:
    """Perform an action of the web vocabulary; `context` then says what became of it.

    Raises:
        ModelFeedback: the action was refused; nothing changed.
        UsageError: nobody performs this type of action.
    """
    await performer_of(_PERFORMERS, action)(action, context)


async def _click(action: web.Click, context: ActionContext) -> None:
    await _press(context, action.point, "clicked")


async def _double_click(action: web.DoubleClick, context: ActionContext) -> None:
    await _press(context, action.point, "double-clicked", count=2)


async def _right_click(action: web.RightClick, context: ActionContext) -> None:
    await _press(context, action.point, "right-clicked", right=True)


async def _press(
    context: ActionContext, point: Point, verb: str, count: int = 1, right: bool = False
) -> None:
    x, y = context.place(point)
    page = context.tab.page
    context.under = await element_at(page, x, y)
    context.effect = f"{verb} {context.under} at ({x:.0f}, {y:.0f})"
    await page.mouse.click(x, y, click_count=count, button="right" if right else "left")
    _tell_suggestions(context, "")
    if context.under.kind == "select" or context.under.kind in PICKER_FORMATS:
        await _tell_choices(context, x, y)


async def _tell_choices(context: ActionContext, x: float, y: float) -> None:
    """Say what a native list or picker offers and close its popup, which no screenshot shows.

    Escape reaches the popup only, never the page, and the element keeps the focus: typing and
    arrow keys then change its value where the next screen shows it.
    """
    element = await element_at(context.tab.page, x, y)
    if element.popup:
        await context.tab.page.keyboard.press("Escape")
    ways = [way for way in ("select_option", "type_text") if way in context.permitted]
    how = f" Choose with {' or '.join(ways)}." if ways else ""
    if element.kind == "select":
        context.hints.append(f"The list {element.name!r} offers: {offers(element)}.{how}")
    elif element.kind in PICKER_FORMATS:
        form = PICKER_FORMATS[element.kind]
        context.hints.append(f"A {element.kind} field has the focus; its value is {form}.{how}")


def _tell_suggestions(context: ActionContext, typed: str) -> None:
    """Say what a field suggests: the browser's own list, which no screenshot shows."""
    field, plain = context.under, typed.strip().casefold()
    if field is None or not field.suggestions:
        return
    fitting = [text for text in field.suggestions if plain in text.casefold()]
    listed = _listed(fitting) or "nothing that holds these letters"
    context.hints.append(f"The field suggests: {listed}. Type one in full to choose it.")


def offers(element: Element) -> str:
    """Return a list's options for a person or model to read, cut to a sensible number."""
    return _listed(element.options)


def _listed(options: Sequence[str]) -> str:
    shown = [option[:40] for option in options[:MAX_OPTIONS_TOLD]]
    more = len(options) - len(shown)
    return " | ".join(shown) + (f" | and {more} more" if more > 0 else "")


async def _hover(action: web.Hover, context: ActionContext) -> None:
    x, y = context.place(action.point)
    context.under = await element_at(context.tab.page, x, y)
    context.effect = f"moved to {context.under} at ({x:.0f}, {y:.0f})"
    await context.tab.page.mouse.move(x, y)


async def _drag(action: web.Drag, context: ActionContext) -> None:
    (x0, y0), (x1, y1) = context.place(action.start), context.place(action.end)
    mouse = context.tab.page.mouse
    context.under = await element_at(context.tab.page, x0, y0)
    context.effect = f"dragged {context.under} from ({x0:.0f}, {y0:.0f}) to ({x1:.0f}, {y1:.0f})"
    await mouse.move(x0, y0)
    await mouse.down()
    try:
        await mouse.move(x1, y1, steps=DRAG_STEPS)
    finally:
        await mouse.up()


async def _type_text(action: web.TypeText, context: ActionContext) -> None:
    await _enter(context, action.point, text.type_text, action.text, bool(action.press_enter))


async def _replace_text(action: web.ReplaceText, context: ActionContext) -> None:
    await _enter(context, action.point, text.replace_text, action.text, bool(action.press_enter))


async def _enter(
    context: ActionContext, point: Point | None, enter: EnterText, typed: str, press_enter: bool
) -> None:
    """Give a text to what has the focus, after a click where a place is given."""
    if point is None:
        await enter(context, typed, press_enter)
    else:
        await _press(context, point, "clicked")
        context.before, context.effect = context.effect, ""
        try:
            await enter(context, typed, press_enter)
        except ModelFeedback as error:  # of the typing; the click had an effect
            context.hints.append(str(error))
            context.effect, context.before = context.before, ""
    _tell_suggestions(context, typed)


async def _press_keys(action: web.PressKeys, context: ActionContext) -> None:
    context.effect = f"pressed {'+'.join(action.keys)}"
    if meant := meant_for_the_browser(action.keys, context.permitted):
        context.hints.append(meant)
    try:
        await context.tab.page.keyboard.press("+".join(_as_pressed(action.keys)))
    except PlaywrightError as error:
        if "Unknown key" not in str(error):
            raise
        raise ActionHadNoEffect(f"the browser has no key {'+'.join(action.keys)!r}") from error


def _as_pressed(keys: list[str]) -> list[str]:
    """Name a letter or digit by its place on the keyboard where Shift is held.

    Playwright types "x" for Shift+x and "X" for Shift+KeyX; a person expects the second.
    """
    *held, last = keys
    if "Shift" in held and len(last) == 1 and last.isascii() and last.isalnum():
        last = f"Key{last.upper()}" if last.isalpha() else f"Digit{last}"
    return [*held, last]


async def _scroll(action: web.Scroll, context: ActionContext) -> None:
    width, height = context.tab.size
    middle = Point(x=0.5, y=0.5)
    x, y = context.place(action.point or middle)
    sign = -1 if action.direction in ("up", "left") else 1
    sideways = action.direction in ("left", "right")
    distance = round((width if sideways else height) * action.amount / 10) * sign
    context.under = await element_at(context.tab.page, x, y)
    context.effect = f"scrolled {action.direction} {abs(distance)} px at ({x:.0f}, {y:.0f})"
    handle = await context.under.handle()
    before = await handle.evaluate(SCROLL_PLACES) if handle is not None else []
    await context.tab.page.mouse.move(x, y)
    await context.tab.page.mouse.wheel(*((distance, 0) if sideways else (0, distance)))

    async def measure() -> None:
        try:
            after = await handle.evaluate(SCROLL_PLACES) if handle is not None else []
        except PlaywrightError as error:
            if is_closed(error):
                raise
            after = []  # a page that was left meanwhile has no places to compare
        moved = max((abs(b - a) for a, b in zip(before, after, strict=False)), default=0)
        context.effect = f"scrolled {action.direction} by {moved:.0f} of {abs(distance)} px"

    context.afterwards = measure


async def _select_option(action: web.SelectOption, context: ActionContext) -> None:
    await fields.select_option(context, *context.place(action.point), action.option)


async def _upload_file(action: web.UploadFile, context: ActionContext) -> None:
    await uploads.upload_files(context, *context.place(action.point), action.files)


async def _go_to(action: web.GoTo, context: ActionContext) -> None:
    await history.go_to(context, action.url)


async def _back(action: web.Back, context: ActionContext) -> None:
    await history.move(context, -1)


async def _forward(action: web.Forward, context: ActionContext) -> None:
    await history.move(context, 1)


async def _reload(action: web.Reload, context: ActionContext) -> None:
    await history.reload(context)


async def _new_tab(action: web.NewTab, context: ActionContext) -> None:
    await context.tabs.new_tab()
    context.effect = f"opened tab {len(context.tabs.tabs) - 1}"


async def _switch_tab(action: web.SwitchTab, context: ActionContext) -> None:
    count = len(context.tabs.tabs)
    if action.index >= count:
        raise OutOfRange(f"there is no tab {action.index}; the tabs are 0 to {count - 1}")
    tab = context.tabs.tabs[action.index]
    context.effect = f"switched to tab {action.index}"
    context.tabs.show(tab)
    await tab.page.bring_to_front()


async def _close_tab(action: web.CloseTab, context: ActionContext) -> None:
    number = context.tabs.tabs.index(context.tab)
    context.effect = f"began to close tab {number}"
    await context.tabs.close_tab(context.tab, CLOSE_TIMEOUT_S)
    context.effect = f"closed tab {number}" if not context.tab.open else f"tab {number} stays open"


async def _answer_dialog(action: web.AnswerDialog, context: ActionContext) -> None:
    dialog = await context.tabs.dialogs.answer(action.accept, action.text)
    if dialog is None:
        raise ActionHadNoEffect("no dialog is open")
    answer = "accepted" if action.accept else "dismissed"
    context.effect = f"{answer} the dialog {describe_dialog(dialog)}"


async def _wait(action: web.Wait, context: ActionContext) -> None:
    clock = asyncio.get_running_loop().time
    began_s = clock()
    sleep = asyncio.ensure_future(asyncio.sleep(action.seconds))
    try:
        await context.tabs.news.race(sleep, action.seconds)
    finally:
        sleep.cancel()
    context.effect = f"waited {clock() - began_s:.1f} s"


async def _nothing(action: Action, context: ActionContext) -> None:
    context.effect = str(action)


_PERFORMERS: dict[type[Action], Callable[[Any, ActionContext], Awaitable[None]]] = {
    web.Click: _click,
    web.DoubleClick: _double_click,
    web.RightClick: _right_click,
    web.Hover: _hover,
    web.Drag: _drag,
    web.TypeText: _type_text,
    web.ReplaceText: _replace_text,
    web.PressKeys: _press_keys,
    web.Scroll: _scroll,
    web.SelectOption: _select_option,
    web.GoTo: _go_to,
    web.Back: _back,
    web.Forward: _forward,
    web.Reload: _reload,
    web.NewTab: _new_tab,
    web.SwitchTab: _switch_tab,
    web.CloseTab: _close_tab,
    web.AnswerDialog: _answer_dialog,
    web.UploadFile: _upload_file,
    web.Wait: _wait,
    web.Answer: _nothing,
    web.Finish: _nothing,
}
