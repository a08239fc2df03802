"""What is asked about a view of a web page, in the words of the drawn screens."""

import random
import re
from collections import Counter
from collections.abc import Sequence

from eyehand.agent.training.harvest.views import Control, View
from eyehand.model.training.pages import Word
from eyehand.model.training.screens import Item, ask, point

MOST_WORDS = 12
"""So many words of a view are asked for, each by its name and by its place."""
LONGEST_NAME = 40
LONGEST_NAME_WORDS = 5

Asked = tuple[str, str, str]
"""The kind of a question, the question, and its answer."""


def questions(view: View, draw: random.Random) -> list[Asked]:
    """Return questions about a view, in an order by chance.

    Args:
        view: What is shown.
        draw: Chooses words where there are many.
    """
    found = _about_words(view, draw) + _about_controls(view)
    draw.shuffle(found)
    return found


def _about_words(view: View, draw: random.Random) -> list[Asked]:
    """Ask for words that occur once: where they are, and what stands there."""
    counts = Counter(word.text.lower() for word in view.words)
    whole = [w for w in view.words if w not in view.cut and _can_be_asked(w.text)]
    once = [word for word in whole if counts[word.text.lower()] == 1]
    chosen = once if len(once) <= MOST_WORDS else draw.sample(once, MOST_WORDS)
    asked = ask([Item(word.text, word.box, "word") for word in chosen], view.size)
    return [("word" if q.startswith("Where") else "place", q, a) for q, a in asked]


def _can_be_asked(text: str) -> bool:
    return len(text) > 1 and '"' not in text and re.search(r"\w", text) is not None


def _about_controls(view: View) -> list[Asked]:
    """Ask for fields, checkboxes and radio buttons whose names are seen and clear."""
    named = [(control, _name(control, view.words)) for control in view.controls]
    counts = Counter((control.kind, name.lower()) for control, name in named)
    found: list[Asked] = []
    for control, name in named:
        if not name or counts[control.kind, name.lower()] > 1:
            continue
        where = f'Where is the {control.kind} "{name}"?'
        found.append((control.kind, where, point(control.box, view.size)))
        if control.is_ticked is not None:
            answer = "yes" if control.is_ticked else "no"
            found.append(("ticked", f'Is the checkbox "{name}" ticked?', answer))
    return found


def _name(control: Control, words: Sequence[Word]) -> str:
    """Return the first name of a control that stands on the screen; "" where none does."""
    shown = {_bare(word.text).lower() for word in words}
    for name in map(_bare, control.names):
        parts = [_bare(part).lower() for part in name.split()]
        is_short = len(name) <= LONGEST_NAME and len(parts) <= LONGEST_NAME_WORDS
        if name and is_short and '"' not in name and all(p in shown for p in parts if p):
            return name
    return ""


def _bare(name: str) -> str:
    """Return a name without the marks that forms put behind it."""
    return re.sub(r"[\s:*]+$", "", name).strip()
