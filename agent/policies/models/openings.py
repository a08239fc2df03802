"""What episodes begin with, read once: the system prompt's keys and values are then copied.

An opening is read by itself, also for the first episode, so that an answer does not depend on who
came before.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch

from eyehand.model.hub import Qwen2VL
from eyehand.model.inference.session import RESERVED_TOKENS, Session
from eyehand.prompts.conversation import Piece, Plain, Template

MOST_OPENINGS = 4
"""So many system prompts are kept; tasks with the same actions share one."""


class Openings:
    """The system prompts that were read last.

    Args:
        checkpoint: The model that reads them.
    """

    def __init__(self, checkpoint: Qwen2VL) -> None:
        self._checkpoint = checkpoint
        self._read: OrderedDict[tuple[Piece, ...], Session] = OrderedDict()

    def fork(self, pieces: Sequence[Piece], max_tokens: int) -> Session:
        """Return a conversation that has read an opening.

        Args:
            pieces: The opening, words only.
            max_tokens: Tokens that the conversation's memory is bounded to.
        """
        opening = tuple(pieces)
        session = self._read.get(opening) or self._read_anew(opening)
        self._read[opening] = session
        self._read.move_to_end(opening)
        while len(self._read) > MOST_OPENINGS:
            self._read.popitem(last=False)
        begun = session.fork(min(RESERVED_TOKENS, max_tokens))
        begun.cache.bound = max_tokens
        return begun

    @torch.inference_mode()
    def _read_anew(self, opening: tuple[Piece, ...]) -> Session:
        session = self._checkpoint.session(reserved_tokens=256)
        for piece in opening:
            append_words(session, piece)
        session.read_pending()
        return session


def append_words(session: Session, piece: Piece) -> None:
    """Append a piece of text; control tokens are live in the program's own words only."""
    if isinstance(piece, Plain):
        session.append_text(piece.text)
    elif isinstance(piece, Template):
        session.append_template(piece.text)
