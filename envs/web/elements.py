"""What lies under a point, and what has the focus: through frames and shadow roots.

The answers serve the record (`clicked button "Submit"`) and the few things that pixels cannot do
in a headless browser: native lists, pickers and files. The model is not given them by default.
"""

from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import ElementHandle, Frame, Page

from eyehand.envs.web.closed import MAX_DEPTH, PLACE, inside

_FIND = """
const find = (root, x, y) => {
  let e = root.elementFromPoint(x, y);
  while (e && e.shadowRoot) {
    const inner = e.shadowRoot.elementFromPoint(x, y);
    if (!inner || inner === e) break;
    e = inner;
  }
  return e;
};
const focused = root => {
  let e = root.activeElement;
  while (e && e.shadowRoot && e.shadowRoot.activeElement) e = e.shadowRoot.activeElement;
  return e;
};
// A list's option is part of its list.
const whole = e => e && /^OPT/.test(e.tagName) ? e.closest('select') || e : e;
const TEXT = ['', 'text', 'search', 'email', 'url', 'tel', 'password', 'number'];
const PICKERS = ['date', 'time', 'datetime-local', 'month', 'week', 'color', 'range'];
const KEYBOARD = 'canvas,embed,object,[role=textbox],[role=combobox],[role=searchbox],' +
  '[role=spinbutton],[role=application],[role=terminal]';
// What a blank or Enter would press.
const PRESSED = 'a[href],button,summary,video,audio,[type=button],[type=checkbox],[type=file],' +
  '[type=image],[type=radio],[type=reset],[type=submit]';
// An element that may have a closed shadow root: a custom one, or one that shows nothing of its
// own. Which of them has one, Chromium alone can say.
const HOSTS = /^(article|aside|blockquote|body|div|footer|h[1-6]|header|main|nav|p|section|span)$/;
const shown = n => {
  const range = document.createRange();
  range.selectNode(n);
  return range.getClientRects().length > 0;
};
const canHide = e => !!e && !e.shadowRoot && (e.localName.includes('-') || HOSTS.test(e.localName));
const mayHide = e => canHide(e) && (e.localName.includes('-') || ![...e.childNodes].some(shown));
// An element that may have a closed root is left where the protocol takes it.
const told = (e, hides) => {
  if (hides) PLACE = e;
  return {...describe(e), hides};
};
const ROLES = {A: 'link', BUTTON: 'button', SELECT: 'list', OPTION: 'option',
  TEXTAREA: 'text field', IMG: 'image', CANVAS: 'canvas', LABEL: 'label', VIDEO: 'video'};
const kindOf = e => {
  if (!e) return 'nothing';
  if (/^I?FRAME$/.test(e.tagName)) return 'frame';
  if (e.tagName === 'SELECT') return 'select';
  if (e.tagName === 'TEXTAREA') return e.readOnly || e.disabled ? 'read-only' : 'text';
  if (e.tagName === 'INPUT') {
    if (e.readOnly || e.disabled) return 'read-only';
    if (e.type === 'file') return 'file';
    return PICKERS.includes(e.type) ? e.type : TEXT.includes(e.type) ? 'text' : 'other';
  }
  if (e.isContentEditable || document.designMode === 'on') return 'text';
  if (e.matches(KEYBOARD)) return 'keys';
  return e === document.body || e === document.documentElement ? 'nothing' : 'other';
};
// What a person reads: text that is hidden may be left over from long before.
const seen = e => e.innerText ?? e.textContent;
// A group that is switched off switches its options off.
const off = o => o.disabled || o.parentElement.matches('optgroup:disabled');
const suggestions = e => !e.list ? [] : [...e.list.options].slice(0, 500).map(
  o => o.value && o.label && o.label !== o.value ? `${o.value} (${o.label})` : o.value);
// Whether a field may offer a list some time after it was typed into or clicked.
const suggests = e => (kindOf(e) === 'text' && e.localName === 'input' && (
    e.type === 'search' || e.autocomplete === 'off' || !!e.list ||
    !!(e.oninput || e.onkeyup || e.onkeydown || e.onkeypress))) ||
  !!e.closest('[role=combobox],[role=searchbox],[role=search],[aria-autocomplete],[aria-haspopup]');
const describe = element => {
  if (!element) return {kind: 'nothing'};
  const frame = kindOf(element) === 'frame';
  const option = element.tagName === 'OPTION' || element.tagName === 'OPTGROUP';
  const e = option ? element.closest('select') || element : element;
  const control = frame ? e : e.closest(
    'a[href],button,input,select,textarea,label,summary,[role],[contenteditable=true]') || e;
  const type = control.tagName === 'INPUT' ? (TEXT.includes(control.type) ? 'text field' :
    /^(submit|reset|button|image)$/.test(control.type) ? 'button' : control.type) : '';
  const button = type === 'button' ? control.value : '';
  const names = [control.getAttribute('aria-label'), button,
    control.labels && control.labels[0] && control.labels[0].textContent, control.placeholder,
    control.tagName === 'SELECT' || control.isContentEditable ? '' :
      seen(control).slice(0, 200), control.alt,
    control.title, control.name, control.id];
  const clean = s => typeof s === 'string' ? s.replace(/\\s+/g, ' ').trim().slice(0, 60) : '';
  const box = frame ? e.getBoundingClientRect() : null;
  const list = e.tagName === 'SELECT';
  return {kind: kindOf(e), name: clean(names.find(n => clean(n)) || ''),
    role: control.getAttribute('role') || type || ROLES[control.tagName] ||
      control.tagName.toLowerCase(),
    left: frame ? box.left + e.clientLeft : 0, top: frame ? box.top + e.clientTop : 0,
    options: list ? [...e.options].slice(0, 500).map(o => o.label) : [],
    disabled: list ? [...e.options].slice(0, 500).filter(off).map(o => o.label) : [],
    value: list && e.selectedOptions.length ? e.selectedOptions[0].label : '',
    unusable: !!e.disabled, suggests: suggests(e), suggestions: suggestions(e),
     pressed: e.matches(PRESSED),
    popup: (list || PICKERS.includes(e.type)) && CSS.supports('selector(:open)') &&
      e.matches(':open') && getComputedStyle(e).appearance !== 'base-select'};
};
""".replace("PLACE", PLACE)
_AT = "([x, y]) => {" + _FIND + "const e = find(document, x, y); return told(e, mayHide(e)); }"
_HANDLE_AT = "([x, y]) => {" + _FIND + "return whole(find(document, x, y)); }"
_FOCUSED = (
    "() => {" + _FIND + "const e = focused(document);"
    "return told(e, canHide(e) && /^(other|nothing)$/.test(kindOf(e))); }"
)
_HANDLE_FOCUSED = "() => {" + _FIND + "return focused(document); }"
_DESCRIBE = "e => {" + _FIND + "return describe(e); }"
# Called on a closed shadow root. A point outside of it would be answered with its host.
_INSIDE_AT = (
    "function(x, y) {" + _FIND + "const e = this.elementFromPoint(x, y);"
    "return e && e.getRootNode() === this ? whole(find(this, x, y)) : null; }"
)
_INSIDE_FOCUSED = "function() {" + _FIND + "return focused(this); }"

