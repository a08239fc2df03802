"""Text fields, native lists, pickers and files: what a click alone cannot fill."""

import asyncio

from playwright.async_api import ElementHandle
from playwright.async_api import Error as PlaywrightError

from eyehand.envs.web.elements import PICKER_FORMATS, Element, element_at, focused_element
from eyehand.envs.web.faults import first_line, is_closed
from eyehand.envs.web.scene import Scene
from eyehand.errors import ActionHadNoEffect, InvalidArgument

# Typing sends every character as a key, about 1 ms each; longer text is put in as by pasting.
MAX_TYPED_LENGTH = 500
FIELD_TIMEOUT_MS = 2000.0
CHOOSER_TIMEOUT_S = 2.0

# Whether a picker would keep a value: a copy, outside the page, drops what it cannot read.
TAKES_VALUE = """(e, value) => {
  if (e.type === 'range') return value !== '' && isFinite(Number(value));
  const copy = document.createElement('input');
  copy.type = e.type;
  copy.value = value;
  return copy.value !== '' && copy.value.toLowerCase() === value.toLowerCase();
}"""


async def type_text(scene: Scene, text: str) -> None:
    """Type into the element that has the focus; a list or picker takes the text as its value.

    Raises:
        ActionHadNoEffect: nothing that takes text has the focus.
        InvalidArgument: the list has no such option, or the picker takes no such value.
    """
    element = scene.under = await focused_element(scene.tab.page)
    if element.kind == "select":
        return await _choose(scene, element, text, prefix=True)
    if element.kind in PICKER_FORMATS:
        return await _fill(scene, element, text)
    if element.kind == "read-only":
        raise ActionHadNoEffect(f"{element} has the focus and cannot be changed")
    if element.kind != "text":
        raise ActionHadNoEffect("no text field has the focus; click one first")
    scene.effect = f"typed {len(text)} characters into {element}"
    keyboard = scene.tab.page.keyboard
    text = text.replace("\r\n", "\n")
    await (keyboard.type(text) if len(text) <= MAX_TYPED_LENGTH else keyboard.insert_text(text))


async def select_option(scene: Scene, x: float, y: float, option: str) -> None:
    """Choose an option of the list, or set the value of the picker, at a point in CSS pixels.

    Raises:
        ActionHadNoEffect: no native list or picker is there.
        InvalidArgument: the list has no such option, or the picker takes no such value.
    """
    element = scene.under = await element_at(scene.tab.page, x, y)
    if element.kind == "select":
        return await _choose(scene, element, option)
    if element.kind in PICKER_FORMATS:
        return await _fill(scene, element, option)
    raise ActionHadNoEffect(f"no list or picker is at the point, but {element}; click it instead")


async def upload_file(scene: Scene, x: float, y: float, name: str) -> None:
    """Give one of the episode's files to the file field, or what opens a picker, at a point.

    Raises:
        InvalidArgument: the episode has no such file.
        ActionHadNoEffect: nothing at the point takes a file.
    """
    path = scene.uploads.get(name)
    if path is None:
        known = ", ".join(scene.uploads) or "none"
        raise InvalidArgument(f"{name!r} is no file of this task; its files: {known}")
    if not path.is_file():
        raise ActionHadNoEffect(f"the file {name!r} cannot be read")
    element = scene.under = await element_at(scene.tab.page, x, y)
    scene.effect = f"uploaded {name!r} to {element}"
    try:
        if element.kind == "file":
            await (await _handle(element)).set_input_files(path, timeout=FIELD_TIMEOUT_MS)
        elif not await _answer_chooser(scene, x, y, str(path)):
            scene.effect = f"clicked {element}; no file picker opened"
            scene.feedback, scene.failed = "Nothing at the point asks for a file.", True
    except PlaywrightError as error:
        raise _refused(error) from error


async def _answer_chooser(scene: Scene, x: float, y: float, path: str) -> bool:
    """Click and give the file to the picker that opens; return whether one did."""
    clock = asyncio.get_running_loop().time
    scene.tab.chooser = None
    await scene.tab.page.mouse.click(x, y)
    end_s = clock() + CHOOSER_TIMEOUT_S
    while scene.tab.chooser is None and clock() < end_s and scene.tabs.dialog is None:
        await scene.tabs.wait_for_news(end_s - clock())
    chooser, scene.tab.chooser = scene.tab.chooser, None
    if chooser is None:
        return False
    await chooser.set_files(path, timeout=FIELD_TIMEOUT_MS)
    return True


async def _choose(scene: Scene, element: Element, wanted: str, prefix: bool = False) -> None:
    """Select an option by its text, or by its value; with `prefix`, by the start of its text."""
    if element.unusable:
        raise ActionHadNoEffect(f"{element} is switched off")
    label = _matching(element.options, wanted, prefix)
    if label in element.disabled:
        raise ActionHadNoEffect(f"the option {label!r} is switched off")
    handle = await _handle(element)
    scene.effect = f"chose {label or wanted!r} in {element}"
    try:
        # A list of several choices keeps those it has.
        kept = await handle.evaluate(
            "e => e.multiple ? [...e.selectedOptions].map(o => o.index) : []"
        )
        values = await handle.evaluate("e => [...e.options].map(o => o.value)")
        if label is None and wanted not in values:
            raise InvalidArgument(
                f"{element} has no option {wanted[:60]!r}; it offers: "
                + " | ".join(option[:40] for option in element.options[:30])
            )
        index = values.index(wanted) if label is None else element.options.index(label)
        await handle.select_option(index=[*kept, index], timeout=FIELD_TIMEOUT_MS)
    except PlaywrightError as error:
        raise _refused(error) from error


def _matching(options: tuple[str, ...], wanted: str, prefix: bool) -> str | None:
    """Find an option by its text: exactly, then without regard to case and spaces."""
    if wanted in options:
        return wanted
    plain = " ".join(wanted.split()).casefold()
    labels = {option: " ".join(option.split()).casefold() for option in options}
    same = [option for option, label in labels.items() if label == plain]
    if not same and prefix and plain:
        same = [option for option, label in labels.items() if label.startswith(plain)]
    return same[0] if same else None


async def _fill(scene: Scene, element: Element, value: str) -> None:
    """Set the value of a date, time, color or range field."""
    handle, value = await _handle(element), value.strip()
    if not await handle.evaluate(TAKES_VALUE, value):
        raise InvalidArgument(
            f"{element} takes no {value[:60]!r}; its value is {PICKER_FORMATS[element.kind]}"
        )
    scene.effect = f"set {element} to {value[:60]!r}"
    try:
        await handle.fill(value, timeout=FIELD_TIMEOUT_MS)
    except PlaywrightError as error:
        raise _refused(error) from error


async def _handle(element: Element) -> ElementHandle:
    handle = await element.handle()
    if handle is None:
        raise ActionHadNoEffect(f"{element} went away")
    return handle


def _refused(error: PlaywrightError) -> Exception:
    """Return what to raise for a field that did not take its value."""
    if is_closed(error):
        return error
    return ActionHadNoEffect(f"the field did not take it: {first_line(error)[:200]}")
