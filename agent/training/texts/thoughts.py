"""Documents that teach what follows in a thought, without the screen on which it begins.

What an expert sees and what it concludes are learned at very different prices: a place or a card
has to be found on a screen, a sum or a direction follows from the words before it. The second is
learned here from text alone, ten thoughts a document in place of one.

In a thought, what stands between a colon and the end of its sentence follows from what stands
before, and so does the call.
"""

import re
from collections import defaultdict

import numpy as np

from eyehand.model.training.documents import Document, DocumentPart

SOURCE = "text:"
"""Stands before the environment in the name of such documents' source."""
THOUGHTS = 10
"""Thoughts of a document; each sees the opening and itself."""

_FOLLOWS = re.compile(r"(?<=:) [^.]*(?:\.(?= |$)|$)")
# A screen of one vision token: the same network reads it on every path of training.
_BLANK = np.full((14, 14, 3), 255, np.uint8)


def divided(thought: str) -> list[tuple[str, bool]]:
    """Return a thought's pieces in order, each with whether it follows from those before it.

    Example:
        >>> divided("Mine K: 10. Dealer 5.")
        [('Mine K:', False), (' 10.', True), (' Dealer 5.', False)]
    """
    pieces, at = [], 0
    for found in _FOLLOWS.finditer(thought):
        pieces += [(thought[at : found.start()], False), (found[0], True)]
        at = found.end()
    return [piece for piece in (*pieces, (thought[at:], False)) if piece[0]]


class ThoughtTexts:
    """Gathers the thoughts of demonstrations, and writes them as documents of text."""

    def __init__(self) -> None:
        self._gathered: dict[str, list[list[DocumentPart]]] = defaultdict(list)

    def add(self, document: Document, thought: str) -> Document | None:
        """Take a demonstration's thought; return a document where there are enough of them.

        Args:
            document: The demonstration; its first branch holds the thought and the call.
            thought: The expert's, "" for none.
        """
        if not thought:
            return None
        gathered = self._gathered[document.source]
        gathered.append(_branch(document.branches[0], thought))
        if len(gathered) < THOUGHTS:
            return None
        del self._gathered[document.source]
        return Document(
            source=SOURCE + document.source, seed=document.seed, trunk=document.trunk,
            branches=gathered, images=[_BLANK], characters=[[]],
        )  # fmt: skip


def _branch(own: list[DocumentPart], thought: str) -> list[DocumentPart]:
    """Return the task's own question and answer, in which what is seen is given."""
    parts: list[DocumentPart] = []
    for part in own:
        if part.learned and part.text.startswith(thought):
            pieces = _with_call(divided(thought), part.text[len(thought) :])
            parts += [DocumentPart(part.kind, text, learned=learned) for text, learned in pieces]
        else:
            parts.append(part)
    return parts


def _with_call(pieces: list[tuple[str, bool]], call: str) -> list[tuple[str, bool]]:
    """Return a thought's pieces and the call, which is learned with the mark before it.

    The end of the last sentence and the line end after it are one token.
    """
    *before, (last, follows) = pieces
    if follows:
        return [*before, (last + call, True)]
    return [*before, (last[:-1], False), (last[-1:] + call, True)]