PICKER_FORMATS = {
    "date": "YYYY-MM-DD",
    "time": "HH:MM",
    "datetime-local": "YYYY-MM-DDTHH:MM",
    "month": "YYYY-MM",
    "week": "YYYY-Www",
    "color": "#rrggbb",
    "range": "a number",
}


@dataclass(frozen=True)
class Element:
    """An element as a person would name it.

    Attributes:
        kind: "text" where it holds what is typed, "keys" where it takes keys in a way of its own
            (a canvas, a plug-in), "select", "file", a key of PICKER_FORMATS, "read-only", "other",
            or "nothing" for the bare page.
        role: What it is ("button", "link", "text field").
        name: What it is called; never what was typed into it.
        frame: The frame that holds it.
        place: Where in that frame, in CSS pixels; None for the element with the focus.
        options: A list's options.
        disabled: Those of them that cannot be chosen.
        value: A list's current choice.
        unusable: The list is switched off.
        popup: Its native popup, which no screenshot shows, is open.
        suggests: It may offer a list some time after it was typed into or clicked.
        suggestions: What its datalist offers, which no screenshot shows.
        pressed: A blank or Enter presses it.
        found: Playwright's handle where no script of the page can find the element.
    """

    kind: str
    role: str
    name: str
    frame: Frame
    place: tuple[float, float] | None = None
    options: tuple[str, ...] = field(default=())
    disabled: tuple[str, ...] = field(default=())
    value: str = ""
    unusable: bool = False
    popup: bool = False
    suggests: bool = False
    suggestions: tuple[str, ...] = field(default=())
    pressed: bool = False
    found: ElementHandle | None = None

    def __str__(self) -> str:
        """Return role and name, such as `button "Submit"`."""
        return f'{self.role} "{self.name}"' if self.name else self.role

    async def handle(self) -> ElementHandle | None:
        """Return Playwright's handle; None where the element went away."""
        if self.found is not None:
            return self.found
        if self.place is None:
            found = await self.frame.evaluate_handle(_HANDLE_FOCUSED)
        else:
            found = await self.frame.evaluate_handle(_HANDLE_AT, list(self.place))
        return found.as_element()


