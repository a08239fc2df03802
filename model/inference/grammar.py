"""Answers held to a grammar, from where it begins in them: llguidance with this tokenizer.

Before that point an answer is free. From there on only what the grammar permits is chosen, and
what alone can follow is not chosen at all. A control token is never permitted.
"""

import codecs
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.inputs.tokenizer import Tokenizer

_BEHIND = 256
"""So many characters behind the newest ones are looked at for where a grammar begins."""
_TAIL_BYTES = 96
_CONTEXT = 12
"""So many tokens before forced ones are tokenized together with them."""
_MOST_STATES = 100_000
"""States of the rules' automaton, of a kilobyte or so, that are kept; then they are made anew."""


class Vocabulary:
    """A tokenizer as llguidance knows it.

    Args:
        tokenizer: Of the checkpoint.
        size: How many ids the network scores; those without a token are never permitted.

    Raises:
        UsageError: llguidance is not installed.
    """

    def __init__(self, tokenizer: Tokenizer, size: int) -> None:
        try:
            import llguidance
        except ImportError:
            raise UsageError("a grammar needs llguidance: pip install llguidance") from None
        self.tokenizer, self.size = tokenizer, size
        self.library: Any = llguidance
        known = range(tokenizer.largest_id + 1)
        self.tokens = [tokenizer.token_bytes(id_) for id_ in known]
        plain = sorted(set(known) - set(tokenizer.special_ids.values()))
        self.ids = {self.tokens[id_]: id_ for id_ in plain if self.tokens[id_]}
        self.longest = max(map(len, self.ids))
        self.firsts = [_kind_of_first(token) for token in self.tokens]
        self.special_token_ids = sorted(tokenizer.special_ids.values())
        self.eos_token_id, self.bos_token_id = tokenizer.eos_ids[0], None
        self.wrapped = llguidance.LLTokenizer(llguidance.TokenizerWrapper(self))

    def __call__(self, text: str | bytes) -> list[int]:
        """Encodes what llguidance asks for."""
        return self.tokenizer.encode_text(text if isinstance(text, str) else text.decode())


def _kind_of_first(token: bytes) -> bytes:
    """Return a character of the kind of a token's first one: tokenizers cut between kinds."""
    first = token[:1]
    if first.isalpha() or first >= b"\x80":
        return b"a"
    return b"1" if first.isdigit() else first


class Grammar:
    """Holds answers to rules, from where they begin.

    Args:
        vocabulary: Of the model that answers.
        begins: What comes before the rules in an answer; before it everything may be written.
        rules: A grammar in llguidance's Lark.
        never: What the model may not write within the rules, though they permit it. What alone can
            follow is not looked at.
        most_states: So many states of the rules' automaton are kept; an answer needs about one a
            character.

    Raises:
        UsageError: llguidance cannot read the rules.
    """

    def __init__(
        self, vocabulary: Vocabulary, begins: re.Pattern[str], rules: str, never: re.Pattern[str],
        most_states: int = _MOST_STATES,
    ) -> None:  # fmt: skip
        self.vocabulary, self.begins, self.never = vocabulary, begins, never
        self._rules, self._most_states = rules, most_states
        self._first = self._compiled()

    def matcher(self) -> "GrammarMatcher":
        """Returns what follows a new answer."""
        return GrammarMatcher(self)

    def begun(self) -> Any:
        """Returns llguidance's matcher at the rules' beginning."""
        return self._first.deep_copy()

    def begun_anew(self) -> Any:
        """Returns the same without what it has remembered: all copies share that."""
        self._first = self._compiled()
        return self.begun()

    def _compiled(self) -> Any:
        library = self.vocabulary.library
        lark = library.LLMatcher.grammar_from_lark(self._rules)
        limits = library.LLParserLimits(max_lexer_states=self._most_states)
        first = library.LLMatcher(self.vocabulary.wrapped, lark, log_level=0, limits=limits)
        if first.is_error():
            reason = first.get_error().strip().splitlines()[0]
            raise UsageError(f"the grammar cannot be used: {reason}")
        return first


