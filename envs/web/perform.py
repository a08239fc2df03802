"""Actions become Playwright's calls: one small coroutine for each action of the web vocabulary."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from playwright.async_api import Error as PlaywrightError

from eyehand.actions import Action, Point, web
from eyehand.envs.steps import performer_of
from eyehand.envs.web import fields, history, text, uploads
from eyehand.envs.web.browser_keys import meant_for_the_browser
from eyehand.envs.web.elements import PICKER_FORMATS, Element, element_at
from eyehand.envs.web.faults import is_closed
from eyehand.envs.web.scene import ActionContext
from eyehand.envs.web.tab import describe_dialog
from eyehand.errors import ActionHadNoEffect, OutOfRange

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


async def perform(action: Action, scene: ActionContext) -> None:
    """Perform an action of the web vocabulary; `scene` then says what became of it.

    Raises:
        ModelFeedback: the action was refused; nothing changed.
        UsageError: nobody performs this type of action.
    """
    await performer_of(_PERFORMERS, action)(action, scene)


async def _click(action: web.Click, scene: ActionContext) -> None:
    await _press(scene, action.point, "clicked")


async def _double_click(action: web.DoubleClick, scene: ActionContext) -> None:
    await _press(scene, action.point, "double-clicked", count=2)


async def _right_click(action: web.RightClick, scene: ActionContext) -> None:
    await _press(scene, action.point, "right-clicked", right=True)


async def _press(
    scene: ActionContext, point: Point, verb: str, count: int = 1, right: bool = False
) -> None:
    x, y = scene.place(point)
    page = scene.tab.page
    scene.under = await element_at(page, x, y)
    scene.effect = f"{verb} {scene.under} at ({x:.0f}, {y:.0f})"
    await page.mouse.click(x, y, click_count=count, button="right" if right else "left")
    _tell_suggestions(scene, "")
    if scene.under.kind == "select" or scene.under.kind in PICKER_FORMATS:
        await _tell_choices(scene, x, y)


async def _tell_choices(scene: ActionContext, x: float, y: float) -> None:
    """Say what a native list or picker offers and close its popup, which no screenshot shows.

    Escape reaches the popup only, never the page, and the element keeps the focus: typing and
    arrow keys then change its value where the next screen shows it.
    """
    element = await element_at(scene.tab.page, x, y)
    if element.popup:
        await scene.tab.page.keyboard.press("Escape")
    ways = [way for way in ("select_option", "type_text") if way in scene.permitted]
    how = f" Choose with {' or '.join(ways)}." if ways else ""
    if element.kind == "select":
        scene.hints.append(f"The list {element.name!r} offers: {offers(element)}.{how}")
    elif element.kind in PICKER_FORMATS:
        form = PICKER_FORMATS[element.kind]
        scene.hints.append(f"A {element.kind} field has the focus; its value is {form}.{how}")


def _tell_suggestions(scene: ActionContext, typed: str) -> None:
    """Say what a field suggests: the browser's own list, which no screenshot shows."""
    field, plain = scene.under, typed.strip().casefold()
    if field is None or not field.suggestions:
        return
    fitting = [text for text in field.suggestions if plain in text.casefold()]
    listed = _listed(fitting) or "nothing that holds these letters"
    scene.hints.append(f"The field suggests: {listed}. Type one in full to choose it.")


def offers(element: Element) -> str:
    """Return a list's options for a person or model to read, cut to a sensible number."""
    return _listed(element.options)


def _listed(options: Sequence[str]) -> str:
    shown = [option[:40] for option in options[:MAX_OPTIONS_TOLD]]
    more = len(options) - len(shown)
    return " | ".join(shown) + (f" | and {more} more" if more > 0 else "")


async def _hover(action: web.Hover, scene: ActionContext) -> None:
    x, y = scene.place(action.point)
    scene.under = await element_at(scene.tab.page, x, y)
    scene.effect = f"moved to {scene.under} at ({x:.0f}, {y:.0f})"
    await scene.tab.page.mouse.move(x, y)


async def _drag(action: web.Drag, scene: ActionContext) -> None:
    (x0, y0), (x1, y1) = scene.place(action.start), scene.place(action.end)
    mouse = scene.tab.page.mouse
    scene.under = await element_at(scene.tab.page, x0, y0)
    scene.effect = f"dragged {scene.under} from ({x0:.0f}, {y0:.0f}) to ({x1:.0f}, {y1:.0f})"
    await mouse.move(x0, y0)
    await mouse.down()
    try:
        await mouse.move(x1, y1, steps=DRAG_STEPS)
    finally:
        await mouse.up()


