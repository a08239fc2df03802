"""What arrived of a text that was typed: read back from the fields that it went to."""

import re
import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher

from playwright.async_api import ElementHandle, JSHandle

# Most characters that are compared one by one; of longer texts the equal ones are counted.
MAX_COMPARED = 1000
# White space, and what editors put where a line is empty.
_BLANK = re.compile(r"[\s\u200b\ufeff]+")

# Follows the focus from one field to the next while a text is typed. A field that nobody sees (the
# one in which a code editor catches keys) holds what it likes.
_FOLLOW = """(first, blank) => {
  const editable = f => f.isContentEditable || f.tagName === 'TEXTAREA' ||
    f.tagName === 'INPUT' && !/^(button|checkbox|color|file|hidden|image|radio|range|reset|submit)$/
      .test(f.type) && !f.readOnly && !f.disabled;
  const text = f => f.isContentEditable ? f.innerText : f.value;
  const seen = f => {
    if (!f.isConnected || !f.checkVisibility({opacityProperty: true, visibilityProperty: true}))
      return false;
    for (let n = f, depth = 0; n && depth < 4; n = n.parentElement, depth++) {
      const box = n.getBoundingClientRect();
      const cuts = n === f || getComputedStyle(n).overflow !== 'visible';
      if (cuts && (box.width < 6 || box.height < 6 || box.right < 0)) return false;
    }
    return true;
  };
  const unselected = f => {
    if (f.isContentEditable) return getSelection().isCollapsed ? f.innerText : '';
    const at = f.selectionStart;
    return at === null ? f.value : f.value.slice(0, at) + f.value.slice(f.selectionEnd);
  };
  const root = first.getRootNode();
  const active = () => {
    let e = root.activeElement || document.activeElement;
    while (e && e.shadowRoot && e.shadowRoot.activeElement) e = e.shadowRoot.activeElement;
    return e;
  };

  const fields = new Map();
  const note = (f, before) => {
    if (f && f.nodeType === 1 && editable(f) && !fields.has(f)) fields.set(f, {before, heard: 0});
    return fields.get(f);
  };
  note(first, blank ? '' : unselected(first));
  const follow = event => {
    const field = note(event.composedPath()[0], '');
    if (field && event.type === 'input') field.heard += 1;
  };
  const places = [...new Set([root, window])], names = ['focusin', 'input'];
  for (const place of places)
    for (const name of names) place.addEventListener(name, follow, {capture: true, passive: true});

  // Boxes for one character each stand in a row; one that is full moves the focus, perhaps later.
  const room = f => {
    if (f.tagName !== 'INPUT') return 0;
    if (f.maxLength > 0) return f.maxLength <= 8 ? f.maxLength : 0;
    const box = f.getBoundingClientRect();
    if (box.width > 4 * parseFloat(getComputedStyle(f).fontSize)) return 0;
    const row = [...f.getRootNode().querySelectorAll('input')].filter(other => {
      const its = other.getBoundingClientRect();
      return Math.abs(its.top - box.top) < 4 && Math.abs(its.width - box.width) < 2;
    });
    return row.length > 2 ? 1 : 0;
  };
  const full = f => !!f && f.isConnected && room(f) > 0 && f.value.length >= room(f) &&
    f.selectionStart === f.selectionEnd;
  return {
    boxed: () => room(active() || first) > 0,
    lost: () => { const e = active(); return !e || !editable(e) && !/^I?FRAME$/.test(e.tagName); },
    multiline: () => { const e = active(); return !!e && e.tagName !== 'INPUT'; },
    makeRoom: patienceMs => new Promise(resolve => {
      const from = active(), end = performance.now() + patienceMs;
      const look = () => {
        if (!full(from) || active() !== from) resolve(true);
        else if (performance.now() >= end) resolve(false);
        else setTimeout(look, 5);
      };
      look();
    }),
    end: () => {
      for (const place of places)
        for (const name of names) place.removeEventListener(name, follow, {capture: true});
      return [...fields].map(([f, {before, heard}]) => ({before, heard, after: text(f) || '',
        seen: seen(f), most: f.maxLength > 0 ? f.maxLength : 0, focused: f === active()}));
    },
  };
}"""


@dataclass(frozen=True)
class Field:
    """One field that typed text went to.

    Attributes:
        before: What it held and kept, without what was selected.
        after: What it holds.
        heard: How often it was told that its text had changed.
        seen: A person sees it, so what it holds is what was entered.
        most: How many characters it takes; 0 for any number.
        focused: It has the focus.
    """

    before: str
    after: str
    heard: int = 0
    seen: bool = True
    most: int = 0
    focused: bool = True


class Arrival:
    """Follows typed text through the fields of one frame.

    Args:
        follower: What `follow` returned.
    """

    def __init__(self, follower: JSHandle) -> None:
        self._follower = follower

    @classmethod
    async def follow(cls, field: ElementHandle, blank: bool = False) -> "Arrival":
        """Begin to follow, from the field that has the focus.

        Args:
            field: The field.
            blank: Whatever it holds already belongs to the text.
        """
        return cls(await field.evaluate_handle(_FOLLOW, blank))

    async def boxed(self) -> bool:
        """Return whether the focus is in a box that holds a few characters only."""
        return bool(await self._follower.evaluate("it => it.boxed()"))

    async def lost(self) -> bool:
        """Return whether the focus has gone to what takes no text."""
        return bool(await self._follower.evaluate("it => it.lost()"))

    async def multiline(self) -> bool:
        """Return whether the focused field holds several lines."""
        return bool(await self._follower.evaluate("it => it.multiline()"))

    async def make_room(self, patience_s: float) -> bool:
        """Wait until a full box has passed the focus on; return whether there is room."""
        return bool(await self._follower.evaluate("(it, ms) => it.makeRoom(ms)", patience_s * 1000))

    async def end(self) -> list[Field]:
        """Stop following and return the fields, in the order in which they had the focus."""
        return [Field(**answer) for answer in await self._follower.evaluate("it => it.end()")]


def arrived(text: str, fields: list[Field]) -> int | None:
    """Return how many characters of a text are in the fields, in order.

    White space and case do not count, nor do separators that a field puts between the characters.

    Args:
        text: What was typed.
        fields: Where it went.

    Returns:
        At most the text's length; None where it cannot be told.
    """
    typed, held = _plain(text), "".join(map(_inserted, fields))
    if fields and fields[0].heard and typed in _plain(fields[0].after):
        return len(text)
    if not fields or not all(field.seen for field in fields):
        return None
    return len(text) - (len(typed) - _common(typed, held))


def _inserted(field: Field) -> str:
    """Return what is in a field now and was not before."""
    before, after = _plain(field.before), _plain(field.after)
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return after[start : len(after) - end]


def _plain(text: str) -> str:
    return _BLANK.sub("", unicodedata.normalize("NFC", text)).casefold()


def _common(typed: str, held: str) -> int:
    """Return how many of the typed characters are held, in order."""
    rest = iter(held)
    if all(character in rest for character in typed):
        return len(typed)
    if max(len(typed), len(held)) > MAX_COMPARED:
        return sum(min(typed.count(c), held.count(c)) for c in set(typed))
    matcher = SequenceMatcher(None, typed, held, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks())