class GrammarMatcher:
    """One answer's way through a grammar.

    Attributes:
        complete: Whether the rules are fulfilled and nothing can follow.
    """

    def __init__(self, grammar: Grammar) -> None:
        self.complete = False
        self._grammar = grammar
        self._rules: Any = None
        self._is_free = False
        self._taken: list[int] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._tail = b""

    @property
    def lasts(self) -> bool:
        """Whether the answer is free here; see `Matcher`."""
        return self._rules is None or self._is_free

    def permitted(self) -> Tensor | None:
        """Returns what may come next, bool (vocabulary,); None: everything."""
        if self.lasts:
            return None
        bits = self._rules.compute_bitmask()
        if self._rules.is_error() and self._made_anew():
            bits = self._rules.compute_bitmask()
            self._is_free = self._rules.is_error()
        if self._is_free:
            return None
        known = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")
        known = known[: len(self._grammar.vocabulary.tokens)]
        mask = torch.zeros(self._grammar.vocabulary.size, dtype=torch.bool)
        mask[: len(known)] = torch.from_numpy(known).bool()
        self._permit_parts(mask)
        return mask

    def _permit_parts(self, mask: Tensor) -> None:
        """Permit every token that begins what alone can follow.

        Of bytes that alone can follow the rules permit one token only. But before a letter ` "` is
        one token and before `+` two, for a tokenizer cuts a text into pieces first: a model that
        has to write the wrong one goes on with what it knows to come there, with a letter.
        """
        ids = self._grammar.vocabulary.ids
        follows = self._rules.compute_ff_bytes()
        for length in range(1, min(len(follows), self._grammar.vocabulary.longest) + 1):
            if (id_ := ids.get(follows[:length])) is not None:
                mask[id_] = True

    def accept(self, token: int) -> Sequence[int] | None:
        """Takes a token; see `Matcher`."""
        if self._is_free:
            return ()
        if self._rules is None:
            return self._look_for_beginning(self._grammar.vocabulary.tokenizer.token_bytes(token))
        data = self._tail + self._grammar.vocabulary.tokens[token]
        if self._grammar.never.search(data.decode("utf-8", "ignore")):
            return None
        self._tail = data[-_TAIL_BYTES:]
        self._taken.append(token)
        self._rules.consume_token(token)
        return self._forced()

    def _look_for_beginning(self, data: bytes) -> Sequence[int] | None:
        before = self._decoder.getstate()
        text = self._text + self._decoder.decode(data)
        found = self._grammar.begins.search(text, max(0, len(self._text) - _BEHIND))
        if not found:
            self._text = text[-2 * _BEHIND :]
            return ()
        rules = self._grammar.begun()
        rest = text[found.end() :].encode() + self._decoder.getstate()[0]
        ids = self._grammar.vocabulary.tokenizer.encode_bytes(rest)
        if rules.try_consume_tokens(ids) < len(ids):
            self._decoder.setstate(before)
            return None
        self._rules, self._taken = rules, list(ids)
        return self._forced()

    def _forced(self) -> Sequence[int]:
        """Takes the tokens that alone can follow, and returns them."""
        forced: list[int] = self._rules.compute_ff_tokens()
        if self._rules.is_error():
            forced = self._rules.compute_ff_tokens() if self._made_anew() else []
        forced = self._steady(forced)
        if forced:
            self._taken += forced
            self._rules.consume_tokens(forced)
            self._tail = b""
        if self._rules.is_error():
            self._made_anew()
        self.complete = not self._is_free and self._rules.is_stopped()
        return forced

    def _steady(self, forced: list[int]) -> list[int]:
        """Return the first of these tokens, those that stay the same whatever may follow them."""
        if not forced:
            return forced
        ahead = self._rules.deep_copy()
        ahead.consume_tokens(forced)
        if ahead.is_stopped() or ahead.is_error():
            return forced
        before, written = self._written(self._taken[-_CONTEXT:]), self._written(forced)
        steady = len(forced)
        for follows in self._kinds(ahead.compute_bitmask()):
            ids = self._grammar.vocabulary.tokenizer.encode_bytes(before + written + follows)
            steady = min(steady, self._alike(ids, len(before), forced))
        return forced[:steady]

    def _alike(self, ids: Sequence[int], start: int, forced: Sequence[int]) -> int:
        """Return how many of the forced tokens `ids` has too, from a byte on."""
        at, first = 0, 0
        while at < start:
            at += len(self._grammar.vocabulary.tokens[ids[first]])
            first += 1
        if at > start:
            return 0  # a token goes over the place where they begin
        pairs = zip(ids[first:], forced, strict=False)
        return next((i for i, (one, other) in enumerate(pairs) if one != other), len(forced))

    def _kinds(self, bits: bytes) -> list[bytes]:
        """Return a character of each kind with which a permitted token begins."""
        mask = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")
        firsts = self._grammar.vocabulary.firsts
        return sorted({firsts[id_] for id_ in np.flatnonzero(mask[: len(firsts)])} - {b""})

    def _written(self, ids: Sequence[int]) -> bytes:
        return b"".join(self._grammar.vocabulary.tokens[id_] for id_ in ids)

    def _made_anew(self) -> bool:
        """Come to the same place with rules that remember nothing; else the rest is free.

        A grammar that is too complex at some place is no reason to stop there.
        """
        self._rules = self._grammar.begun_anew()
        self._is_free = not self._rules.consume_tokens(self._taken)
        return not self._is_free
