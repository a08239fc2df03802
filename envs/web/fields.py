"""Native lists and pickers: what a click alone cannot fill."""

from playwright.async_api import ElementHandle
from playwright.async_api import Error as PlaywrightError

from eyehand.envs.web.action_context import ActionContext
from eyehand.envs.web.elements import PICKER_FORMATS, Element, element_at
from eyehand.envs.web.faults import first_line, is_closed
from eyehand.errors import ActionHadNoEffect, InvalidArgument

FIELD_TIMEOUT_MS = 2000.0

# Whether a picker would keep a value: a copy, outside the page, drops what it cannot read.
TAKES_VALUE = """(e, value) => {
  if (e.type === 'range') return value !== '' && isFinite(Number(value));
  if (value === '') return e.type !== 'color';
  const copy = document.createElement('input');
  copy.type = e.type;
  copy.value = value;
  return copy.value !== '' && copy.value.toLowerCase() === value.toLowerCase();
}"""


async def set_value(context: ActionContext, element: Element, value: str) -> bool:
    """Set the value of a list, by the start of an option's text too, or of a picker.

    Returns:
        False where the element is neither.

    Raises:
        ActionHadNoEffect: it is switched off.
        InvalidArgument: the list has no such option, or the picker takes no such value.
    """
    if element.kind == "select":
        await _choose(context, element, value, prefix=True)
    elif element.kind in PICKER_FORMATS:
        await _fill(context, element, value)
    else:
        return False
    return True


async def select_option(context: ActionContext, x: float, y: float, option: str) -> None:
    """Choose an option of the list, or set the value of the picker, at a point in CSS pixels.

    Raises:
        ActionHadNoEffect: no native list or picker is there.
        InvalidArgument: the list has no such option, or the picker takes no such value.
    """
    element = context.under = await element_at(context.tab.page, x, y)
    if element.kind == "select":
        return await _choose(context, element, option)
    if element.kind in PICKER_FORMATS:
        return await _fill(context, element, option)
    raise ActionHadNoEffect(f"no list or picker is at the point, but {element}; click it instead")


async def _choose(
    context: ActionContext, element: Element, wanted: str, prefix: bool = False
) -> None:
    """Select an option by its text, or by its value; with `prefix`, by the start of its text."""
    if element.unusable:
        raise ActionHadNoEffect(f"{element} is switched off")
    label = _matching(element.options, wanted, prefix)
    if label in element.disabled:
        raise ActionHadNoEffect(f"the option {label!r} is switched off")
    handle = await handle_of(element)
    context.effect = f"chose {label or wanted!r} in {element}"
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
        raise refused(error) from error


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


async def _fill(context: ActionContext, element: Element, value: str) -> None:
    """Set the value of a date, time, color or range field."""
    handle, value = await handle_of(element), value.strip()
    if not await handle.evaluate(TAKES_VALUE, value):
        raise InvalidArgument(
            f"{element} takes no {value[:60]!r}; its value is {PICKER_FORMATS[element.kind]}"
        )
    context.effect = f"set {element} to {value[:60]!r}"
    try:
        await handle.fill(value, timeout=FIELD_TIMEOUT_MS)
    except PlaywrightError as error:
        raise refused(error) from error


async def handle_of(element: Element) -> ElementHandle:
    """Return an element's handle.

    Raises:
        ActionHadNoEffect: it went away.
    """
    handle = await element.handle()
    if handle is None:
        raise ActionHadNoEffect(f"{element} went away")
    return handle


def refused(error: PlaywrightError) -> Exception:
    """Return what to raise for a field that did not take its value."""
    if is_closed(error):
        return error
    return ActionHadNoEffect(f"the field did not take it: {first_line(error)[:200]}")