async def element_at(page: Page, x: float, y: float) -> Element:
    """Return the element under a point of the viewport, in CSS pixels, inside frames too."""
    frame, place = page.main_frame, (x, y)
    for _ in range(MAX_DEPTH):
        answer = await frame.evaluate(_AT, list(place))
        element = _element(answer, frame, place)
        if answer["hides"]:
            element, answer = await _uncovered(element, answer, _INSIDE_AT, *place)
        inner = await _inner_frame(element)
        if inner is None:
            break
        frame, place = inner, (place[0] - answer["left"], place[1] - answer["top"])
    return element


async def focused_element(page: Page) -> Element:
    """Return the element that has the focus, inside frames too."""
    frame = page.main_frame
    for _ in range(MAX_DEPTH):
        answer = await frame.evaluate(_FOCUSED)
        element = _element(answer, frame, None)
        if answer["hides"]:
            element, _ = await _uncovered(element, answer, _INSIDE_FOCUSED)
        inner = await _inner_frame(element)
        if inner is None:
            break
        frame = inner
    return element


async def _uncovered(
    element: Element, answer: dict[str, Any], find: str, *args: float
) -> tuple[Element, dict[str, Any]]:
    """Return what is meant inside an element's closed shadow root, and its description."""
    found = await inside(element.frame, find, *args)
    if found is None:
        return element, answer
    answer = await found.evaluate(_DESCRIBE)
    return _element(answer, element.frame, element.place, found), answer


def _element(
    answer: dict[str, Any],
    frame: Frame,
    place: tuple[float, float] | None,
    found: ElementHandle | None = None,
) -> Element:
    return Element(
        kind=answer["kind"],
        role=answer.get("role", "nothing"),
        name=answer.get("name", ""),
        frame=frame,
        place=place,
        options=tuple(answer.get("options", ())),
        disabled=tuple(answer.get("disabled", ())),
        value=answer.get("value", ""),
        unusable=answer.get("unusable", False),
        popup=answer.get("popup", False),
        suggests=answer.get("suggests", False),
        suggestions=tuple(answer.get("suggestions", ())),
        pressed=answer.get("pressed", False),
        found=found,
    )


async def _inner_frame(element: Element) -> Frame | None:
    if element.kind != "frame":
        return None
    handle = await element.handle()
    return await handle.content_frame() if handle is not None else None