async def _type_text(action: web.TypeText, scene: ActionContext) -> None:
    await text.type_text(scene, action.text, bool(action.press_enter))
    _tell_suggestions(scene, action.text)


async def _replace_text(action: web.ReplaceText, scene: ActionContext) -> None:
    await text.replace_text(scene, action.text, bool(action.press_enter))
    _tell_suggestions(scene, action.text)


async def _press_keys(action: web.PressKeys, scene: ActionContext) -> None:
    scene.effect = f"pressed {'+'.join(action.keys)}"
    if meant := meant_for_the_browser(action.keys, scene.permitted):
        scene.hints.append(meant)
    try:
        await scene.tab.page.keyboard.press("+".join(_as_pressed(action.keys)))
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


async def _scroll(action: web.Scroll, scene: ActionContext) -> None:
    width, height = scene.tab.size
    middle = Point(x=0.5, y=0.5)
    x, y = scene.place(action.point or middle)
    sign = -1 if action.direction in ("up", "left") else 1
    sideways = action.direction in ("left", "right")
    distance = round((width if sideways else height) * action.amount / 10) * sign
    scene.under = await element_at(scene.tab.page, x, y)
    scene.effect = f"scrolled {action.direction} {abs(distance)} px at ({x:.0f}, {y:.0f})"
    handle = await scene.under.handle()
    before = await handle.evaluate(SCROLL_PLACES) if handle is not None else []
    await scene.tab.page.mouse.move(x, y)
    await scene.tab.page.mouse.wheel(*((distance, 0) if sideways else (0, distance)))

    async def measure() -> None:
        try:
            after = await handle.evaluate(SCROLL_PLACES) if handle is not None else []
        except PlaywrightError as error:
            if is_closed(error):
                raise
            after = []  # a page that was left meanwhile has no places to compare
        moved = max((abs(b - a) for a, b in zip(before, after, strict=False)), default=0)
        scene.effect = f"scrolled {action.direction} by {moved:.0f} of {abs(distance)} px"

    scene.afterwards = measure


async def _select_option(action: web.SelectOption, scene: ActionContext) -> None:
    await fields.select_option(scene, *scene.place(action.point), action.option)


async def _upload_file(action: web.UploadFile, scene: ActionContext) -> None:
    await uploads.upload_files(scene, *scene.place(action.point), action.files)


async def _go_to(action: web.GoTo, scene: ActionContext) -> None:
    await history.go_to(scene, action.url)


async def _back(action: web.Back, scene: ActionContext) -> None:
    await history.move(scene, -1)


async def _forward(action: web.Forward, scene: ActionContext) -> None:
    await history.move(scene, 1)


async def _reload(action: web.Reload, scene: ActionContext) -> None:
    await history.reload(scene)


async def _new_tab(action: web.NewTab, scene: ActionContext) -> None:
    await scene.tabs.new_tab()
    scene.effect = f"opened tab {len(scene.tabs.tabs) - 1}"


async def _switch_tab(action: web.SwitchTab, scene: ActionContext) -> None:
    count = len(scene.tabs.tabs)
    if action.index >= count:
        raise OutOfRange(f"there is no tab {action.index}; the tabs are 0 to {count - 1}")
    tab = scene.tabs.tabs[action.index]
    scene.effect = f"switched to tab {action.index}"
    scene.tabs.show(tab)
    await tab.page.bring_to_front()


async def _close_tab(action: web.CloseTab, scene: ActionContext) -> None:
    number = scene.tabs.tabs.index(scene.tab)
    scene.effect = f"began to close tab {number}"
    await scene.tabs.close_tab(scene.tab, CLOSE_TIMEOUT_S)
    scene.effect = f"closed tab {number}" if not scene.tab.open else f"tab {number} stays open"


async def _answer_dialog(action: web.AnswerDialog, scene: ActionContext) -> None:
    dialog = await scene.tabs.answer_dialog(action.accept, action.text)
    if dialog is None:
        raise ActionHadNoEffect("no dialog is open")
    answer = "accepted" if action.accept else "dismissed"
    scene.effect = f"{answer} the dialog {describe_dialog(dialog)}"


async def _wait(action: web.Wait, scene: ActionContext) -> None:
    clock = asyncio.get_running_loop().time
    began_s = clock()
    sleep = asyncio.ensure_future(asyncio.sleep(action.seconds))
    try:
        await scene.tabs.race(sleep, action.seconds)
    finally:
        sleep.cancel()
    scene.effect = f"waited {clock() - began_s:.1f} s"


async def _nothing(action: Action, scene: ActionContext) -> None:
    scene.effect = str(action)


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
