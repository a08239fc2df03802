"""Holds a built-in model's calls to their action space, where its dialect has a grammar."""

import logging
from collections import OrderedDict
from importlib.util import find_spec

from eyehand.actions import ActionSpace
from eyehand.actions.codecs.codec import Codec
from eyehand.errors import UsageError
from eyehand.model.hub import Qwen2VL
from eyehand.model.inference.constraint import Constraint
from eyehand.model.inference.grammar import Grammar, Vocabulary

_log = logging.getLogger(__name__)

GRAMMARS = ("auto", "on", "off")
"""What `grammar` may be."""
_MOST_KEPT = 16
_ANY = ActionSpace(())


class CallGrammars:
    """The grammars of one model's calls, one an action space.

    Args:
        asked: "auto" holds calls where that is possible, "on" does and refuses where it is not,
            "off" does not.
        codec: How calls are written.
        checkpoint: The model that writes them.

    Attributes:
        is_on: Whether calls are held.

    Raises:
        UsageError: "on", and it is not possible, or an unknown value.
    """

    def __init__(self, asked: str, codec: Codec, checkpoint: Qwen2VL) -> None:
        check_grammar(asked, codec)
        self.is_on = asked != "off" and grammar_lacks(codec) is None
        self._codec, self._checkpoint, self._must = codec, checkpoint, asked == "on"
        self._vocabulary: Vocabulary | None = None
        self._kept: OrderedDict[tuple[object, ...], Constraint | None] = OrderedDict()

    def of(self, space: ActionSpace) -> Constraint | None:
        """Return what holds a call to an action space; None where nothing does.

        Raises:
            UsageError: calls must be held, and an action has a field that no grammar describes.
        """
        if not self.is_on:
            return None
        if space.types not in self._kept:
            self._kept[space.types] = self._compiled(space)
        self._kept.move_to_end(space.types)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return self._kept[space.types]

    def _compiled(self, space: ActionSpace) -> Constraint | None:
        call = self._codec.grammar(space)
        if call is None:
            return None
        if self._vocabulary is None:
            size = self._checkpoint.network.config.text.vocab_size
            self._vocabulary = Vocabulary(self._checkpoint.tokenizer, size)
        try:
            return Grammar(self._vocabulary, call.begins, call.rules, call.never)
        except UsageError as error:
            if self._must:
                raise
            _log.info("calls are not held to these actions: %s", error)
            return None


def check_grammar(asked: str, codec: Codec) -> None:
    """Look at what was asked for before a model is loaded.

    Raises:
        UsageError: an unknown value, or "on" where it is not possible.
    """
    if asked not in GRAMMARS:
        raise UsageError(f"expected one of {', '.join(GRAMMARS)} for the grammar, got {asked!r}")
    lack = grammar_lacks(codec)
    if asked == "on" and lack is not None:
        raise UsageError(f"--grammar on: {lack}")


def grammar_lacks(codec: Codec) -> str | None:
    """Return why a codec's calls cannot be held to a grammar here; None where they can."""
    if codec.grammar(_ANY) is None:
        return f"the dialect {codec.name} has no grammar"
    if find_spec("llguidance") is None:
        return "llguidance is not installed: pip install llguidance"
    return None
